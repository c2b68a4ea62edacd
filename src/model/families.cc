#include <array>

#include "src/model/family_gemma3.h"
#include "src/model/family_gpt2.h"
#include "src/model/family_llama.h"
#include "src/model/spec.h"

namespace toolformer {

std::span<const FamilyFile> HuggingFaceFamilies() {
  static const std::array families = {LlamaHuggingFace(), Gemma3HuggingFace(), Gpt2HuggingFace()};
  return families;
}

std::span<const FamilyFile> GgufFamilies() {
  static const std::array families = {LlamaGguf(), Gemma3Gguf(), Gpt2Gguf()};
  return families;
}

}  // namespace toolformer
