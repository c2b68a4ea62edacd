#include "toolformer/model.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "src/base/status.h"
#include "src/model/cpu/cpu_runner.h"
#include "src/model/device.h"
#include "src/model/libtorch_guard.h"
#include "src/model/model_files.h"
#include "src/model/static_decode.h"
#include "src/model/transformer.h"

namespace toolformer {
namespace {

class LoadedModel : public Model {
 public:
  LoadedModel(ModelDescription description, Transformer transformer, int64_t context_length)
      : description_(std::move(description)), transformer_(std::move(transformer)), context_length_(context_length) {}

  const ModelInfo& info() const override { return description_.info; }
  const Tokenizer& tokenizer() const override { return *description_.tokenizer; }
  int64_t vocab_size() const override { return transformer_.spec().vocab_size; }
  int64_t context_length() const override { return context_length_; }
  bool approximate() const override { return info().type == WeightType::kInt8; }
  std::unique_ptr<KvCache> NewCache() const override {
    return std::make_unique<SegmentedCache>(transformer_.cache_layout());
  }

  absl::StatusOr<at::Tensor> Forward(std::span<const ForwardRow> rows) const override { return Run(rows, {}); }
  absl::StatusOr<at::Tensor> ForwardOver(std::span<const ForwardRow> rows,
                                         std::span<const int32_t> vocabulary) const override {
    TF_RETURN_IF_ERROR(CheckVocabulary(vocabulary));
    return Run(rows, vocabulary);
  }

  absl::Status Save(const std::string& folder) const override;

 private:
  absl::Status CheckRows(std::span<const ForwardRow> rows) const;
  absl::StatusOr<at::Tensor> Run(std::span<const ForwardRow> rows, std::span<const int32_t> vocabulary) const;

  const ModelDescription description_;
  const Transformer transformer_;
  const int64_t context_length_;  // at most the transformer's
};

absl::Status LoadedModel::CheckRows(std::span<const ForwardRow> rows) const {
  if (rows.empty()) return InvalidArgument("a batch needs at least one row");
  std::set<const KvCache*> caches;
  for (const ForwardRow& row : rows) {
    if (row.ids.empty()) return InvalidArgument("a row of the batch has no tokens");
    const auto tokens = static_cast<int64_t>(row.ids.size());
    for (const int32_t id : row.ids) {
      if (id < 0 || id >= vocab_size()) {
        return InvalidArgument("token id {} is not within 0 to {}", id, vocab_size() - 1);
      }
    }
    int64_t previous = -1;
    for (const int64_t index : row.wanted) {
      if (index <= previous || index >= tokens) {
        return InvalidArgument("wanted index {} is not ascending within 0 to {}", index, tokens - 1);
      }
      previous = index;
    }
    int64_t past = 0;
    if (row.cache != nullptr) {
      const auto* cache = dynamic_cast<const SegmentedCache*>(row.cache);
      if (cache == nullptr || cache->model() != transformer_.cache_layout().model) {
        return InvalidArgument("a cache of the batch belongs to another model");
      }
      if (!caches.insert(cache).second) return InvalidArgument("two rows of the batch name the same cache");
      past = cache->length();
    }
    if (past + tokens > context_length()) {
      return OutOfRange("a sequence of {} tokens exceeds the context of {}", past + tokens, context_length());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> LoadedModel::Run(std::span<const ForwardRow> rows,
                                            std::span<const int32_t> vocabulary) const {
  TF_RETURN_IF_ERROR(CheckRows(rows));
  return GuardLibtorch([&]() -> absl::StatusOr<at::Tensor> {
    const c10::InferenceMode inference;
    return transformer_.Forward(rows, vocabulary);
  });
}

absl::Status LoadedModel::Save(const std::string& folder) const {
  if (approximate()) return Unimplemented("int8 weights are not saved; load the model in float32 to save it");
  return WriteModel(description_, transformer_.Weights(), folder);
}

WeightType TypeOn(const c10::Device& device, const ModelOptions& options) {
  return options.type.value_or(device.is_cpu() ? WeightType::kFloat32 : WeightType::kBFloat16);
}

absl::Status CheckOptions(const ModelOptions& options, const c10::Device& device) {
  if (options.context_length < 0) return InvalidArgument("context length {} is negative", options.context_length);
  if (options.type == WeightType::kInt8 && !device.is_cpu()) {
    return Unimplemented("int8 weights are for the CPU; device '{}' takes float32 and bfloat16", options.device);
  }
  if (options.type == WeightType::kInt8 && options.kernels == Kernels::kLibtorch) {
    return Unimplemented("int8 weights need the library's own kernels; libtorch's take float32 and bfloat16");
  }
  return absl::OkStatus();
}

std::unique_ptr<Runner> MakeRunner(const TransformerSpec& spec, TransformerWeights weights, const at::Device& device,
                                   const ModelOptions& options) {
  if (!device.is_cpu() || TypeOn(device, options) == WeightType::kBFloat16 || options.kernels == Kernels::kLibtorch) {
    const std::optional<StaticDecodeSettings> static_decode = StaticDecodeOn(device, spec, &weights);
    return MakeTensorRunner(spec, std::move(weights), device, static_decode);
  }
  CpuRunnerSettings settings;
  if (options.type == WeightType::kInt8) settings.type = PackedType::kInt8;
  return MakeCpuRunner(spec, std::move(weights), settings);
}

}  // namespace

absl::Status LanguageModel::CheckVocabulary(std::span<const int32_t> vocabulary) const {
  if (vocabulary.empty()) return InvalidArgument("the vocabulary whose logits are wanted is empty");
  int64_t previous = -1;
  for (const int32_t id : vocabulary) {
    if (id <= previous || id >= vocab_size()) {
      return InvalidArgument("token id {} of the vocabulary is not ascending within 0 to {}", id, vocab_size() - 1);
    }
    previous = id;
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> LanguageModel::ForwardOver(std::span<const ForwardRow> rows,
                                                      std::span<const int32_t> vocabulary) const {
  TF_RETURN_IF_ERROR(CheckVocabulary(vocabulary));
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, Forward(rows));
  return GuardLibtorch([&]() -> absl::StatusOr<at::Tensor> {
    return logits.index_select(1,
                               at::tensor(at::IntArrayRef(std::vector<int64_t>(vocabulary.begin(), vocabulary.end()))));
  });
}

absl::StatusOr<std::unique_ptr<Model>> Model::Load(const std::string& path, const ModelOptions& options) {
  TF_ASSIGN_OR_RETURN(const c10::Device device, OpenDevice(options.device));
  TF_RETURN_IF_ERROR(CheckOptions(options, device));
  const WeightType type = TypeOn(device, options);
  return GuardLibtorch([&]() -> absl::StatusOr<std::unique_ptr<Model>> {
    const c10::InferenceMode inference;
    const at::ScalarType stored = type == WeightType::kBFloat16 ? at::kBFloat16 : at::kFloat;
    TF_ASSIGN_OR_RETURN(ModelRead read, ReadModel(path, {stored, options.adapter, options.progress}));
    read.description.info.type = type;
    const TransformerSpec& spec = read.description.spec;
    std::unique_ptr<Runner> runner = MakeRunner(spec, std::move(read.weights), device, options);
    Transformer transformer(spec, std::move(runner));
    const int64_t context =
        options.context_length > 0 ? std::min(spec.context_length, options.context_length) : spec.context_length;
    return std::make_unique<LoadedModel>(std::move(read.description), std::move(transformer), context);
  });
}

}  // namespace toolformer
