#ifndef TOOLFORMER_SRC_MODEL_FAMILY_GPT2_H_
#define TOOLFORMER_SRC_MODEL_FAMILY_GPT2_H_

#include "src/model/spec.h"

namespace toolformer {

FamilyFile Gpt2HuggingFace();
FamilyFile Gpt2Gguf();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_FAMILY_GPT2_H_
