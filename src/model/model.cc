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
#include "src/model/cpu/cpu_runner.h"
#include "src/model/device.h"
#include "src/model/libtorch_guard.h"
#include "src/model/static_decode.h"
#include "src/model/transformer.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxConfigBytes = 16 << 20;

constexpr uint64_t kMaxShardBytes = 5'000'000'000;

// An open checkpoint: what is needed to make a spec of it and to read its weights.
struct Checkpoint {  // NOLINT(bugprone-exception-escape): the JSON's move does not throw
  std::unique_ptr<WeightFile> weights;
  std::unique_ptr<ConfigReader> config;
  FamilyFile file;
  TransformerSpec spec;
  nlohmann::json json;  // config.json, where there is one
};

absl::StatusOr<Checkpoint> OpenFile(const std::string& path) {
  // A wrong file is named for what it is, before anything is said of GGUF.
  Checkpoint checkpoint;
  TF_ASSIGN_OR_RETURN(checkpoint.weights, WeightFile::Open(path));
  const auto* file = dynamic_cast<const GgufFile*>(checkpoint.weights.get());
  if (file == nullptr) {
    return InvalidArgument(
        "{}: a {} file alone is not a model; give the folder that holds it, config.json and tokenizer.json", path,
        checkpoint.weights->format());
  }
  TF_ASSIGN_OR_RETURN(const std::optional<std::string_view> architecture, file->String("general.architecture"));
  if (!architecture) return InvalidArgument("{}: field 'general.architecture' is missing", path);
  TF_ASSIGN_OR_RETURN(checkpoint.file, FindGgufFamily(path, *architecture));
  checkpoint.config = GgufConfigReader(*file, std::string(*architecture));
  TF_ASSIGN_OR_RETURN(checkpoint.spec, ReadGgufSpec(*checkpoint.file.family, *checkpoint.config));
  return checkpoint;
}

absl::StatusOr<Checkpoint> OpenFolder(const std::string& path) {
  const std::string config_path = path + "/config.json";
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path, kMaxConfigBytes));
  Checkpoint checkpoint;
  absl::StatusOr<nlohmann::json> config = ParseJson(text);
  if (!config.ok()) return Annotate(config.status(), config_path);
  if (!config->is_object()) return InvalidArgument("{}: is not a JSON object", config_path);
  checkpoint.json = *std::move(config);
  // The family first: that an architecture is not supported is said even where the weights are not there.
  const nlohmann::json& json = checkpoint.json;
  TF_ASSIGN_OR_RETURN(checkpoint.file, FindHuggingFaceFamily(config_path, json));
  TF_ASSIGN_OR_RETURN(checkpoint.weights, WeightFile::Open(path));
  checkpoint.config = JsonConfigReader(json, config_path, *checkpoint.weights);
  TF_ASSIGN_OR_RETURN(checkpoint.spec, ReadHuggingFaceSpec(*checkpoint.file.family, *checkpoint.config));
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
  struct Parts {  // NOLINT(bugprone-exception-escape): the JSON's move does not throw
    ModelInfo info;
    std::shared_ptr<const Tokenizer> tokenizer;
    const Family* family = nullptr;
    nlohmann::json config;       // as Save writes it
    int64_t context_length = 0;  // at most the transformer's
    bool approximate = false;
  };
  LoadedModel(Parts parts, Transformer transformer) : parts_(std::move(parts)), transformer_(std::move(transformer)) {}

  const ModelInfo& info() const override { return parts_.info; }
  const Tokenizer& tokenizer() const override { return *parts_.tokenizer; }
  int64_t vocab_size() const override { return transformer_.spec().vocab_size; }
  int64_t context_length() const override { return parts_.context_length; }
  bool approximate() const override { return parts_.approximate; }
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

  const Parts parts_;
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
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Unavailable("{}: the folder cannot be made: {}", folder, error.message());
  TF_RETURN_IF_ERROR(SaveTokenizer(parts_.info.path, folder));
  TF_RETURN_IF_ERROR(GuardLibtorch([&]() -> absl::Status {
    const c10::InferenceMode inference;
    const TransformerWeights weights = transformer_.Weights();
    return WriteShardedSafetensors(folder, StoredTensors(*parts_.family, transformer_.spec(), weights), kMaxShardBytes);
  }));
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(folder + "/config.json"));
  TF_RETURN_IF_ERROR(file->Write(parts_.config.dump(2) + "\n"));
  return file->Commit();
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

// The config.json that Save writes: the file's own where there is one.
nlohmann::json ConfigToSave(const Checkpoint& checkpoint, const Tokenizer& tokenizer, at::ScalarType type) {
  nlohmann::json config = checkpoint.json;
  if (config.is_null()) {
    config = WriteHuggingFaceConfig(*checkpoint.file.family, checkpoint.spec);
    config["bos_token_id"] = tokenizer.start_id();
    config["pad_token_id"] = nullptr;  // else transformers takes one that fits its usual vocabulary
    if (!tokenizer.end_ids().empty()) config["eos_token_id"] = tokenizer.end_ids();
  }
  config["architectures"] = {checkpoint.file.family->architectures.front()};
  config.erase("dtype");
  config["torch_dtype"] = type == at::kFloat ? "float32" : "bfloat16";
  return config;
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
  TF_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(path));
  const std::string& where = checkpoint.config->where();
  const WeightType chosen = TypeOn(device, options);
  const at::ScalarType type = chosen == WeightType::kBFloat16 ? at::kBFloat16 : at::kFloat;
  const WeightSource source{*checkpoint.weights, checkpoint.file, where, type, options.progress};
  TransformerSpec& spec = checkpoint.spec;
  if (spec.vocab_size == 0) {
    TF_ASSIGN_OR_RETURN(spec.vocab_size, EmbeddingRows(source));
  }
  TF_RETURN_IF_ERROR(CompleteSpec(where, &spec));

  LoadedModel::Parts parts;
  parts.family = checkpoint.file.family;
  TF_ASSIGN_OR_RETURN(parts.tokenizer, LoadTokenizer(path));
  if (parts.tokenizer->vocab_size() > spec.vocab_size) {
    return InvalidArgument("{}: the tokenizer has {} tokens, the model {}", where, parts.tokenizer->vocab_size(),
                           spec.vocab_size);
  }
  parts.config = ConfigToSave(checkpoint, *parts.tokenizer, type);
  parts.context_length =
      options.context_length > 0 ? std::min(spec.context_length, options.context_length) : spec.context_length;
  parts.approximate = chosen == WeightType::kInt8;
  parts.info.path = path;
  parts.info.family = spec.family;
  parts.info.layers = spec.layers;
  parts.info.hidden = spec.hidden;
  parts.info.type = chosen;
  TF_ASSIGN_OR_RETURN(parts.info.fingerprint, Fingerprint(*checkpoint.weights));
  for (const TensorInfo& tensor : checkpoint.weights->tensors()) parts.info.parameters += tensor.elements;

  return GuardLibtorch([&]() -> absl::StatusOr<std::unique_ptr<Model>> {
    const c10::InferenceMode inference;
    TF_ASSIGN_OR_RETURN(TransformerWeights weights, LoadWeights(source, spec));
    std::unique_ptr<Runner> runner = MakeRunner(spec, std::move(weights), device, options);
    return std::make_unique<LoadedModel>(std::move(parts), Transformer(std::move(spec), std::move(runner)));
  });
}

}  // namespace toolformer
