// Gemma 3, text only: of six layers five slide, with a rotary base of their own. Kamath et al. 2025.
#include <cmath>

#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

// The metadata does not say how scores are scaled: by the head size, but in 27B by hidden / heads.
absl::Status FinishGemma3(const ConfigReader&, TransformerSpec* spec) {
  if (spec->layers == 62 && spec->heads > 0) {
    const int64_t divisor = spec->hidden / spec->heads;
    spec->attention_scale = 1.0 / std::sqrt(static_cast<double>(divisor));
  }
  return absl::OkStatus();
}

}  // namespace

Family Gemma3Family() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "gemma3";
  family.architectures = {"Gemma3ForCausalLM"};
  family.model_type = "gemma3_text";
  family.base.norm_place = NormPlace::kSandwich;
  family.base.query_key_norm = QueryKeyNorm::kHead;
  family.base.activation = Activation::kGeluTanh;
  family.fields = LlamaFields({{"head_dim", &Spec::head_dim, 256},
                               {"tie_word_embeddings", &Spec::tied_output, true},
                               {"attention_bias", &Spec::qkv_bias, false},
                               {"attention_bias", &Spec::attention_out_bias, false},
                               {"attn_logit_softcapping", &Spec::attention_soft_cap, 0.0},
                               {"final_logit_softcapping", &Spec::logit_soft_cap, 0.0},
                               {"query_pre_attn_scalar", kScoreDivisor, 256}});
  family.activation_field = "hidden_activation";
  family.default_activation = "gelu_pytorch_tanh";
  family.required_flags = {{"use_bidirectional_attention", false}};
  family.rotary = {{.place = "rope_parameters/full_attention", .default_theta = 1e6},
                   {.place = "rope_parameters/sliding_attention", .theta = "rope_local_base_freq", .scaling = ""}};
  family.slides = [](int64_t layer) { return layer % 6 != 5; };
  family.derive = [](Spec* spec) { spec->embedding_scale = std::sqrt(static_cast<double>(spec->hidden)); };
  family.names = LlamaNames({{Role::kPostAttentionNorm, "model.layers.{}.post_attention_layernorm"},
                             {Role::kMlpNorm, "model.layers.{}.pre_feedforward_layernorm"},
                             {Role::kPostMlpNorm, "model.layers.{}.post_feedforward_layernorm"},
                             {Role::kQueryNorm, "model.layers.{}.self_attn.q_norm"},
                             {Role::kKeyNorm, "model.layers.{}.self_attn.k_norm"}});
  family.layout.norm_weight_offset = 1.0;
  family.gguf = {.architecture = "gemma3", .finish = FinishGemma3};
  return family;
}

}  // namespace toolformer
