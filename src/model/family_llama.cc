// Llama and what shares its shape (SmolLM2 among others).
#include "src/model/family_llama.h"

#include <cmath>

#include "src/base/status.h"
#include "src/model/rotary_scaling.h"

namespace toolformer {
namespace {

absl::StatusOr<TransformerSpec> SpecFromConfig(const ConfigReader& config) {
  TransformerSpec spec;
  spec.family = "llama";
  TF_ASSIGN_OR_RETURN(spec.layers, config.RequiredInteger("num_hidden_layers"));
  TF_ASSIGN_OR_RETURN(spec.hidden, config.RequiredInteger("hidden_size"));
  TF_ASSIGN_OR_RETURN(spec.heads, config.RequiredInteger("num_attention_heads"));
  TF_ASSIGN_OR_RETURN(spec.kv_heads, config.IntegerOr("num_key_value_heads", spec.heads));
  TF_ASSIGN_OR_RETURN(spec.head_dim, config.IntegerOr("head_dim", spec.heads > 0 ? spec.hidden / spec.heads : 0));
  TF_ASSIGN_OR_RETURN(spec.mlp_hidden, config.RequiredInteger("intermediate_size"));
  TF_ASSIGN_OR_RETURN(spec.vocab_size, config.RequiredInteger("vocab_size"));
  TF_ASSIGN_OR_RETURN(spec.context_length, config.IntegerOr("max_position_embeddings", 2048));
  TF_ASSIGN_OR_RETURN(spec.norm_epsilon, config.RealOr("rms_norm_eps", 1e-6));
  TF_ASSIGN_OR_RETURN(spec.tied_output, config.BooleanOr("tie_word_embeddings", false));
  TF_ASSIGN_OR_RETURN(spec.qkv_bias, config.BooleanOr("attention_bias", false));
  TF_ASSIGN_OR_RETURN(spec.mlp_bias, config.BooleanOr("mlp_bias", false));
  spec.attention_out_bias = spec.qkv_bias;
  TF_ASSIGN_OR_RETURN(const std::string activation, config.StringOr("hidden_act", "silu"));
  if (activation != "silu") {
    return Unimplemented("{}: activation '{}' is not supported in Llama models; supported: silu", config.where(),
                         activation);
  }
  TF_ASSIGN_OR_RETURN(const std::vector<double> frequencies, ReadRotaryFrequencies(config, {}, spec.head_dim));
  SetUniformRotary(&spec, frequencies);
  spec.attention_scale = 1.0 / std::sqrt(static_cast<double>(spec.head_dim));
  return spec;
}

absl::StatusOr<TransformerSpec> SpecFromGguf(const ConfigReader& config) {
  TransformerSpec spec;
  spec.family = "llama";
  TF_ASSIGN_OR_RETURN(spec.layers, config.RequiredInteger("block_count"));
  TF_ASSIGN_OR_RETURN(spec.hidden, config.RequiredInteger("embedding_length"));
  TF_ASSIGN_OR_RETURN(spec.heads, config.RequiredInteger("attention.head_count"));
  TF_ASSIGN_OR_RETURN(spec.kv_heads, config.IntegerOr("attention.head_count_kv", spec.heads));
  TF_ASSIGN_OR_RETURN(spec.head_dim,
                      config.IntegerOr("attention.key_length", spec.heads > 0 ? spec.hidden / spec.heads : 0));
  TF_ASSIGN_OR_RETURN(spec.mlp_hidden, config.RequiredInteger("feed_forward_length"));
  TF_ASSIGN_OR_RETURN(spec.vocab_size, config.IntegerOr("vocab_size", 0));  // 0: as many as the embedding has rows
  TF_ASSIGN_OR_RETURN(spec.context_length, config.RequiredInteger("context_length"));
  TF_ASSIGN_OR_RETURN(spec.norm_epsilon, config.RequiredReal("attention.layer_norm_rms_epsilon"));
  TF_ASSIGN_OR_RETURN(const double theta, config.RealOr("rope.freq_base", 10000.0));
  TF_ASSIGN_OR_RETURN(const std::string scaling, config.StringOr("rope.scaling.type", "none"));
  if (scaling != "none" || config.HasTensor("rope_freqs.weight")) {
    return Unimplemented("{}: rotary scaling is not supported in GGUF files; supported: none", config.where());
  }
  spec.tied_output = !config.HasTensor("output.weight");
  spec.qkv_bias = config.HasTensor("blk.0.attn_q.bias");
  spec.attention_out_bias = config.HasTensor("blk.0.attn_output.bias");
  spec.mlp_bias = config.HasTensor("blk.0.ffn_up.bias");
  SetUniformRotary(&spec, RotaryFrequencies(theta, spec.head_dim));
  spec.attention_scale = 1.0 / std::sqrt(static_cast<double>(spec.head_dim));
  return spec;
}

constexpr NameRule kHuggingFaceNames[] = {
    {Role::kEmbedding, "model.embed_tokens"},
    {Role::kFinalNorm, "model.norm"},
    {Role::kOutput, "lm_head"},
    {Role::kAttentionNorm, "model.layers.{}.input_layernorm"},
    {Role::kQuery, "model.layers.{}.self_attn.q_proj"},
    {Role::kKey, "model.layers.{}.self_attn.k_proj"},
    {Role::kValue, "model.layers.{}.self_attn.v_proj"},
    {Role::kAttentionOut, "model.layers.{}.self_attn.o_proj"},
    {Role::kMlpNorm, "model.layers.{}.post_attention_layernorm"},
    {Role::kGate, "model.layers.{}.mlp.gate_proj"},
    {Role::kUp, "model.layers.{}.mlp.up_proj"},
    {Role::kDown, "model.layers.{}.mlp.down_proj"},
};

constexpr NameRule kGgufNames[] = {
    {Role::kEmbedding, "token_embd"},    {Role::kFinalNorm, "output_norm"},
    {Role::kOutput, "output"},           {Role::kAttentionNorm, "blk.{}.attn_norm"},
    {Role::kQuery, "blk.{}.attn_q"},     {Role::kKey, "blk.{}.attn_k"},
    {Role::kValue, "blk.{}.attn_v"},     {Role::kAttentionOut, "blk.{}.attn_output"},
    {Role::kMlpNorm, "blk.{}.ffn_norm"}, {Role::kGate, "blk.{}.ffn_gate"},
    {Role::kUp, "blk.{}.ffn_up"},        {Role::kDown, "blk.{}.ffn_down"},
};

}  // namespace

FamilyFile LlamaHuggingFace() { return {"LlamaForCausalLM", SpecFromConfig, kHuggingFaceNames, {}}; }

FamilyFile LlamaGguf() {
  TensorLayout layout;
  layout.interleaved_query_key_rows = true;
  return {"llama", SpecFromGguf, kGgufNames, layout};
}

}  // namespace toolformer
