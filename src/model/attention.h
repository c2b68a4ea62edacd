// Attention of a packed batch over caches that may share segments.
#ifndef TOOLFORMER_SRC_MODEL_ATTENTION_H_
#define TOOLFORMER_SRC_MODEL_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "src/model/attention_kernels.h"
#include "src/model/spec.h"
#include "src/model/token_batch.h"

namespace toolformer {

// What one layer window of one batch needs; the same for all layers with that window. Attention over a segment is
// computed once for all rows that share it and merged with each row's own keys by the log-sum-exp of both.
class AttentionPlan {
 public:
  struct Settings {
    int64_t window = 0;  // as in LayerSpec
    ScoreSettings scores;
    at::Device device = at::kCPU;
  };
  AttentionPlan(std::span<const BatchRow> rows, const Settings& settings);

  // query [tokens, heads, head_dim], key and value [tokens, kv_heads, head_dim] of the batch's tokens; those of rows
  // with a cache must already stand behind its tail. Returns [tokens, heads * head_dim].
  at::Tensor Run(int64_t layer, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) const;

 private:
  using Range = std::pair<int64_t, int64_t>;  // first, count

  // The queries of a row over its own keys: the batch's where it has no cache, else the cache's tail. Every query has
  // one.
  struct OwnTask {
    Range queries;
    const SegmentedCache* tail = nullptr;
    Range keys;             // of the tail or of the batch
    int64_t first_key = 0;  // position of the first of them in the sequence
    bool causal = false;
    at::Tensor mask, bias;  // as in AttentionInput
  };
  // Queries of any rows over a shared segment; merged into what their own tasks gave.
  struct SharedTask {
    std::shared_ptr<const CacheSegment> segment;
    Range keys;
    Range queries;
    at::Tensor indices;  // of the queries, where they are not one range
    at::Tensor mask, bias;
  };

  void PlanOwnKeys(const BatchRow& row);
  void PlanSharedSegments(std::span<const BatchRow> rows);
  void PlanWindowedSegments(const BatchRow& row);
  at::Tensor MakeBias(int64_t first_key, int64_t keys) const;
  void RunOwn(const OwnTask& task, int64_t layer, const AttentionInput& batch, const AttentionOutput& out) const;

  Settings settings_;
  std::vector<OwnTask> own_;
  std::vector<SharedTask> shared_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_ATTENTION_H_
