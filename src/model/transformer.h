// The one decoder-only transformer: every family's forward pass.
#ifndef TOOLFORMER_SRC_MODEL_TRANSFORMER_H_
#define TOOLFORMER_SRC_MODEL_TRANSFORMER_H_

#include <memory>
#include <span>
#include <vector>

#include "src/model/attention.h"
#include "src/model/kernels.h"
#include "src/model/kv_cache.h"
#include "src/model/spec.h"
#include "src/model/weights.h"
#include "toolformer/model.h"

namespace toolformer {

// Immutable; Forward is concurrent as long as no cache is in two calls.
class Transformer {
 public:
  Transformer(TransformerSpec spec, TransformerWeights weights, const at::Device& device);

  const TransformerSpec& spec() const { return spec_; }
  const TransformerWeights& weights() const { return weights_; }
  CacheLayout cache_layout() const;

  // As LanguageModel::Forward; rows have been checked. Throws what libtorch throws; caches are then unchanged.
  at::Tensor Forward(std::span<const ForwardRow> rows) const;

  // For tests and the CPU's off switch: kPlain computes the same with other means.
  void set_attention_kernel(AttentionKernel kernel) { attention_kernel_ = kernel; }

 private:
  // The packed tokens of a batch.
  struct Batch {
    std::vector<AttentionRow> rows;
    at::Tensor ids, positions, wanted;  // [tokens], [tokens], [wanted tokens] int64
    std::vector<RotaryAngles> angles;   // of each rotary table
  };

  // Reads the rows' caches again where they grow, or were cut, over the length at which all keys change.
  void MatchLengthKind(std::span<const ForwardRow> rows) const;
  // `length` of the sequences for rotary positions; 0: what they have with this batch.
  at::Tensor Forward(std::span<const ForwardRow> rows, int64_t length) const;
  Batch Pack(std::span<const ForwardRow> rows, int64_t length) const;
  at::Tensor Embed(const Batch& batch) const;
  at::Tensor Attend(int64_t layer, const at::Tensor& x, const Batch& batch, const AttentionPlan& plan) const;
  at::Tensor Project(const at::Tensor& x) const;

  TransformerSpec spec_;
  TransformerWeights weights_;
  at::Device device_;
  std::vector<float> alibi_slopes_;
  AttentionKernel attention_kernel_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_TRANSFORMER_H_
