// GPT-NeoX and Pythia. Black et al. 2022; Biderman et al. 2023.
#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

absl::Status FinishGptNeox(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(spec->parallel_residual, config.BooleanOr("use_parallel_residual", true));
  return absl::OkStatus();
}

}  // namespace

Family GptNeoxFamily() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "gpt_neox";
  family.architectures = {"GPTNeoXForCausalLM"};
  family.model_type = "gpt_neox";
  family.base.norm = NormKind::kLayer;
  family.base.activation = Activation::kGelu;
  family.base.gated_mlp = false;
  family.base.mlp_bias = true;
  family.fields = {
      {"num_hidden_layers", &Spec::layers},
      {"hidden_size", &Spec::hidden},
      {"num_attention_heads", &Spec::heads},
      {"vocab_size", &Spec::vocab_size},
      {"max_position_embeddings", &Spec::context_length, 2048},
      {"intermediate_size", &Spec::mlp_hidden},
      {"layer_norm_eps", &Spec::norm_epsilon, 1e-5},
      {"tie_word_embeddings", &Spec::tied_output, false},
      {"use_parallel_residual", &Spec::parallel_residual, true},
      {"attention_bias", &Spec::qkv_bias, true},
      {"attention_bias", &Spec::attention_out_bias, true},
  };
  family.activation_field = "hidden_act";
  family.default_activation = "gelu";
  family.rotary = {{.theta = "rotary_emb_base", .fraction = "rotary_pct", .default_fraction = 0.25}};
  family.names = {
      {Role::kEmbedding, "gpt_neox.embed_in"},
      {Role::kFinalNorm, "gpt_neox.final_layer_norm"},
      {Role::kOutput, "embed_out"},
      {Role::kOutput, "lm_head"},  // since transformers 5
      {Role::kAttentionNorm, "gpt_neox.layers.{}.input_layernorm"},
      {Role::kQueryKeyValue, "gpt_neox.layers.{}.attention.query_key_value"},
      {Role::kAttentionOut, "gpt_neox.layers.{}.attention.dense"},
      {Role::kMlpNorm, "gpt_neox.layers.{}.post_attention_layernorm"},
      {Role::kUp, "gpt_neox.layers.{}.mlp.dense_h_to_4h"},
      {Role::kDown, "gpt_neox.layers.{}.mlp.dense_4h_to_h"},
  };
  family.layout.fused = FusedOrder::kByHead;
  family.layout.optional_prefix = "gpt_neox.";
  family.gguf = {.architecture = "gptneox", .finish = FinishGptNeox};
  return family;
}

}  // namespace toolformer
