// Softmax attention of some queries over one stretch of keys, with the log-sum-exp that merging parts needs.
#ifndef TOOLFORMER_SRC_MODEL_ATTENTION_KERNELS_H_
#define TOOLFORMER_SRC_MODEL_ATTENTION_KERNELS_H_

#include <ATen/core/Tensor.h>

#include <vector>

namespace toolformer {

// How scores become what the softmax sees: cap tanh(scale q.k / cap) + slope * key position + mask.
struct ScoreSettings {
  double scale = 1.0;
  double soft_cap = 0.0;      // 0: none
  std::vector<float> slopes;  // of ALiBi, one a head; empty: none
};

struct AttentionInput {
  at::Tensor query;       // [queries, heads, head_dim]
  at::Tensor key, value;  // [keys, kv_heads, head_dim]
  at::Tensor mask;        // [queries, keys] f32, added to the scores; undefined: none
  at::Tensor bias;        // [heads, keys] f32, added to the scores of every query; undefined: none
  bool causal = false;    // as many keys as queries, each query sees the keys up to its own
  double scale = 1.0;
  double soft_cap = 0.0;
};

struct AttentionOutput {
  at::Tensor values;  // [queries, heads, head_dim], the queries' type
  at::Tensor lse;     // [queries, heads] f32, natural logarithm
};

AttentionOutput SoftmaxAttention(const AttentionInput& input);

// Adds a part to what has been gathered for the same queries: the softmax over the union of both stretches of keys.
AttentionOutput MergeAttention(const AttentionOutput& a, const AttentionOutput& b);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_ATTENTION_KERNELS_H_
