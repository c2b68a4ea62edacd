// Mistral: Llama with a sliding window in every layer. Jiang et al. 2023. Its GGUF files call themselves Llama.
#include "src/model/family.h"

namespace toolformer {

Family MistralFamily() {
  Family family;
  family.name = "mistral";
  family.architectures = {"MistralForCausalLM"};
  family.model_type = "mistral";
  family.fields = LlamaFields({});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{}};
  family.slides = [](int64_t) { return true; };
  family.names = LlamaNames({});
  return family;
}

}  // namespace toolformer
