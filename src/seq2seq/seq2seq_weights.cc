#include "src/seq2seq/seq2seq_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "src/base/status.h"
#include "src/model/cpu/packed_activation.h"
#include "src/model/cpu/parallel.h"
#include "src/model/kernels.h"

namespace toolformer {
namespace {

constexpr int64_t kChunk = 1 << 18;  // values read at a time by one thread

std::string OfLayer(std::string name, int64_t layer) {
  const size_t at = name.find("{}");
  return at == std::string::npos ? name : name.replace(at, 2, std::to_string(layer));
}

// Reads tensors and says how far it is.
class ParameterReader {
 public:
  explicit ParameterReader(const Seq2SeqSource& source) : source_(source) {
    for (const TensorInfo& tensor : source.file.tensors()) total_ += tensor.bytes;
  }

  int64_t parameters() const { return parameters_; }

  // f32 on the CPU.
  absl::StatusOr<at::Tensor> Read(const std::vector<std::string>& names, const std::vector<int64_t>& shape) {
    const TensorInfo* info = nullptr;
    for (const std::string& name : names) {
      if (info == nullptr) info = source_.file.Find(name);
    }
    if (info == nullptr) return InvalidArgument("{}: tensor '{}' is missing", source_.where, names.front());
    if (info->shape != shape) {
      return InvalidArgument("{}: tensor '{}' has shape [{}], not [{}]", source_.where, info->name,
                             fmt::join(info->shape, ", "), fmt::join(shape, ", "));
    }
    at::Tensor values = at::empty(shape, at::kFloat);
    TF_RETURN_IF_ERROR(Fill(*info, values.data_ptr<float>()));
    return values;
  }

  // Several maps of one input, their rows one after the other.
  absl::StatusOr<Linear> ReadLinear(const std::vector<std::string>& names, const std::vector<int64_t>& rows,
                                    const Seq2SeqSpec& spec, int64_t columns) {
    int64_t all_rows = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      TF_RETURN_IF_ERROR(CheckShape(names[i] + ".weight", {rows[i], columns}));
      if (spec.biases) TF_RETURN_IF_ERROR(CheckShape(names[i] + ".bias", {rows[i]}));
      all_rows += rows[i];
    }
    Linear linear{at::empty({all_rows, columns}, at::kFloat), {}};
    if (spec.biases) linear.bias = at::empty({all_rows}, at::kFloat);
    int64_t row = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      TF_RETURN_IF_ERROR(
          Fill(*source_.file.Find(names[i] + ".weight"), linear.weight.data_ptr<float>() + row * columns));
      if (spec.biases)
        TF_RETURN_IF_ERROR(Fill(*source_.file.Find(names[i] + ".bias"), linear.bias.data_ptr<float>() + row));
      row += rows[i];
    }
    return linear;
  }

  absl::StatusOr<Norm> ReadNorm(const std::string& name, const Seq2SeqSpec& spec, const at::Device& device) {
    Norm norm;
    TF_ASSIGN_OR_RETURN(norm.weight, Read({name + ".weight"}, {spec.hidden}));
    norm.weight = norm.weight.to(device);
    if (spec.norm == NormKind::kLayer) {
      TF_ASSIGN_OR_RETURN(norm.bias, Read({name + ".bias"}, {spec.hidden}));
      norm.bias = norm.bias.to(device);
    }
    return norm;
  }

 private:
  absl::Status CheckShape(const std::string& name, const std::vector<int64_t>& shape) const {
    const TensorInfo* info = source_.file.Find(name);
    if (info == nullptr) return InvalidArgument("{}: tensor '{}' is missing", source_.where, name);
    if (info->shape == shape) return absl::OkStatus();
    return InvalidArgument("{}: tensor '{}' has shape [{}], not [{}]", source_.where, name,
                           fmt::join(info->shape, ", "), fmt::join(shape, ", "));
  }

  absl::Status Fill(const TensorInfo& info, float* out) {
    const int64_t row = info.shape.empty() ? 1 : std::max<int64_t>(1, info.shape.back());
    const int64_t grain = std::max<int64_t>(1, kChunk / row);
    std::mutex mutex;
    absl::Status failure;
    ForRanges(info.elements / row, grain, [&](int64_t begin, int64_t end) {
      const std::span<float> values(out + begin * row, static_cast<size_t>((end - begin) * row));
      const absl::Status status = source_.file.ReadF32(info.name, begin * row, values);
      if (status.ok()) return;
      const std::lock_guard lock(mutex);
      failure = status;
    });
    TF_RETURN_IF_ERROR(failure);
    source_.file.DoneWith(info.name);
    parameters_ += info.elements;
    done_ += info.bytes;
    if (source_.progress) source_.progress(std::min(done_, total_), total_);
    return absl::OkStatus();
  }

  const Seq2SeqSource& source_;
  uint64_t done_ = 0, total_ = 0;
  int64_t parameters_ = 0;
};

class Loader {
 public:
  Loader(const Seq2SeqSource& source, const Seq2SeqSpec& spec, const MatrixSettings& settings)
      : reader_(source), spec_(spec), settings_(settings), names_(NamesOf(spec)) {}

  absl::StatusOr<Seq2SeqWeights> Load() {
    Seq2SeqWeights weights;
    TF_RETURN_IF_ERROR(LoadEmbeddings(&weights));
    TF_RETURN_IF_ERROR(LoadStack(names_.encoder, spec_.encoder, &weights.encoder));
    decodes_ = true;
    TF_RETURN_IF_ERROR(LoadStack(names_.decoder, spec_.decoder, &weights.decoder));
    weights.parameters = reader_.parameters();
    return weights;
  }

 private:
  // The output weights serve as embedding, too, where they are the same and packing loses nothing.
  absl::Status LoadEmbeddings(Seq2SeqWeights* weights) {
    const bool packed_rows = settings_.kernels == nullptr || settings_.packed_type == PackedType::kFloat32;
    TF_ASSIGN_OR_RETURN(at::Tensor decoder, reader_.Read(names_.decoder.embedding, {spec_.vocab_size, spec_.hidden}));
    Linear output;
    if (spec_.output_bias) {
      TF_ASSIGN_OR_RETURN(output.bias, reader_.Read({names_.output_bias}, {1, spec_.vocab_size}));
      output.bias = output.bias.view({spec_.vocab_size});
    }
    const bool shares = spec_.tied_output && packed_rows;
    if (!shares) weights->decoder.embedding = ToStored(decoder);
    if (spec_.separate_vocabularies) {
      TF_ASSIGN_OR_RETURN(const at::Tensor encoder,
                          reader_.Read(names_.encoder.embedding, {spec_.source_vocab_size, spec_.hidden}));
      weights->encoder.embedding = ToStored(encoder);
    } else {
      weights->encoder.embedding = weights->decoder.embedding;
    }
    if (spec_.tied_output) {
      output.weight = std::move(decoder);
    } else {
      decoder.reset();
      TF_ASSIGN_OR_RETURN(output.weight, reader_.Read(names_.output, {spec_.vocab_size, spec_.hidden}));
    }
    weights->output = Matrix(output, {}, settings_);
    return absl::OkStatus();
  }

  // Beside int8 matrices half of the bits are enough.
  at::Tensor ToStored(const at::Tensor& embedding) const {
    const bool int8 = settings_.kernels != nullptr && settings_.packed_type == PackedType::kInt8;
    return embedding.to(settings_.device, int8 ? at::kBFloat16 : settings_.type);
  }

  absl::Status LoadStack(const Seq2SeqNames::Stack& names, const StackSpec& sizes, Seq2SeqStack* stack) {
    if (spec_.position == Seq2SeqPosition::kRelativeBias) {
      TF_ASSIGN_OR_RETURN(const at::Tensor bias, reader_.Read({names.relative_bias}, {spec_.buckets, sizes.heads}));
      stack->relative_bias = bias.t().contiguous().to(settings_.device);
    }
    for (int64_t i = 0; i < sizes.layers; ++i) {
      TF_ASSIGN_OR_RETURN(Seq2SeqLayer layer, LoadLayer(names, sizes, i));
      stack->layers.push_back(std::move(layer));
    }
    if (spec_.final_norms) {
      TF_ASSIGN_OR_RETURN(stack->final_norm, reader_.ReadNorm(names.final_norm, spec_, settings_.device));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Matrix> Load(const std::vector<std::string>& names, const std::vector<int64_t>& rows, int64_t columns,
                              const Matrix::Shape& shape = {}) {
    TF_ASSIGN_OR_RETURN(const Linear linear, reader_.ReadLinear(names, rows, spec_, columns));
    return Matrix(linear, shape, settings_);
  }

  absl::StatusOr<Seq2SeqLayer> LoadLayer(const Seq2SeqNames::Stack& names, const StackSpec& sizes, int64_t index) {
    const std::string self = OfLayer(names.self, index), cross = OfLayer(names.cross, index);
    const int64_t width = sizes.heads * sizes.head_dim, hidden = spec_.hidden, mlp = sizes.mlp_hidden;
    const auto norm = [&](const std::string& name) {
      return reader_.ReadNorm(OfLayer(name, index), spec_, settings_.device);
    };
    Seq2SeqLayer layer;
    TF_ASSIGN_OR_RETURN(layer.self_norm, norm(names.self_norm));
    TF_ASSIGN_OR_RETURN(layer.query_key_value, Load({self + names.query, self + names.key, self + names.value},
                                                    {width, width, width}, hidden));
    TF_ASSIGN_OR_RETURN(layer.self_out, Load({self + names.out}, {hidden}, width));
    if (decodes_) {
      TF_ASSIGN_OR_RETURN(layer.cross_norm, norm(names.cross_norm));
      TF_ASSIGN_OR_RETURN(layer.cross_query, Load({cross + names.query}, {width}, hidden));
      TF_ASSIGN_OR_RETURN(layer.cross_key_value,
                          Load({cross + names.key, cross + names.value}, {width, width}, hidden));
      TF_ASSIGN_OR_RETURN(layer.cross_out, Load({cross + names.out}, {hidden}, width));
    }
    TF_ASSIGN_OR_RETURN(layer.mlp_norm, norm(names.mlp_norm));
    std::vector<std::string> up = {OfLayer(names.up, index)};
    std::vector<int64_t> rows = {mlp};
    Matrix::Shape shape{Matrix::Kind::kActivated, spec_.activation};
    if (spec_.gated_mlp) {
      up.insert(up.begin(), OfLayer(names.gate, index));
      rows.push_back(mlp);
      shape.kind = Matrix::Kind::kGated;
    }
    TF_ASSIGN_OR_RETURN(layer.up, Load(up, rows, hidden, shape));
    TF_ASSIGN_OR_RETURN(layer.down, Load({OfLayer(names.down, index)}, {hidden}, mlp));
    return layer;
  }

  ParameterReader reader_;
  const Seq2SeqSpec& spec_;
  const MatrixSettings& settings_;
  const Seq2SeqNames names_;
  bool decodes_ = false;
};

}  // namespace

Matrix::Matrix(const Linear& linear, const Shape& shape, const MatrixSettings& settings)
    : shape_(shape), inputs_(linear.weight.size(1)), outputs_(linear.weight.size(0)) {
  if (settings.kernels != nullptr) {
    packed_ = PackedLinear(linear, {settings.kernels, settings.packed_type, shape.kind == Kind::kGated});
    return;
  }
  linear_.weight = linear.weight.to(settings.device, settings.type);
  if (linear.bias.defined()) linear_.bias = linear.bias.to(settings.device, settings.type);
}

at::Tensor Matrix::Apply(const at::Tensor& x) const {
  if (!packed_.defined()) {
    const at::Tensor y =
        at::linear(x, linear_.weight, linear_.bias.defined() ? std::optional(linear_.bias) : std::nullopt);
    return shape_.kind == Kind::kLinear ? y : Activate(y, shape_.activation, shape_.kind == Kind::kGated);
  }
  const at::Tensor in = x.contiguous();
  const int64_t columns = shape_.kind == Kind::kGated ? outputs_ / 2 : outputs_;
  at::Tensor y = at::empty({in.size(0), columns}, at::kFloat);
  LinearOutput out{y.data_ptr<float>(), columns};
  if (shape_.kind != Kind::kLinear) out.activation = PackedActivation(shape_.activation);
  packed_.Apply({in.const_data_ptr<float>(), in.size(0), inputs_, nullptr}, out);
  return y;
}

at::Tensor Matrix::Rows(const at::Tensor& ids) const {
  if (!packed_.defined()) return linear_.weight.index_select(0, ids.to(linear_.weight.device()));
  at::Tensor rows = at::empty({ids.size(0), inputs_}, at::kFloat);
  for (int64_t i = 0; i < ids.size(0); ++i) {
    packed_.CopyRow(ids.const_data_ptr<int64_t>()[i], rows.data_ptr<float>() + i * inputs_);
  }
  return rows;
}

absl::StatusOr<Seq2SeqWeights> LoadSeq2SeqWeights(const Seq2SeqSource& source, const Seq2SeqSpec& spec,
                                                  const MatrixSettings& settings) {
  return Loader(source, spec, settings).Load();
}

}  // namespace toolformer
