// The tensors of a transformer, in the layout that the forward pass wants.
#ifndef TOOLFORMER_SRC_MODEL_WEIGHTS_H_
#define TOOLFORMER_SRC_MODEL_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/family.h"
#include "toolformer/weight_file.h"

namespace toolformer {

// y = x weight^T + bias; weight [out, in], bias [out] or undefined. Undefined weight: there is no such map.
struct Linear {
  at::Tensor weight, bias;
};

// weight [n], bias [n] or undefined, f32. Undefined weight: there is no such norm.
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
  at::Tensor embedding;           // [vocab, embedding width]
  at::Tensor position_embedding;  // [position offset + context, hidden] or undefined
  Norm embedding_norm;
  Linear embedding_in, embedding_out;  // where the embedding is narrower than the hidden size
  std::vector<LayerWeights> layers;
  Norm final_norm;
  Linear output;  // [vocab, embedding width]; shares the embedding where tied
};

// Calls `visit` with every defined tensor.
void ForEachTensor(TransformerWeights* weights, const std::function<void(at::Tensor*)>& visit);
// Calls `visit` with every defined tensor of a norm.
void ForEachNormTensor(const TransformerWeights& weights, const std::function<void(const at::Tensor&)>& visit);

// Makes one tensor of those that the family's files store once: an output tied to the embedding, a norm that serves two
// places. They are equal when they have been read; what learns has to be one.
void ShareTensors(const Family& family, const TransformerSpec& spec, TransformerWeights* weights);

// Where weights are read from and what they become.
struct WeightSource {
  const WeightFile& file;
  const FamilyFile& family;
  std::string where;  // for messages
  at::ScalarType type = at::kFloat;
  std::function<void(uint64_t done, uint64_t total)> progress;  // bytes of the file; may be empty
};

// Rows of the embedding: the size of the vocabulary where the configuration does not say it.
absl::StatusOr<int64_t> EmbeddingRows(const WeightSource& source);

// Reads every tensor that `spec` asks for, in parallel, converting to source.type; holds no more than the weights and
// one stored tensor at a time. kInvalidArgument names a tensor that is missing or has another shape than the spec says.
// On the CPU.
absl::StatusOr<TransformerWeights> LoadWeights(const WeightSource& source, const TransformerSpec& spec);

// The tensors as the family's Hugging Face files hold them, to be written. `weights` must outlive the result.
std::vector<TensorToWrite> StoredTensors(const Family& family, const TransformerSpec& spec,
                                         const TransformerWeights& weights);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_WEIGHTS_H_
