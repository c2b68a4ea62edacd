// Gemma 2: soft caps, windows in every other layer, norms before and after each branch. Riviere et al. 2024.
#include <cmath>

#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

// The metadata does not say how scores are scaled: by the head size, but in 27B by hidden / heads.
absl::Status FinishGemma2(const ConfigReader&, TransformerSpec* spec) {
  if (spec->layers == 46 && spec->heads > 0) {
    const int64_t divisor = spec->hidden / spec->heads;
    spec->attention_scale = 1.0 / std::sqrt(static_cast<double>(divisor));
  }
  return absl::OkStatus();
}

}  // namespace

Family Gemma2Family() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "gemma2";
  family.architectures = {"Gemma2ForCausalLM"};
  family.model_type = "gemma2";
  family.base.norm_place = NormPlace::kSandwich;
  family.base.activation = Activation::kGeluTanh;
  family.fields = LlamaFields({{"head_dim", &Spec::head_dim, 256},
                               {"tie_word_embeddings", &Spec::tied_output, true},
                               {"attention_bias", &Spec::qkv_bias, false},
                               {"attention_bias", &Spec::attention_out_bias, false},
                               {"attn_logit_softcapping", &Spec::attention_soft_cap, 50.0},
                               {"final_logit_softcapping", &Spec::logit_soft_cap, 30.0},
                               {"query_pre_attn_scalar", kScoreDivisor, 256}});
  family.activation_field = "hidden_activation";
  family.default_activation = "gelu_pytorch_tanh";
  family.rotary = {{}};
  family.slides = [](int64_t layer) { return layer % 2 == 0; };
  family.derive = [](Spec* spec) { spec->embedding_scale = std::sqrt(static_cast<double>(spec->hidden)); };
  family.names = LlamaNames({{Role::kPostAttentionNorm, "model.layers.{}.post_attention_layernorm"},
                             {Role::kMlpNorm, "model.layers.{}.pre_feedforward_layernorm"},
                             {Role::kPostMlpNorm, "model.layers.{}.post_feedforward_layernorm"}});
  family.layout.norm_weight_offset = 1.0;
  family.gguf = {.architecture = "gemma2", .finish = FinishGemma2};
  return family;
}

}  // namespace toolformer
