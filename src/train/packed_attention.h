// Attention of whole sequences, with its way back.
#ifndef TOOLFORMER_SRC_TRAIN_PACKED_ATTENTION_H_
#define TOOLFORMER_SRC_TRAIN_PACKED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "src/model/spec.h"

namespace toolformer {

// Sequences that stand one after the other in a batch; none sees another.
class PackedAttention {
 public:
  // `lengths` of the sequences, in tokens; each at least one. `spec` must outlive this.
  PackedAttention(const TransformerSpec& spec, std::vector<int64_t> lengths, const at::Device& device);

  // As TensorLayers::Attend.
  at::Tensor Run(int64_t layer, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) const;

 private:
  // What is added to the scores of a sequence, [heads or 1, length, length] f32: the slopes of ALiBi, and minus
  // infinity where a key is not seen. Undefined: nothing but the future is hidden.
  const at::Tensor& Bias(int64_t window, int64_t length) const;

  const TransformerSpec& spec_;
  const std::vector<int64_t> lengths_;
  const at::Device device_;
  at::Tensor slopes_;  // [heads, 1, 1]; undefined: none
  mutable std::map<std::pair<int64_t, int64_t>, at::Tensor> biases_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_PACKED_ATTENTION_H_
