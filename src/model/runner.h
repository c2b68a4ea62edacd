// What runs a batch through the layers of a transformer. There is one for every device and type, of libtorch's
// operators, and faster ones for single devices; all give the same numbers.
#ifndef TOOLFORMER_SRC_MODEL_RUNNER_H_
#define TOOLFORMER_SRC_MODEL_RUNNER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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

  // CacheLayout::allocate.
  virtual std::function<CacheSegment(int64_t tokens)> cache_allocator() const { return {}; }

  // The weights in the layout of weights.h; may be copies.
  virtual TransformerWeights Weights() const = 0;
};

struct StaticDecodeSettings;

// Of libtorch's operators. With settings for it, steps of one token a row run in fixed shapes: see static_decode.h.
std::unique_ptr<Runner> MakeTensorRunner(const TransformerSpec& spec, TransformerWeights weights,
                                         const at::Device& device,
                                         const std::optional<StaticDecodeSettings>& static_decode);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_RUNNER_H_
