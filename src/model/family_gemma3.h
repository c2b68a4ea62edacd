#ifndef TOOLFORMER_SRC_MODEL_FAMILY_GEMMA3_H_
#define TOOLFORMER_SRC_MODEL_FAMILY_GEMMA3_H_

#include "src/model/spec.h"

namespace toolformer {

FamilyFile Gemma3HuggingFace();
FamilyFile Gemma3Gguf();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_FAMILY_GEMMA3_H_
