// Softmax attention of some queries over one stretch of keys, with the log-sum-exp that merging parts needs.
#ifndef TOOLFORMER_SRC_MODEL_ATTENTION_KERNELS_H_
#define TOOLFORMER_SRC_MODEL_ATTENTION_KERNELS_H_

#include <ATen/core/Tensor.h>

namespace toolformer {

// Kernels: the fused one of libtorch for the CPU, or a composition of plain operators, which works on every device and
// checks the other.
enum class AttentionKernel { kFlashCpu, kPlain };

struct AttentionInput {
  at::Tensor query;       // [queries, heads, head_dim]
  at::Tensor key, value;  // [keys, kv_heads, head_dim]
  at::Tensor mask;        // [queries, keys] f32, added to the scores; undefined: none
  bool causal = false;    // as many keys as queries, each query sees the keys up to its own
  double scale = 1.0;
};

struct AttentionOutput {
  at::Tensor values;  // [queries, heads, head_dim], the queries' type
  at::Tensor lse;     // [queries, heads] f32, natural logarithm
};

AttentionOutput SoftmaxAttention(const AttentionInput& input, AttentionKernel kernel);

// Adds a part to what has been gathered for the same queries: the softmax over the union of both stretches of keys.
AttentionOutput MergeAttention(const AttentionOutput& a, const AttentionOutput& b);

// One query on the CPU in float32, the step of decoding. key and value are [keys, kv_heads, head_dim] with `key_stride`
// floats from key to key; `values` [heads, head_dim] and `lse` [heads] are written.
struct SingleQuery {
  const float *query, *key, *value;
  int64_t keys, key_stride, heads, kv_heads, head_dim;
  float scale;
  float *values, *lse;
};
void AttendSingleQuery(const SingleQuery& input);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_ATTENTION_KERNELS_H_
