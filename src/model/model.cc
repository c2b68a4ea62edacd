#include "toolformer/model.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/files/gguf.h"
#include "src/model/device.h"
#include "src/model/libtorch_guard.h"
#include "src/model/transformer.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxConfigBytes = 16 << 20;

std::string Architectures(std::span<const FamilyFile> families) {
  std::string names;
  for (const FamilyFile& family : families) names += (names.empty() ? "" : ", ") + std::string(family.architecture);
  return names;
}

absl::StatusOr<FamilyFile> FindFamily(std::span<const FamilyFile> families, const std::string& architecture,
                                      const std::string& where) {
  for (const FamilyFile& family : families) {
    if (family.architecture == architecture) return family;
  }
  return Unimplemented("{}: architecture '{}' is not supported; supported: {}", where, architecture,
                       Architectures(families));
}

// An open checkpoint: what is needed to make a spec of it and to read its weights.
struct Checkpoint {
  std::unique_ptr<WeightFile> weights;
  std::unique_ptr<ConfigReader> config;
  FamilyFile family;
};

absl::StatusOr<Checkpoint> OpenFile(const std::string& path) {
  // A wrong file is named for what it is, before anything is said of GGUF.
  TF_ASSIGN_OR_RETURN(std::unique_ptr<WeightFile> weights, WeightFile::Open(path));
  const auto* file = dynamic_cast<const GgufFile*>(weights.get());
  if (file == nullptr) {
    return InvalidArgument(
        "{}: a {} file alone is not a model; give the folder that holds it, config.json and tokenizer.json", path,
        weights->format());
  }
  TF_ASSIGN_OR_RETURN(const std::optional<std::string_view> architecture, file->String("general.architecture"));
  if (!architecture) return InvalidArgument("{}: field 'general.architecture' is missing", path);
  Checkpoint checkpoint;
  TF_ASSIGN_OR_RETURN(checkpoint.family, FindFamily(GgufFamilies(), std::string(*architecture), path));
  checkpoint.config = GgufConfigReader(*file, std::string(*architecture));
  checkpoint.weights = std::move(weights);
  return checkpoint;
}

absl::StatusOr<Checkpoint> OpenFolder(const std::string& path) {
  const std::string config_path = path + "/config.json";
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path, kMaxConfigBytes));
  absl::StatusOr<nlohmann::json> config = ParseJson(text);
  if (!config.ok()) return Annotate(config.status(), config_path);
  const auto architectures = config->is_object() ? config->find("architectures") : config->end();
  if (!config->is_object() || architectures == config->end() || !architectures->is_array() || architectures->empty() ||
      !architectures->front().is_string()) {
    return InvalidArgument("{}: field 'architectures' is missing or not a list of names", config_path);
  }
  Checkpoint checkpoint;
  TF_ASSIGN_OR_RETURN(checkpoint.family,
                      FindFamily(HuggingFaceFamilies(), architectures->front().get<std::string>(), config_path));
  TF_ASSIGN_OR_RETURN(checkpoint.weights, WeightFile::Open(path));
  checkpoint.config = JsonConfigReader(*std::move(config), config_path, *checkpoint.weights);
  return checkpoint;
}

absl::StatusOr<Checkpoint> OpenCheckpoint(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return OpenFolder(path);
  return OpenFile(path);
}

// Rows sampled from the start of each tensor: enough to tell fine-tunes of one model apart, cheap on large ones.
absl::StatusOr<std::string> Fingerprint(const WeightFile& weights) {
  uint64_t hash = HashBytes(weights.format());
  for (const TensorInfo& tensor : weights.tensors()) {
    hash = CombineSeeds({hash, HashBytes(tensor.name), HashBytes(tensor.type)});
    for (const int64_t size : tensor.shape) hash = CombineSeeds({hash, static_cast<uint64_t>(size)});
    std::vector<float> sample(tensor.shape.empty() ? 1 : std::min<int64_t>(tensor.shape.back(), 1 << 16));
    if (static_cast<int64_t>(sample.size()) > tensor.elements) continue;
    if (!weights.ReadF32(tensor.name, 0, sample).ok()) continue;  // of a type that the model does not use
    hash =
        CombineSeeds({hash, HashBytes({reinterpret_cast<const char*>(sample.data()), sample.size() * sizeof(float)})});
  }
  return fmt::format("{:016x}", hash);
}

class LoadedModel : public Model {
 public:
  LoadedModel(ModelInfo info, std::shared_ptr<const Tokenizer> tokenizer, Transformer transformer)
      : info_(std::move(info)), tokenizer_(std::move(tokenizer)), transformer_(std::move(transformer)) {}

  const ModelInfo& info() const override { return info_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  int64_t vocab_size() const override { return transformer_.spec().vocab_size; }
  int64_t context_length() const override { return transformer_.spec().context_length; }
  std::unique_ptr<KvCache> NewCache() const override {
    return std::make_unique<SegmentedCache>(transformer_.cache_layout());
  }

  absl::StatusOr<at::Tensor> Forward(std::span<const ForwardRow> rows) const override {
    TF_RETURN_IF_ERROR(CheckRows(rows));
    return GuardLibtorch([&]() -> absl::StatusOr<at::Tensor> {
      const c10::InferenceMode inference;
      return transformer_.Forward(rows);
    });
  }

 private:
  absl::Status CheckRows(std::span<const ForwardRow> rows) const;

  const ModelInfo info_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  const Transformer transformer_;
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
      if (cache == nullptr || cache->model() != &transformer_) {
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

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> Model::Load(const std::string& path, const ModelOptions& options) {
  TF_ASSIGN_OR_RETURN(const c10::Device device, OpenDevice(options.device));
  TF_ASSIGN_OR_RETURN(const Checkpoint checkpoint, OpenCheckpoint(path));
  const std::string& where = checkpoint.config->where();
  const at::ScalarType type = options.type == WeightType::kBFloat16 ? at::kBFloat16 : at::kFloat;
  const WeightSource source{*checkpoint.weights, checkpoint.family, where, type};

  TF_ASSIGN_OR_RETURN(TransformerSpec spec, checkpoint.family.spec(*checkpoint.config));
  if (spec.vocab_size == 0) {
    TF_ASSIGN_OR_RETURN(spec.vocab_size, EmbeddingRows(source));
  }
  TF_RETURN_IF_ERROR(CheckSpec(spec, where));
  if (spec.layer.empty()) spec.layer.resize(spec.layers);
  if (static_cast<int64_t>(spec.layer.size()) != spec.layers) {
    return InvalidArgument("{}: {} layer types for {} layers", where, spec.layer.size(), spec.layers);
  }
  if (options.context_length < 0) return InvalidArgument("context length {} is negative", options.context_length);

  TF_ASSIGN_OR_RETURN(std::shared_ptr<const Tokenizer> tokenizer, LoadTokenizer(path));
  if (tokenizer->vocab_size() > spec.vocab_size) {
    return InvalidArgument("{}: the tokenizer has {} tokens, the model {}", where, tokenizer->vocab_size(),
                           spec.vocab_size);
  }
  ModelInfo info;
  info.path = path;
  info.family = spec.family;
  info.layers = spec.layers;
  info.hidden = spec.hidden;
  TF_ASSIGN_OR_RETURN(info.fingerprint, Fingerprint(*checkpoint.weights));
  for (const TensorInfo& tensor : checkpoint.weights->tensors()) info.parameters += tensor.elements;

  return GuardLibtorch([&]() -> absl::StatusOr<std::unique_ptr<Model>> {
    const c10::InferenceMode inference;
    TF_ASSIGN_OR_RETURN(TransformerWeights weights, LoadWeights(source, spec));
    // After loading: a position table has the file's length.
    if (options.context_length > 0) spec.context_length = std::min(spec.context_length, options.context_length);
    return std::make_unique<LoadedModel>(std::move(info), std::move(tokenizer),
                                         Transformer(std::move(spec), std::move(weights), device));
  });
}

}  // namespace toolformer
