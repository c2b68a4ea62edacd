// Phi-3 and Phi-3.5: fused projections, LongRoPE in the long-context models. Abdin et al. 2024.
#include "src/model/family.h"

namespace toolformer {

Family Phi3Family() {
  Family family;
  family.name = "phi3";
  family.architectures = {"Phi3ForCausalLM"};
  family.model_type = "phi3";
  family.fields = LlamaFields({{"rms_norm_eps", &TransformerSpec::norm_epsilon, 1e-5}});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{}};
  family.slides = [](int64_t) { return true; };
  family.names = LlamaNames(
      {{Role::kQueryKeyValue, "model.layers.{}.self_attn.qkv_proj"}, {Role::kUp, "model.layers.{}.mlp.gate_up_proj"}});
  std::erase_if(family.names, [](const NameRule& rule) {
    return rule.role == Role::kGate || rule.role == Role::kQuery || rule.role == Role::kKey ||
           rule.role == Role::kValue;
  });
  family.gguf.architecture = "phi3";
  return family;
}

}  // namespace toolformer
