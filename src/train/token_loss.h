// Cross-entropy of a language model without the logits of all tokens at once.
#ifndef TOOLFORMER_SRC_TRAIN_TOKEN_LOSS_H_
#define TOOLFORMER_SRC_TRAIN_TOKEN_LOSS_H_

#include <ATen/core/Tensor.h>

#include "src/model/weights.h"

namespace toolformer {

// What follows each row of the hidden states.
struct TokenTargets {
  at::Tensor ids;      // [rows] int64, on the model's device
  at::Tensor weights;  // [rows] f32, there too
};

struct TokenLossSettings {
  double soft_cap = 0.0;  // logits become cap tanh(logit / cap); 0: not
  // Most bytes of logits at a time; at least one row is computed.
  int64_t chunk_bytes = 256 << 20;
};

struct TokenLosses {
  at::Tensor nats;  // [rows] f32, -ln p(target), not weighted, not recorded
  // Sum of nats by weight, f32. Where gradients are recorded the output's weights have theirs already, as of this sum
  // times 1: go back from it once, with the gradient 1.
  at::Tensor sum;
};

// hidden [rows, width] as TensorLayers::Finish returns it.
TokenLosses ComputeTokenLosses(const at::Tensor& hidden, const Linear& output, const TokenTargets& targets,
                               const TokenLossSettings& settings);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_TOKEN_LOSS_H_
