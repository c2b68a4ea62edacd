#ifndef TOOLFORMER_SRC_MODEL_FAMILY_LLAMA_H_
#define TOOLFORMER_SRC_MODEL_FAMILY_LLAMA_H_

#include "src/model/spec.h"

namespace toolformer {

FamilyFile LlamaHuggingFace();
FamilyFile LlamaGguf();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_FAMILY_LLAMA_H_
