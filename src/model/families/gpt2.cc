// GPT-2. Radford et al. 2019.
#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

absl::Status FinishGpt2(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(const bool scaled, config.BooleanOr("scale_attn_weights", true));
  TF_ASSIGN_OR_RETURN(const bool by_layer, config.BooleanOr("scale_attn_by_inverse_layer_idx", false));
  if (!scaled) spec->attention_scale = 1.0;
  for (size_t i = 0; by_layer && i < spec->layer.size(); ++i)
    spec->layer[i].score_factor = 1.0 / static_cast<double>(i + 1);
  return absl::OkStatus();
}

}  // namespace

Family Gpt2Family() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "gpt2";
  family.architectures = {"GPT2LMHeadModel", "GPT2Model"};
  family.model_type = "gpt2";
  family.base.norm = NormKind::kLayer;
  family.base.position = PositionKind::kLearned;
  family.base.activation = Activation::kGeluTanh;
  family.base.gated_mlp = false;
  family.base.qkv_bias = family.base.attention_out_bias = family.base.mlp_bias = true;
  family.fields = {
      {"n_layer", &Spec::layers},
      {"n_embd", &Spec::hidden},
      {"n_head", &Spec::heads},
      {"vocab_size", &Spec::vocab_size},
      {"n_positions", &Spec::context_length},
      {"n_inner", &Spec::mlp_hidden, 0},
      {"layer_norm_epsilon", &Spec::norm_epsilon, 1e-5},
      {"tie_word_embeddings", &Spec::tied_output, true},
  };
  family.activation_field = "activation_function";
  family.default_activation = "gelu_new";
  family.required_flags = {{"add_cross_attention", false}};
  family.finish = FinishGpt2;
  family.names = {
      {Role::kEmbedding, "transformer.wte"},
      {Role::kPositionEmbedding, "transformer.wpe"},
      {Role::kFinalNorm, "transformer.ln_f"},
      {Role::kOutput, "lm_head"},
      {Role::kAttentionNorm, "transformer.h.{}.ln_1"},
      {Role::kQueryKeyValue, "transformer.h.{}.attn.c_attn"},
      {Role::kAttentionOut, "transformer.h.{}.attn.c_proj"},
      {Role::kMlpNorm, "transformer.h.{}.ln_2"},
      {Role::kUp, "transformer.h.{}.mlp.c_fc"},
      {Role::kDown, "transformer.h.{}.mlp.c_proj"},
  };
  family.layout.transposed_linears = true;
  family.layout.optional_prefix = "transformer.";
  family.gguf.architecture = "gpt2";
  return family;
}

}  // namespace toolformer
