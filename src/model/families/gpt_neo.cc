// GPT-Neo: GPT-2 with local attention in some layers and unscaled scores. Black et al. 2021.
#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

// attention_types is [[["global", "local"], 12], ...]: patterns, each with how often it is repeated.
absl::Status FinishGptNeo(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(const int64_t window, config.IntegerOr("window_size", 256));
  std::vector<LayerSpec> layers;
  for (size_t entry = 0; layers.size() <= spec->layer.size(); ++entry) {
    const std::string place = "attention_types/" + std::to_string(entry);
    TF_ASSIGN_OR_RETURN(const auto pattern, config.Strings(place + "/0"));
    if (!pattern || pattern->empty()) break;
    TF_ASSIGN_OR_RETURN(const int64_t times, config.RequiredInteger(place + "/1"));
    for (int64_t t = 0; t < times && layers.size() <= spec->layer.size(); ++t) {
      for (const std::string& kind : *pattern) {
        if (kind != "global" && kind != "local") {
          return Unimplemented("{}: attention type '{}' is not supported; supported: global, local", config.where(),
                               kind);
        }
        layers.push_back({kind == "local" ? window : 0, 0});
      }
    }
  }
  if (layers.size() != spec->layer.size()) {
    return InvalidArgument("{}: field 'attention_types' does not describe {} layers", config.where(), spec->layers);
  }
  spec->layer = std::move(layers);
  return absl::OkStatus();
}

}  // namespace

Family GptNeoFamily() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "gpt_neo";
  family.architectures = {"GPTNeoForCausalLM"};
  family.model_type = "gpt_neo";
  family.base.norm = NormKind::kLayer;
  family.base.position = PositionKind::kLearned;
  family.base.gated_mlp = false;
  family.base.attention_out_bias = family.base.mlp_bias = true;
  family.base.attention_scale = 1.0;
  family.fields = {
      {"num_layers", &Spec::layers},
      {"hidden_size", &Spec::hidden},
      {"num_heads", &Spec::heads},
      {"vocab_size", &Spec::vocab_size},
      {"max_position_embeddings", &Spec::context_length},
      {"intermediate_size", &Spec::mlp_hidden, 0},
      {"layer_norm_epsilon", &Spec::norm_epsilon, 1e-5},
      {"tie_word_embeddings", &Spec::tied_output, true},
  };
  family.activation_field = "activation_function";
  family.default_activation = "gelu_new";
  family.finish = FinishGptNeo;
  family.names = {
      {Role::kEmbedding, "transformer.wte"},
      {Role::kPositionEmbedding, "transformer.wpe"},
      {Role::kFinalNorm, "transformer.ln_f"},
      {Role::kOutput, "lm_head"},
      {Role::kAttentionNorm, "transformer.h.{}.ln_1"},
      {Role::kQuery, "transformer.h.{}.attn.attention.q_proj"},
      {Role::kKey, "transformer.h.{}.attn.attention.k_proj"},
      {Role::kValue, "transformer.h.{}.attn.attention.v_proj"},
      {Role::kAttentionOut, "transformer.h.{}.attn.attention.out_proj"},
      {Role::kMlpNorm, "transformer.h.{}.ln_2"},
      {Role::kUp, "transformer.h.{}.mlp.c_fc"},
      {Role::kDown, "transformer.h.{}.mlp.c_proj"},
  };
  family.layout.optional_prefix = "transformer.";
  return family;
}

}  // namespace toolformer
