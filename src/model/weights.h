// The tensors of a transformer, in the layout that the forward pass wants.
#ifndef TOOLFORMER_SRC_MODEL_WEIGHTS_H_
#define TOOLFORMER_SRC_MODEL_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "src/model/spec.h"
#include "toolformer/weight_file.h"

namespace toolformer {

// y = x weight^T + bias; weight [out, in], bias [out] or undefined.
struct Linear {
  at::Tensor weight, bias;
};

// weight [n], bias [n] or undefined. Undefined weight: there is no such norm.
struct Norm {
  at::Tensor weight, bias;
};

struct LayerWeights {
  Norm attention_norm, post_attention_norm, mlp_norm, post_mlp_norm, query_norm, key_norm;
  Linear query_key_value;  // [(heads + 2 kv_heads) head_dim, hidden]
  Linear attention_out;    // [hidden, heads head_dim]
  Linear up;               // [mlp, hidden]; gated: gate then up, [2 mlp, hidden]
  Linear down;             // [hidden, mlp]
};

struct TransformerWeights {
  at::Tensor embedding;           // [vocab, hidden]
  at::Tensor position_embedding;  // [context, hidden] or undefined
  std::vector<LayerWeights> layers;
  Norm final_norm;
  Linear output;  // [vocab, hidden]; shares the embedding where tied
};

// Where weights are read from and what they become.
struct WeightSource {
  const WeightFile& file;
  const FamilyFile& family;
  std::string where;  // for messages
  at::ScalarType type = at::kFloat;
};

// Rows of the embedding: the size of the vocabulary where the configuration does not say it.
absl::StatusOr<int64_t> EmbeddingRows(const WeightSource& source);

// Reads every tensor that `spec` asks for, in parallel, converting to source.type. kInvalidArgument names a tensor that
// is missing or has another shape than the spec says. On the CPU.
absl::StatusOr<TransformerWeights> LoadWeights(const WeightSource& source, const TransformerSpec& spec);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_WEIGHTS_H_
