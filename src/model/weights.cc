#include "src/model/weights.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "src/base/status.h"
#include "src/model/placement.h"

namespace toolformer {
namespace {

// Values read at a time by one thread where they are not read straight into place.
constexpr int64_t kChunk = 1 << 18;

class Allocator {
 public:
  Allocator(const TransformerSpec& spec, at::ScalarType type, const at::Device& device)
      : spec_(spec), values_(at::device(device).dtype(type)), norms_(at::device(device).dtype(at::kFloat)) {}

  TransformerWeights Allocate() const {
    TransformerWeights weights;
    const int64_t width = spec_.embedding_width;
    weights.embedding = at::empty({spec_.vocab_size, width}, values_);
    if (spec_.position == PositionKind::kLearned) {
      weights.position_embedding = at::empty({spec_.position_offset + spec_.context_length, spec_.hidden}, values_);
    }
    if (spec_.embedding_norm) weights.embedding_norm = NewNorm(spec_.hidden);
    if (width != spec_.hidden) {
      weights.embedding_in = NewLinear(spec_.hidden, width, false);
      weights.embedding_out = NewLinear(width, spec_.hidden, false);
    }
    for (int64_t i = 0; i < spec_.layers; ++i) weights.layers.push_back(NewLayer());
    if (spec_.final_norm) weights.final_norm = NewNorm(spec_.hidden);
    weights.output.weight = spec_.tied_output ? weights.embedding : at::empty({spec_.vocab_size, width}, values_);
    if (spec_.output_bias) weights.output.bias = at::empty({spec_.vocab_size}, values_);
    return weights;
  }

 private:
  // Norms stay in float32: they are small, and their statistics are computed in it.
  Norm NewNorm(int64_t size) const {
    // The values matter only where the file has none.
    Norm norm{at::ones({size}, norms_), {}};
    if (spec_.norm == NormKind::kLayer) norm.bias = at::zeros({size}, norms_);
    return norm;
  }
  Linear NewLinear(int64_t rows, int64_t columns, const bool& biased) const {
    Linear linear{at::empty({rows, columns}, values_), {}};
    if (biased) linear.bias = at::empty({rows}, values_);
    return linear;
  }
  LayerWeights NewLayer() const {
    LayerWeights layer;
    const int64_t hidden = spec_.hidden, mlp = spec_.mlp_hidden;
    const int64_t query = spec_.heads * spec_.head_dim, key = spec_.kv_heads * spec_.head_dim;
    if (spec_.norm_place != NormPlace::kBranch) {
      layer.attention_norm = NewNorm(hidden);
      layer.mlp_norm = NewNorm(hidden);
    }
    if (spec_.norm_place == NormPlace::kBranch || spec_.norm_place == NormPlace::kSandwich) {
      layer.post_attention_norm = NewNorm(hidden);
      layer.post_mlp_norm = NewNorm(hidden);
    }
    if (spec_.query_key_norm != QueryKeyNorm::kNone) {
      const bool each_head = spec_.query_key_norm == QueryKeyNorm::kHead;
      layer.query_norm = NewNorm(each_head ? spec_.head_dim : query);
      layer.key_norm = NewNorm(each_head ? spec_.head_dim : key);
    }
    layer.query_key_value = NewLinear(query + 2 * key, hidden, spec_.qkv_bias);
    layer.attention_out = NewLinear(hidden, query, spec_.attention_out_bias);
    layer.up = NewLinear(spec_.gated_mlp ? 2 * mlp : mlp, hidden, spec_.mlp_bias);
    layer.down = NewLinear(hidden, mlp, spec_.mlp_bias);
    return layer;
  }

  const TransformerSpec& spec_;
  const at::TensorOptions values_, norms_;
};

// The first failure of several threads.
class Failures {
 public:
  void Note(const absl::Status& status) {
    if (status.ok()) return;
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  absl::Status status() const { return status_; }

 private:
  std::mutex mutex_;
  absl::Status status_;
};

// Vectors are small: they are read whole.
absl::Status FillVector(const WeightFile& file, const Placement& placement) {
  at::Tensor stored = at::empty(placement.shape, at::kFloat);
  const int64_t size = stored.numel();
  float* values = stored.data_ptr<float>();
  TF_RETURN_IF_ERROR(file.ReadF32(placement.name, 0, std::span<float>(values, size)));
  at::Tensor ours = at::empty(placement.shape, at::kFloat);
  for (int64_t r = 0; r < size; ++r) {
    ours.data_ptr<float>()[placement.order.OurRow(r)] = values[r] + static_cast<float>(placement.offset);
  }
  at::Tensor target = placement.target;
  target.copy_(ours);
  return absl::OkStatus();
}

// Reads stored rows [first, first + count) to `out`, a row of ours, in our type.
absl::Status ReadRows(const WeightFile& file, const Placement& placement, int64_t first, int64_t count, void* out) {
  const int64_t columns = placement.shape.back();
  const auto size = static_cast<size_t>(count * columns);
  if (placement.target.scalar_type() == at::kFloat) {
    return file.ReadF32(placement.name, first * columns, std::span<float>(static_cast<float*>(out), size));
  }
  return file.ReadBF16(placement.name, first * columns, std::span<uint16_t>(static_cast<uint16_t*>(out), size));
}

absl::Status FillMatrix(const WeightFile& file, const Placement& placement) {
  const int64_t rows = placement.shape[0], columns = placement.shape[1];
  const int64_t grain = std::max<int64_t>(1, kChunk / columns);
  Failures failures;
  at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    const at::Tensor& target = placement.target;
    auto* base = static_cast<char*>(target.data_ptr());
    const int64_t row_bytes = columns * static_cast<int64_t>(target.element_size());
    if (placement.transposed) {
      for (int64_t r = begin; r < end; r += grain) {
        const int64_t count = std::min(grain, end - r);
        const at::Tensor block = at::empty({count, columns}, target.options());
        failures.Note(ReadRows(file, placement, r, count, block.data_ptr()));
        for (int64_t i = 0; i < count; ++i) target.select(1, r + i).copy_(block[i]);
      }
    } else if (placement.order.kind == RowOrder::Kind::kAsStored) {
      for (int64_t r = begin; r < end; r += grain) {
        failures.Note(ReadRows(file, placement, r, std::min(grain, end - r), base + r * row_bytes));
      }
    } else {
      for (int64_t r = begin; r < end; ++r) {
        failures.Note(ReadRows(file, placement, r, 1, base + placement.order.OurRow(r) * row_bytes));
      }
    }
  });
  return failures.status();
}

// The file's names, of which a prefix may be missing.
PlacementNames NamesInFile(const WeightSource& source) {
  PlacementNames names;
  names.file_name = [&source](const std::string& name) {
    const std::string_view prefix = source.family.layout.optional_prefix;
    if (prefix.empty() || !name.starts_with(prefix) || source.file.Find(name + ".weight") != nullptr) return name;
    const std::string bare = name.substr(prefix.size());
    return source.file.Find(bare + ".weight") != nullptr ? bare : name;
  };
  names.has = [&source, file_name = names.file_name](const std::string& name) {
    return source.file.Find(file_name(name) + ".weight") != nullptr;
  };
  return names;
}

absl::Status CheckStored(const WeightSource& source, const Placement& placement) {
  const TensorInfo* info = source.file.Find(placement.name);
  if (info == nullptr) return InvalidArgument("{}: tensor '{}' is missing", source.where, placement.name);
  if (info->shape != placement.shape) {
    return InvalidArgument("{}: tensor '{}' has shape [{}], not [{}]", source.where, placement.name,
                           fmt::join(info->shape, ", "), fmt::join(placement.shape, ", "));
  }
  return absl::OkStatus();
}

// Our values in the file's order, contiguous, on the CPU.
at::Tensor InStoredOrder(const Placement& placement) {
  at::Tensor ours = placement.target.cpu();
  if (placement.offset != 0.0) ours = ours - placement.offset;
  if (placement.transposed) return ours.t().contiguous();
  if (placement.order.kind == RowOrder::Kind::kAsStored) return ours.contiguous();
  at::Tensor stored = at::empty_like(ours);
  for (int64_t r = 0; r < ours.size(0); ++r) stored[r].copy_(ours[placement.order.OurRow(r)]);
  return stored;
}

}  // namespace

void ForEachTensor(TransformerWeights* weights, const std::function<void(at::Tensor*)>& visit) {
  std::vector<at::Tensor*> tensors = {&weights->embedding, &weights->position_embedding};
  const auto add_norm = [&](Norm* norm) { tensors.insert(tensors.end(), {&norm->weight, &norm->bias}); };
  const auto add_linear = [&](Linear* linear) { tensors.insert(tensors.end(), {&linear->weight, &linear->bias}); };
  add_norm(&weights->embedding_norm);
  add_norm(&weights->final_norm);
  for (Linear* linear : {&weights->embedding_in, &weights->embedding_out, &weights->output}) add_linear(linear);
  for (LayerWeights& layer : weights->layers) {
    for (Norm* norm : {&layer.attention_norm, &layer.post_attention_norm, &layer.mlp_norm, &layer.post_mlp_norm,
                       &layer.query_norm, &layer.key_norm}) {
      add_norm(norm);
    }
    for (Linear* linear : {&layer.query_key_value, &layer.attention_out, &layer.up, &layer.down}) add_linear(linear);
  }
  for (at::Tensor* tensor : tensors) {
    if (tensor->defined()) visit(tensor);
  }
}

void ForEachNormTensor(const TransformerWeights& weights, const std::function<void(const at::Tensor&)>& visit) {
  std::vector<const Norm*> norms = {&weights.embedding_norm, &weights.final_norm};
  for (const LayerWeights& layer : weights.layers) {
    norms.insert(norms.end(), {&layer.attention_norm, &layer.post_attention_norm, &layer.mlp_norm, &layer.post_mlp_norm,
                               &layer.query_norm, &layer.key_norm});
  }
  for (const Norm* norm : norms) {
    if (norm->weight.defined()) visit(norm->weight);
    if (norm->bias.defined()) visit(norm->bias);
  }
}

absl::StatusOr<int64_t> EmbeddingRows(const WeightSource& source) {
  const std::string name = StoredName(source.family.names, Role::kEmbedding, 0, NamesInFile(source)) + ".weight";
  const TensorInfo* info = source.file.Find(name);
  if (info == nullptr || info->shape.size() != 2) {
    return InvalidArgument("{}: tensor '{}' is missing or not a matrix", source.where, name);
  }
  return info->shape[0];
}

absl::StatusOr<TransformerWeights> LoadWeights(const WeightSource& source, const TransformerSpec& spec) {
  const PlacementNames names = NamesInFile(source);
  // First with tensors that have shapes and no memory: nothing is allocated by what a configuration says until the file
  // has been seen to hold it.
  uint64_t done = 0, total = 0;
  const TransformerWeights planned = Allocator(spec, source.type, at::kMeta).Allocate();
  for (const Placement& placement : PlaceTensors(source.family, spec, planned, names)) {
    TF_RETURN_IF_ERROR(CheckStored(source, placement));
    total += source.file.Find(placement.name)->bytes;
  }
  TransformerWeights weights = Allocator(spec, source.type, at::kCPU).Allocate();
  const std::vector<Placement> placements = PlaceTensors(source.family, spec, weights, names);
  for (const Placement& placement : placements) {
    TF_RETURN_IF_ERROR(placement.shape.size() == 1 ? FillVector(source.file, placement)
                                                   : FillMatrix(source.file, placement));
    source.file.DoneWith(placement.name);
    done += source.file.Find(placement.name)->bytes;
    if (source.progress) source.progress(done, total);
  }
  return weights;
}

void ShareTensors(const Family& family, const TransformerSpec& spec, TransformerWeights* weights) {
  if (spec.tied_output) weights->output.weight = weights->embedding;
  std::map<std::string, at::Tensor> first;              // by stored name
  std::map<const c10::TensorImpl*, at::Tensor> shared;  // what replaces a tensor
  for (const Placement& placement : PlaceTensors({&family, family.names, family.layout}, spec, *weights, AllNames())) {
    const auto [found, is_new] = first.try_emplace(placement.name, placement.target);
    if (!is_new) shared[placement.target.unsafeGetTensorImpl()] = found->second;
  }
  ForEachTensor(weights, [&](at::Tensor* tensor) {
    const auto found = shared.find(tensor->unsafeGetTensorImpl());
    if (found != shared.end()) *tensor = found->second;
  });
}

std::vector<TensorToWrite> StoredTensors(const Family& family, const TransformerSpec& spec,
                                         const TransformerWeights& weights) {
  const FamilyFile file{&family, family.names, family.layout};
  std::vector<TensorToWrite> tensors;
  std::set<std::string> written;  // a stored tensor may serve two of our roles
  for (const Placement& placement : PlaceTensors(file, spec, weights, AllNames())) {
    if (!written.insert(placement.name).second) continue;
    TensorToWrite tensor;
    tensor.name = placement.name;
    tensor.shape = placement.shape;
    tensor.type = placement.target.scalar_type() == at::kFloat ? WrittenType::kFloat32 : WrittenType::kBFloat16;
    tensor.fill = [placement](std::span<std::byte> out) -> absl::Status {
      const at::Tensor stored = InStoredOrder(placement);
      if (stored.nbytes() != out.size()) return Internal("tensor '{}' has another size than planned", placement.name);
      std::memcpy(out.data(), stored.const_data_ptr(), out.size());
      return absl::OkStatus();
    };
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace toolformer
