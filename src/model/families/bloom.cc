// BLOOM: attention biases by distance (ALiBi) instead of position embeddings, a norm on the embedding. Le Scao et al.
// 2022.
#include "src/model/family.h"

namespace toolformer {

Family BloomFamily() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "bloom";
  family.architectures = {"BloomForCausalLM", "BloomModel"};
  family.model_type = "bloom";
  family.base.norm = NormKind::kLayer;
  family.base.position = PositionKind::kAlibi;
  family.base.embedding_norm = true;
  family.base.activation = Activation::kGeluTanh;
  family.base.gated_mlp = false;
  family.base.qkv_bias = family.base.attention_out_bias = family.base.mlp_bias = true;
  const Converted normed_residual = {
      [](const Spec& spec) { return spec.norm_place == NormPlace::kNormedResidual ? 1.0 : 0.0; },
      [](double value, Spec* spec) {
        spec->norm_place = value != 0 ? NormPlace::kNormedResidual : NormPlace::kBefore;
      }};
  family.fields = {
      {"n_layer", &Spec::layers, std::nullopt, "num_hidden_layers"},
      {"hidden_size", &Spec::hidden, std::nullopt, "n_embed"},
      {"n_head", &Spec::heads, std::nullopt, "num_attention_heads"},
      {"vocab_size", &Spec::vocab_size},
      {"seq_length", &Spec::context_length, 2048},  // what it was trained with; no table limits it
      {"layer_norm_epsilon", &Spec::norm_epsilon, 1e-5},
      {"tie_word_embeddings", &Spec::tied_output, true},
      {"apply_residual_connection_post_layernorm", normed_residual, false},
  };
  family.names = {
      {Role::kEmbedding, "transformer.word_embeddings"},
      {Role::kEmbeddingNorm, "transformer.word_embeddings_layernorm"},
      {Role::kFinalNorm, "transformer.ln_f"},
      {Role::kOutput, "lm_head"},
      {Role::kAttentionNorm, "transformer.h.{}.input_layernorm"},
      {Role::kQueryKeyValue, "transformer.h.{}.self_attention.query_key_value"},
      {Role::kAttentionOut, "transformer.h.{}.self_attention.dense"},
      {Role::kMlpNorm, "transformer.h.{}.post_attention_layernorm"},
      {Role::kUp, "transformer.h.{}.mlp.dense_h_to_4h"},
      {Role::kDown, "transformer.h.{}.mlp.dense_4h_to_h"},
  };
  family.layout.fused = FusedOrder::kByHead;
  family.layout.optional_prefix = "transformer.";
  family.gguf.architecture = "bloom";
  return family;
}

}  // namespace toolformer
