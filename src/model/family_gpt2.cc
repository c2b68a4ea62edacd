// GPT-2.
#include "src/model/family_gpt2.h"

#include <cmath>

#include "src/base/status.h"

namespace toolformer {
namespace {

// What both kinds of file leave unsaid.
void Finish(TransformerSpec* spec) {
  spec->family = "gpt2";
  spec->kv_heads = spec->heads;
  spec->head_dim = spec->heads > 0 ? spec->hidden / spec->heads : 0;
  spec->norm = NormKind::kLayer;
  spec->position = PositionKind::kLearned;
  spec->activation = Activation::kGeluTanh;
  spec->gated_mlp = false;
  spec->qkv_bias = spec->attention_out_bias = spec->mlp_bias = true;
  spec->attention_scale = 1.0 / std::sqrt(static_cast<double>(spec->head_dim));
}

absl::StatusOr<TransformerSpec> SpecFromConfig(const ConfigReader& config) {
  TransformerSpec spec;
  TF_ASSIGN_OR_RETURN(spec.layers, config.RequiredInteger("n_layer"));
  TF_ASSIGN_OR_RETURN(spec.hidden, config.RequiredInteger("n_embd"));
  TF_ASSIGN_OR_RETURN(spec.heads, config.RequiredInteger("n_head"));
  TF_ASSIGN_OR_RETURN(spec.vocab_size, config.RequiredInteger("vocab_size"));
  TF_ASSIGN_OR_RETURN(spec.context_length, config.RequiredInteger("n_positions"));
  TF_ASSIGN_OR_RETURN(spec.mlp_hidden, config.IntegerOr("n_inner", 4 * (spec.hidden < (1 << 20) ? spec.hidden : 0)));
  TF_ASSIGN_OR_RETURN(spec.norm_epsilon, config.RealOr("layer_norm_epsilon", 1e-5));
  TF_ASSIGN_OR_RETURN(spec.tied_output, config.BooleanOr("tie_word_embeddings", true));
  TF_ASSIGN_OR_RETURN(const std::string activation, config.StringOr("activation_function", "gelu_new"));
  if (activation != "gelu_new" && activation != "gelu_pytorch_tanh") {
    return Unimplemented("{}: activation '{}' is not supported in GPT-2 models; supported: gelu_new, gelu_pytorch_tanh",
                         config.where(), activation);
  }
  TF_ASSIGN_OR_RETURN(const bool by_layer, config.BooleanOr("scale_attn_by_inverse_layer_idx", false));
  if (by_layer) return Unimplemented("{}: scale_attn_by_inverse_layer_idx is not supported", config.where());
  Finish(&spec);
  return spec;
}

absl::StatusOr<TransformerSpec> SpecFromGguf(const ConfigReader& config) {
  TransformerSpec spec;
  TF_ASSIGN_OR_RETURN(spec.layers, config.RequiredInteger("block_count"));
  TF_ASSIGN_OR_RETURN(spec.hidden, config.RequiredInteger("embedding_length"));
  TF_ASSIGN_OR_RETURN(spec.heads, config.RequiredInteger("attention.head_count"));
  TF_ASSIGN_OR_RETURN(spec.mlp_hidden, config.RequiredInteger("feed_forward_length"));
  TF_ASSIGN_OR_RETURN(spec.context_length, config.RequiredInteger("context_length"));
  TF_ASSIGN_OR_RETURN(spec.norm_epsilon, config.RequiredReal("attention.layer_norm_epsilon"));
  spec.tied_output = !config.HasTensor("output.weight");
  Finish(&spec);
  return spec;
}

constexpr NameRule kHuggingFaceNames[] = {
    {Role::kEmbedding, "wte"},
    {Role::kPositionEmbedding, "wpe"},
    {Role::kFinalNorm, "ln_f"},
    {Role::kOutput, "lm_head"},
    {Role::kAttentionNorm, "h.{}.ln_1"},
    {Role::kQueryKeyValue, "h.{}.attn.c_attn"},
    {Role::kAttentionOut, "h.{}.attn.c_proj"},
    {Role::kMlpNorm, "h.{}.ln_2"},
    {Role::kUp, "h.{}.mlp.c_fc"},
    {Role::kDown, "h.{}.mlp.c_proj"},
};

constexpr NameRule kGgufNames[] = {
    {Role::kEmbedding, "token_embd"},
    {Role::kPositionEmbedding, "position_embd"},
    {Role::kFinalNorm, "output_norm"},
    {Role::kOutput, "output"},
    {Role::kAttentionNorm, "blk.{}.attn_norm"},
    {Role::kQueryKeyValue, "blk.{}.attn_qkv"},
    {Role::kAttentionOut, "blk.{}.attn_output"},
    {Role::kMlpNorm, "blk.{}.ffn_norm"},
    {Role::kUp, "blk.{}.ffn_up"},
    {Role::kDown, "blk.{}.ffn_down"},
};

}  // namespace

FamilyFile Gpt2HuggingFace() {
  TensorLayout layout;
  layout.transposed_linears = true;
  layout.optional_prefix = "transformer.";
  return {"GPT2LMHeadModel", SpecFromConfig, kHuggingFaceNames, layout};
}
FamilyFile Gpt2Gguf() { return {"gpt2", SpecFromGguf, kGgufNames, {}}; }

}  // namespace toolformer
