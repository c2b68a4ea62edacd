// Llama 1 to 3.2, and what shares their shape (SmolLM2 among others). Touvron et al. 2023; Dubey et al. 2024.
#include "src/model/family.h"

namespace toolformer {

Family LlamaFamily() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "llama";
  family.architectures = {"LlamaForCausalLM", "LLaMAForCausalLM"};
  family.model_type = "llama";
  family.fields = LlamaFields({{"attention_bias", &Spec::qkv_bias, false},
                               {"attention_bias", &Spec::attention_out_bias, false},
                               {"mlp_bias", &Spec::mlp_bias, false}});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{}};
  family.names = LlamaNames({});
  family.gguf = {.architecture = "llama", .rotary_neighbours = true};
  return family;
}

}  // namespace toolformer
