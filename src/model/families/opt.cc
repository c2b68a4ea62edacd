// OPT: learned positions from row 2 on; the 350M model has a narrower embedding and its norms behind the sums. Zhang et
// al. 2022.
#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

// Post-norm models, and some of the others, end without a norm.
absl::Status FinishOpt(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(const bool removed, config.BooleanOr("_remove_final_layer_norm", false));
  spec->final_norm = spec->norm_place == NormPlace::kBefore && !removed;
  return absl::OkStatus();
}

}  // namespace

Family OptFamily() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "opt";
  family.architectures = {"OPTForCausalLM", "OPTModel"};
  family.model_type = "opt";
  family.base.norm = NormKind::kLayer;
  family.base.position = PositionKind::kLearned;
  family.base.position_offset = 2;
  family.base.gated_mlp = false;
  const Converted norm_first = {
      [](const Spec& spec) { return spec.norm_place == NormPlace::kBefore ? 1.0 : 0.0; },
      [](double value, Spec* spec) { spec->norm_place = value != 0 ? NormPlace::kBefore : NormPlace::kAfterSum; }};
  family.fields = {
      {"num_hidden_layers", &Spec::layers},
      {"hidden_size", &Spec::hidden},
      {"num_attention_heads", &Spec::heads},
      {"vocab_size", &Spec::vocab_size},
      {"max_position_embeddings", &Spec::context_length, 2048},
      {"ffn_dim", &Spec::mlp_hidden},
      {"word_embed_proj_dim", &Spec::embedding_width, 0},
      {"do_layer_norm_before", norm_first, true},
      {"tie_word_embeddings", &Spec::tied_output, true},
      {"layer_norm_elementwise_affine", &Spec::norm_parameters, true},
      {"enable_bias", &Spec::qkv_bias, true},
      {"enable_bias", &Spec::attention_out_bias, true},
      {"enable_bias", &Spec::mlp_bias, true},
  };
  family.activation_field = "activation_function";
  family.default_activation = "relu";
  family.finish = FinishOpt;
  family.names = {
      {Role::kEmbedding, "model.decoder.embed_tokens"},
      {Role::kEmbeddingIn, "model.decoder.project_in"},
      {Role::kEmbeddingOut, "model.decoder.project_out"},
      {Role::kPositionEmbedding, "model.decoder.embed_positions"},
      {Role::kFinalNorm, "model.decoder.final_layer_norm"},
      {Role::kOutput, "lm_head"},
      {Role::kAttentionNorm, "model.decoder.layers.{}.self_attn_layer_norm"},
      {Role::kQuery, "model.decoder.layers.{}.self_attn.q_proj"},
      {Role::kKey, "model.decoder.layers.{}.self_attn.k_proj"},
      {Role::kValue, "model.decoder.layers.{}.self_attn.v_proj"},
      {Role::kAttentionOut, "model.decoder.layers.{}.self_attn.out_proj"},
      {Role::kMlpNorm, "model.decoder.layers.{}.final_layer_norm"},
      {Role::kUp, "model.decoder.layers.{}.fc1"},
      {Role::kDown, "model.decoder.layers.{}.fc2"},
  };
  family.layout.optional_prefix = "model.";
  return family;
}

}  // namespace toolformer
