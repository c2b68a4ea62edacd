// Qwen2 and Qwen2.5: biases on queries, keys and values; the upper layers may slide. Yang et al. 2024.
#include "src/model/family.h"

namespace toolformer {

Family Qwen2Family() {
  Family family;
  family.name = "qwen2";
  family.architectures = {"Qwen2ForCausalLM"};
  family.model_type = "qwen2";
  family.base.qkv_bias = true;
  family.fields = LlamaFields({});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{}};
  family.slides = [](int64_t) { return true; };
  family.names = LlamaNames({});
  family.gguf.architecture = "qwen2";
  return family;
}

}  // namespace toolformer
