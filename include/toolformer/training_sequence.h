// What a model learns from.
#ifndef TOOLFORMER_TRAINING_SEQUENCE_H_
#define TOOLFORMER_TRAINING_SEQUENCE_H_

#include <cstdint>
#include <vector>

#include "toolformer/export.h"

namespace toolformer {

// One text as the model reads it, calls and results included.
struct TOOLFORMER_API TrainingSequence {
  std::vector<int32_t> ids;  // at least two: the start token, then the text's
  // Weight of the loss of each token after the first, [ids.size() - 1], at least 0. Empty: 1 each, the standard
  // objective of language models.
  std::vector<float> weights;
};

}  // namespace toolformer

#endif  // TOOLFORMER_TRAINING_SEQUENCE_H_
