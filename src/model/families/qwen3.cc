// Qwen3: norms on the queries and keys of each head instead of biases. Yang et al. 2025.
#include "src/model/family.h"

namespace toolformer {

Family Qwen3Family() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "qwen3";
  family.architectures = {"Qwen3ForCausalLM"};
  family.model_type = "qwen3";
  family.base.query_key_norm = QueryKeyNorm::kHead;
  family.fields = LlamaFields({{"head_dim", &Spec::head_dim, 128},
                               {"attention_bias", &Spec::qkv_bias, false},
                               {"attention_bias", &Spec::attention_out_bias, false}});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{}};
  family.slides = [](int64_t) { return true; };
  family.names = LlamaNames(
      {{Role::kQueryNorm, "model.layers.{}.self_attn.q_norm"}, {Role::kKeyNorm, "model.layers.{}.self_attn.k_norm"}});
  family.gguf.architecture = "qwen3";
  return family;
}

}  // namespace toolformer
