// The one decoder-only transformer: every family's forward pass.
#ifndef TOOLFORMER_SRC_MODEL_TRANSFORMER_H_
#define TOOLFORMER_SRC_MODEL_TRANSFORMER_H_

#include <memory>
#include <span>

#include "src/model/kv_cache.h"
#include "src/model/runner.h"
#include "src/model/spec.h"
#include "toolformer/model.h"

namespace toolformer {

// Immutable; Forward is concurrent as long as no cache is in two calls.
class Transformer {
 public:
  Transformer(TransformerSpec spec, std::unique_ptr<Runner> runner);

  const TransformerSpec& spec() const { return spec_; }
  TransformerWeights Weights() const { return runner_->Weights(); }
  const CacheLayout& cache_layout() const { return cache_layout_; }

  // As LanguageModel::ForwardOver, or Forward where `vocabulary` is empty; rows have been checked. Throws what libtorch
  // throws; caches are then unchanged.
  at::Tensor Forward(std::span<const ForwardRow> rows, std::span<const int32_t> vocabulary) const;

 private:
  // Reads the rows' caches again where they grow, or were cut, over the length at which all keys change.
  void MatchLengthKind(std::span<const ForwardRow> rows) const;
  // `length` of the sequences for rotary positions; 0: what they have with this batch.
  static TokenBatch Pack(std::span<const ForwardRow> rows, int64_t length);
  at::Tensor Run(std::span<const ForwardRow> rows, const TokenBatch& batch, std::span<const int32_t> vocabulary) const;

  TransformerSpec spec_;
  std::unique_ptr<Runner> runner_;
  CacheLayout cache_layout_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_TRANSFORMER_H_
