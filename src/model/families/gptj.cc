// GPT-J, the paper's model: attention and MLP side by side behind one norm. Wang, Komatsuzaki 2021.
#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

absl::Status FinishGptJ(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(spec->rotary.front().dims, config.IntegerOr("rotary_dim", 64));
  return absl::OkStatus();
}

}  // namespace

Family GptjFamily() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "gptj";
  family.architectures = {"GPTJForCausalLM"};
  family.model_type = "gptj";
  family.base.norm = NormKind::kLayer;
  family.base.parallel_residual = true;
  family.base.gated_mlp = false;
  family.base.mlp_bias = family.base.output_bias = true;
  family.fields = {
      {"n_layer", &Spec::layers},
      {"n_embd", &Spec::hidden},
      {"n_head", &Spec::heads},
      {"vocab_size", &Spec::vocab_size},
      {"n_positions", &Spec::context_length},
      {"n_inner", &Spec::mlp_hidden, 0},
      {"layer_norm_epsilon", &Spec::norm_epsilon, 1e-5},
      {"tie_word_embeddings", &Spec::tied_output, false},
  };
  family.activation_field = "activation_function";
  family.default_activation = "gelu_new";
  family.rotary = {{.scaling = ""}};
  family.finish = FinishGptJ;
  family.names = {
      {Role::kEmbedding, "transformer.wte"},
      {Role::kFinalNorm, "transformer.ln_f"},
      {Role::kOutput, "lm_head"},
      {Role::kAttentionNorm, "transformer.h.{}.ln_1"},
      {Role::kQuery, "transformer.h.{}.attn.q_proj"},
      {Role::kKey, "transformer.h.{}.attn.k_proj"},
      {Role::kValue, "transformer.h.{}.attn.v_proj"},
      {Role::kAttentionOut, "transformer.h.{}.attn.out_proj"},
      {Role::kMlpNorm, "transformer.h.{}.ln_1"},
      {Role::kUp, "transformer.h.{}.mlp.fc_in"},
      {Role::kDown, "transformer.h.{}.mlp.fc_out"},
  };
  family.layout.rotary_neighbours = true;
  family.layout.optional_prefix = "transformer.";
  return family;
}

}  // namespace toolformer
