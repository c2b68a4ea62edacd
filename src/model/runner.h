// What runs a batch through the layers of a transformer. There is one for every device and type, of libtorch's
// operators, and faster ones for single devices; all give the same numbers.
#ifndef TOOLFORMER_SRC_MODEL_RUNNER_H_
#define TOOLFORMER_SRC_MODEL_RUNNER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>

#include "src/model/spec.h"
#include "src/model/token_batch.h"
#include "src/model/weights.h"

namespace toolformer {

class Runner {
 public:
  virtual ~Runner() = default;

  // Logits [wanted, vocab] f32 on the CPU, or of the ids `vocabulary` only where that is not empty. Writes keys and
  // values behind the caches' tails, without counting them. Throws what libtorch throws.
  virtual at::Tensor Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const = 0;

  // Type and device of caches.
  virtual at::TensorOptions cache_options() const = 0;

  // The weights in the layout of weights.h; may be copies.
  virtual TransformerWeights Weights() const = 0;
};

// Of libtorch's operators. kPlain attention for checking the fused one.
std::unique_ptr<Runner> MakeTensorRunner(const TransformerSpec& spec, TransformerWeights weights,
                                         const at::Device& device);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_RUNNER_H_
