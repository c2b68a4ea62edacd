// Gemma 3, text only.
#include "src/model/family_gemma3.h"

#include <cmath>

#include "src/base/status.h"
#include "src/model/rotary_scaling.h"

namespace toolformer {
namespace {

constexpr int64_t kGlobalTable = 0;
constexpr int64_t kLocalTable = 1;

void SetCommon(TransformerSpec* spec) {
  spec->family = "gemma3";
  spec->sandwich_norms = true;
  spec->query_key_norms = true;
  spec->activation = Activation::kGeluTanh;
  spec->embedding_scale = std::sqrt(static_cast<double>(spec->hidden));
}

absl::StatusOr<TransformerSpec> SpecFromConfig(const ConfigReader& config) {
  TransformerSpec spec;
  TF_ASSIGN_OR_RETURN(spec.layers, config.RequiredInteger("num_hidden_layers"));
  TF_ASSIGN_OR_RETURN(spec.hidden, config.RequiredInteger("hidden_size"));
  TF_ASSIGN_OR_RETURN(spec.heads, config.RequiredInteger("num_attention_heads"));
  TF_ASSIGN_OR_RETURN(spec.kv_heads, config.RequiredInteger("num_key_value_heads"));
  TF_ASSIGN_OR_RETURN(spec.head_dim, config.RequiredInteger("head_dim"));
  TF_ASSIGN_OR_RETURN(spec.mlp_hidden, config.RequiredInteger("intermediate_size"));
  TF_ASSIGN_OR_RETURN(spec.vocab_size, config.RequiredInteger("vocab_size"));
  TF_ASSIGN_OR_RETURN(spec.context_length, config.RequiredInteger("max_position_embeddings"));
  TF_ASSIGN_OR_RETURN(spec.norm_epsilon, config.RealOr("rms_norm_eps", 1e-6));
  TF_ASSIGN_OR_RETURN(const double query_scalar, config.RequiredReal("query_pre_attn_scalar"));
  TF_ASSIGN_OR_RETURN(const int64_t window, config.RequiredInteger("sliding_window"));
  TF_ASSIGN_OR_RETURN(const auto layer_types, config.Strings("layer_types"));
  TF_ASSIGN_OR_RETURN(spec.tied_output, config.BooleanOr("tie_word_embeddings", true));
  TF_ASSIGN_OR_RETURN(const std::string activation, config.StringOr("hidden_activation", "gelu_pytorch_tanh"));
  if (activation != "gelu_pytorch_tanh") {
    return Unimplemented("{}: activation '{}' is not supported in Gemma 3 models; supported: gelu_pytorch_tanh",
                         config.where(), activation);
  }
  for (const char* soft_cap : {"final_logit_softcapping", "attn_logit_softcapping"}) {
    TF_ASSIGN_OR_RETURN(const std::optional<double> cap, config.Real(soft_cap));
    if (cap) return Unimplemented("{}: field '{}' is not supported in Gemma 3 models", config.where(), soft_cap);
  }
  SetCommon(&spec);
  spec.norm_weight_offset = 1.0;
  spec.attention_scale = 1.0 / std::sqrt(query_scalar);
  TF_ASSIGN_OR_RETURN(
      std::vector<double> global,
      ReadRotaryFrequencies(config, {"rope_parameters/full_attention", "rope_theta", "rope_scaling", 1e6},
                            spec.head_dim));
  TF_ASSIGN_OR_RETURN(
      std::vector<double> local,
      ReadRotaryFrequencies(config, {"rope_parameters/sliding_attention", "rope_local_base_freq", "", 1e4},
                            spec.head_dim));
  spec.rotary = {RotarySpec{global}, RotarySpec{local}};
  if (!layer_types) return InvalidArgument("{}: field 'layer_types' is missing", config.where());
  for (const std::string& type : *layer_types) {
    if (type != "full_attention" && type != "sliding_attention") {
      return Unimplemented("{}: layer type '{}' is not supported; supported: full_attention, sliding_attention",
                           config.where(), type);
    }
    spec.layer.push_back(type == "full_attention" ? LayerSpec{0, kGlobalTable} : LayerSpec{window, kLocalTable});
  }
  return spec;
}

absl::StatusOr<TransformerSpec> SpecFromGguf(const ConfigReader& config) {
  TransformerSpec spec;
  TF_ASSIGN_OR_RETURN(spec.layers, config.RequiredInteger("block_count"));
  TF_ASSIGN_OR_RETURN(spec.hidden, config.RequiredInteger("embedding_length"));
  TF_ASSIGN_OR_RETURN(spec.heads, config.RequiredInteger("attention.head_count"));
  TF_ASSIGN_OR_RETURN(spec.kv_heads, config.IntegerOr("attention.head_count_kv", spec.heads));
  TF_ASSIGN_OR_RETURN(spec.head_dim, config.RequiredInteger("attention.key_length"));
  TF_ASSIGN_OR_RETURN(spec.mlp_hidden, config.RequiredInteger("feed_forward_length"));
  TF_ASSIGN_OR_RETURN(spec.context_length, config.RequiredInteger("context_length"));
  TF_ASSIGN_OR_RETURN(spec.norm_epsilon, config.RequiredReal("attention.layer_norm_rms_epsilon"));
  TF_ASSIGN_OR_RETURN(const int64_t window, config.RequiredInteger("attention.sliding_window"));
  TF_ASSIGN_OR_RETURN(const double theta, config.RealOr("rope.freq_base", 1e6));
  TF_ASSIGN_OR_RETURN(const std::string scaling, config.StringOr("rope.scaling.type", "none"));
  TF_ASSIGN_OR_RETURN(const double factor, config.RealOr("rope.scaling.factor", 1.0));
  if (scaling != "none" && scaling != "linear") {
    return Unimplemented("{}: rotary scaling '{}' is not supported; supported: none, linear", config.where(), scaling);
  }
  SetCommon(&spec);
  spec.tied_output = !config.HasTensor("output.weight");
  // The file does not say it: all sizes but 27B divide by the head size.
  spec.attention_scale =
      1.0 / std::sqrt(static_cast<double>(spec.layers == 62 ? spec.hidden / spec.heads : spec.head_dim));
  spec.rotary = {RotarySpec{RotaryFrequencies(theta, spec.head_dim)},
                 RotarySpec{RotaryFrequencies(10000.0, spec.head_dim)}};
  for (double& frequency : spec.rotary[kGlobalTable].inverse_frequencies) frequency /= factor;
  // Nor this: of six layers the last sees everything.
  for (int64_t i = 0; i < spec.layers && i < 1024; ++i) {
    spec.layer.push_back(i % 6 == 5 ? LayerSpec{0, kGlobalTable} : LayerSpec{window, kLocalTable});
  }
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
    {Role::kQueryNorm, "model.layers.{}.self_attn.q_norm"},
    {Role::kKeyNorm, "model.layers.{}.self_attn.k_norm"},
    {Role::kAttentionOut, "model.layers.{}.self_attn.o_proj"},
    {Role::kPostAttentionNorm, "model.layers.{}.post_attention_layernorm"},
    {Role::kMlpNorm, "model.layers.{}.pre_feedforward_layernorm"},
    {Role::kGate, "model.layers.{}.mlp.gate_proj"},
    {Role::kUp, "model.layers.{}.mlp.up_proj"},
    {Role::kDown, "model.layers.{}.mlp.down_proj"},
    {Role::kPostMlpNorm, "model.layers.{}.post_feedforward_layernorm"},
};

constexpr NameRule kGgufNames[] = {
    {Role::kEmbedding, "token_embd"},
    {Role::kFinalNorm, "output_norm"},
    {Role::kOutput, "output"},
    {Role::kAttentionNorm, "blk.{}.attn_norm"},
    {Role::kQuery, "blk.{}.attn_q"},
    {Role::kKey, "blk.{}.attn_k"},
    {Role::kValue, "blk.{}.attn_v"},
    {Role::kQueryNorm, "blk.{}.attn_q_norm"},
    {Role::kKeyNorm, "blk.{}.attn_k_norm"},
    {Role::kAttentionOut, "blk.{}.attn_output"},
    {Role::kPostAttentionNorm, "blk.{}.post_attention_norm"},
    {Role::kMlpNorm, "blk.{}.ffn_norm"},
    {Role::kGate, "blk.{}.ffn_gate"},
    {Role::kUp, "blk.{}.ffn_up"},
    {Role::kDown, "blk.{}.ffn_down"},
    {Role::kPostMlpNorm, "blk.{}.post_ffw_norm"},
};

}  // namespace

FamilyFile Gemma3HuggingFace() { return {"Gemma3ForCausalLM", SpecFromConfig, kHuggingFaceNames, {}}; }
FamilyFile Gemma3Gguf() { return {"gemma3", SpecFromGguf, kGgufNames, {}}; }

}  // namespace toolformer
