#include "src/model/weights.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <fmt/ranges.h>

#include <mutex>
#include <optional>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

// How the rows of one stored tensor become rows of ours.
enum class RowOrder {
  kAsStored,
  kInterleavedPairs,  // rotary pairs are neighbours in the file and half a head apart with us
};

class Loader {
 public:
  Loader(const WeightSource& source, const TransformerSpec& spec) : source_(source), spec_(spec) {}

  absl::StatusOr<TransformerWeights> Load();

  // The file's name of a role, without suffix; empty where the family has no such tensor.
  std::string Name(Role role, int64_t layer) const;

 private:
  // A tensor to be stacked with others into one of ours.
  struct Part {
    Role role;
    int64_t rows;
    RowOrder order = RowOrder::kAsStored;
  };

  absl::StatusOr<const TensorInfo*> Require(const std::string& name, const std::vector<int64_t>& shape) const;
  absl::Status ReadRows(const TensorInfo& info, float* out, RowOrder order) const;
  absl::StatusOr<at::Tensor> Matrix(Role role, int64_t layer, int64_t rows, int64_t columns) const;
  absl::StatusOr<at::Tensor> Vector(const std::string& name, int64_t size) const;
  absl::StatusOr<Norm> LoadNorm(Role role, int64_t layer, int64_t size) const;
  absl::StatusOr<Linear> LoadLinear(const std::vector<Part>& parts, int64_t layer, int64_t columns, bool biased) const;
  absl::StatusOr<LayerWeights> LoadLayer(int64_t layer) const;

  const WeightSource& source_;
  const TransformerSpec& spec_;
};

std::string Loader::Name(Role role, int64_t layer) const {
  for (const NameRule& rule : source_.family.names) {
    if (rule.role != role) continue;
    std::string name(rule.name);
    if (const size_t hole = name.find("{}"); hole != std::string::npos) name.replace(hole, 2, std::to_string(layer));
    const std::string prefixed = std::string(source_.family.layout.optional_prefix) + name;
    return source_.file.Find(prefixed + ".weight") != nullptr ? prefixed : name;
  }
  return "";
}

absl::StatusOr<const TensorInfo*> Loader::Require(const std::string& name, const std::vector<int64_t>& shape) const {
  const TensorInfo* info = source_.file.Find(name);
  if (info == nullptr) return InvalidArgument("{}: tensor '{}' is missing", source_.where, name);
  if (info->shape != shape) {
    return InvalidArgument("{}: tensor '{}' has shape [{}], not [{}]", source_.where, name,
                           fmt::join(info->shape, ", "), fmt::join(shape, ", "));
  }
  return info;
}

// Our row of the file's row r of a head of `dim` rows.
int64_t HalvesRow(int64_t r, int64_t dim) {
  const int64_t head = r / dim, within = r % dim;
  return head * dim + (within % 2) * (dim / 2) + within / 2;
}

absl::Status Loader::ReadRows(const TensorInfo& info, float* out, RowOrder order) const {
  const int64_t columns = info.shape.size() > 1 ? info.shape.back() : info.elements;
  const int64_t rows = columns == 0 ? 0 : info.elements / columns;
  std::mutex mutex;
  absl::Status failure;
  at::parallel_for(0, rows, 1 + (1 << 18) / std::max<int64_t>(columns, 1), [&](int64_t begin, int64_t end) {
    absl::Status status;
    const auto read = [&](int64_t first, int64_t count, float* to) {
      if (status.ok()) {
        status = source_.file.ReadF32(info.name, first * columns, std::span<float>(to, count * columns));
      }
    };
    if (order == RowOrder::kAsStored) {
      read(begin, end - begin, out + begin * columns);
    } else {
      for (int64_t r = begin; r < end; ++r) read(r, 1, out + HalvesRow(r, spec_.head_dim) * columns);
    }
    if (!status.ok()) {
      const std::lock_guard lock(mutex);
      failure = status;
    }
  });
  return failure;
}

absl::StatusOr<at::Tensor> Loader::Matrix(Role role, int64_t layer, int64_t rows, int64_t columns) const {
  TF_ASSIGN_OR_RETURN(const TensorInfo* info, Require(Name(role, layer) + ".weight", {rows, columns}));
  at::Tensor matrix = at::empty({rows, columns}, at::kFloat);
  TF_RETURN_IF_ERROR(ReadRows(*info, matrix.data_ptr<float>(), RowOrder::kAsStored));
  return matrix.to(source_.type);
}

absl::StatusOr<at::Tensor> Loader::Vector(const std::string& name, int64_t size) const {
  TF_ASSIGN_OR_RETURN(const TensorInfo* info, Require(name, {size}));
  at::Tensor vector = at::empty({size}, at::kFloat);
  TF_RETURN_IF_ERROR(source_.file.ReadF32(info->name, 0, std::span<float>(vector.data_ptr<float>(), size)));
  return vector;
}

// Norms stay in float32: they are small, and their statistics are computed in it.
absl::StatusOr<Norm> Loader::LoadNorm(Role role, int64_t layer, int64_t size) const {
  Norm norm;
  TF_ASSIGN_OR_RETURN(norm.weight, Vector(Name(role, layer) + ".weight", size));
  if (spec_.norm_weight_offset != 0.0) norm.weight.add_(spec_.norm_weight_offset);
  if (spec_.norm == NormKind::kLayer) {
    TF_ASSIGN_OR_RETURN(norm.bias, Vector(Name(role, layer) + ".bias", size));
  }
  return norm;
}

absl::StatusOr<Linear> Loader::LoadLinear(const std::vector<Part>& parts, int64_t layer, int64_t columns,
                                          bool biased) const {
  int64_t rows = 0;
  for (const Part& part : parts) rows += part.rows;
  Linear linear;
  linear.weight = at::empty({rows, columns}, at::kFloat);
  if (biased) linear.bias = at::empty({rows}, at::kFloat);
  int64_t row = 0;
  for (const Part& part : parts) {
    const std::string name = Name(part.role, layer);
    if (source_.family.layout.transposed_linears) {
      TF_ASSIGN_OR_RETURN(const TensorInfo* info, Require(name + ".weight", {columns, part.rows}));
      at::Tensor stored = at::empty({columns, part.rows}, at::kFloat);
      TF_RETURN_IF_ERROR(ReadRows(*info, stored.data_ptr<float>(), RowOrder::kAsStored));
      linear.weight.narrow(0, row, part.rows).copy_(stored.t());
    } else {
      TF_ASSIGN_OR_RETURN(const TensorInfo* info, Require(name + ".weight", {part.rows, columns}));
      TF_RETURN_IF_ERROR(ReadRows(*info, linear.weight.data_ptr<float>() + row * columns, part.order));
    }
    if (biased) {
      TF_ASSIGN_OR_RETURN(const TensorInfo* info, Require(name + ".bias", {part.rows}));
      at::Tensor stored = at::empty({part.rows, 1}, at::kFloat);
      TF_RETURN_IF_ERROR(source_.file.ReadF32(info->name, 0, std::span<float>(stored.data_ptr<float>(), part.rows)));
      float* bias = linear.bias.data_ptr<float>() + row;
      for (int64_t r = 0; r < part.rows; ++r) {
        const int64_t to = part.order == RowOrder::kAsStored ? r : HalvesRow(r, spec_.head_dim);
        bias[to] = stored.data_ptr<float>()[r];
      }
    }
    row += part.rows;
  }
  linear.weight = linear.weight.to(source_.type);
  if (biased) linear.bias = linear.bias.to(source_.type);
  return linear;
}

absl::StatusOr<LayerWeights> Loader::LoadLayer(int64_t layer) const {
  LayerWeights weights;
  const int64_t query_rows = spec_.heads * spec_.head_dim;
  const int64_t kv_rows = spec_.kv_heads * spec_.head_dim;
  TF_ASSIGN_OR_RETURN(weights.attention_norm, LoadNorm(Role::kAttentionNorm, layer, spec_.hidden));
  TF_ASSIGN_OR_RETURN(weights.mlp_norm, LoadNorm(Role::kMlpNorm, layer, spec_.hidden));
  if (spec_.sandwich_norms) {
    TF_ASSIGN_OR_RETURN(weights.post_attention_norm, LoadNorm(Role::kPostAttentionNorm, layer, spec_.hidden));
    TF_ASSIGN_OR_RETURN(weights.post_mlp_norm, LoadNorm(Role::kPostMlpNorm, layer, spec_.hidden));
  }
  if (spec_.query_key_norms) {
    TF_ASSIGN_OR_RETURN(weights.query_norm, LoadNorm(Role::kQueryNorm, layer, spec_.head_dim));
    TF_ASSIGN_OR_RETURN(weights.key_norm, LoadNorm(Role::kKeyNorm, layer, spec_.head_dim));
  }
  std::vector<Part> qkv;
  if (Name(Role::kQueryKeyValue, layer).empty()) {
    const RowOrder order =
        source_.family.layout.interleaved_query_key_rows ? RowOrder::kInterleavedPairs : RowOrder::kAsStored;
    qkv = {{Role::kQuery, query_rows, order}, {Role::kKey, kv_rows, order}, {Role::kValue, kv_rows}};
  } else {
    qkv = {{Role::kQueryKeyValue, query_rows + 2 * kv_rows}};
  }
  TF_ASSIGN_OR_RETURN(weights.query_key_value, LoadLinear(qkv, layer, spec_.hidden, spec_.qkv_bias));
  TF_ASSIGN_OR_RETURN(weights.attention_out,
                      LoadLinear({{Role::kAttentionOut, spec_.hidden}}, layer, query_rows, spec_.attention_out_bias));
  std::vector<Part> up;
  if (spec_.gated_mlp) up.push_back({Role::kGate, spec_.mlp_hidden});
  up.push_back({Role::kUp, spec_.mlp_hidden});
  TF_ASSIGN_OR_RETURN(weights.up, LoadLinear(up, layer, spec_.hidden, spec_.mlp_bias));
  TF_ASSIGN_OR_RETURN(weights.down, LoadLinear({{Role::kDown, spec_.hidden}}, layer, spec_.mlp_hidden, spec_.mlp_bias));
  return weights;
}

absl::StatusOr<TransformerWeights> Loader::Load() {
  TransformerWeights weights;
  TF_ASSIGN_OR_RETURN(weights.embedding, Matrix(Role::kEmbedding, 0, spec_.vocab_size, spec_.hidden));
  if (spec_.position == PositionKind::kLearned) {
    TF_ASSIGN_OR_RETURN(weights.position_embedding,
                        Matrix(Role::kPositionEmbedding, 0, spec_.context_length, spec_.hidden));
  }
  for (int64_t i = 0; i < spec_.layers; ++i) {
    TF_ASSIGN_OR_RETURN(LayerWeights layer, LoadLayer(i));
    weights.layers.push_back(std::move(layer));
  }
  TF_ASSIGN_OR_RETURN(weights.final_norm, LoadNorm(Role::kFinalNorm, 0, spec_.hidden));
  if (spec_.tied_output) {
    weights.output.weight = weights.embedding;
  } else {
    TF_ASSIGN_OR_RETURN(weights.output.weight, Matrix(Role::kOutput, 0, spec_.vocab_size, spec_.hidden));
  }
  return weights;
}

}  // namespace

absl::StatusOr<int64_t> EmbeddingRows(const WeightSource& source) {
  const TransformerSpec unknown;
  const std::string name = Loader(source, unknown).Name(Role::kEmbedding, 0) + ".weight";
  const TensorInfo* info = source.file.Find(name);
  if (info == nullptr || info->shape.size() != 2) {
    return InvalidArgument("{}: tensor '{}' is missing or not a matrix", source.where, name);
  }
  return info->shape[0];
}

absl::StatusOr<TransformerWeights> LoadWeights(const WeightSource& source, const TransformerSpec& spec) {
  return Loader(source, spec).Load();
}

}  // namespace toolformer
