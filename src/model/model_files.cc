#include "src/model/model_files.h"

#include <c10/core/InferenceMode.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/files/gguf.h"
#include "src/model/libtorch_guard.h"
#include "src/model/low_rank.h"

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

// The config.json that WriteModel writes: the file's own where there is one.
nlohmann::json ConfigToWrite(const Checkpoint& checkpoint, const Tokenizer& tokenizer) {
  nlohmann::json config = checkpoint.json;
  if (config.is_null()) {
    config = WriteHuggingFaceConfig(*checkpoint.file.family, checkpoint.spec);
    config["bos_token_id"] = tokenizer.start_id();
    config["pad_token_id"] = nullptr;  // else transformers takes one that fits its usual vocabulary
    if (!tokenizer.end_ids().empty()) config["eos_token_id"] = tokenizer.end_ids();
  }
  config["architectures"] = {checkpoint.file.family->architectures.front()};
  config.erase("dtype");
  return config;
}

absl::Status AddAdapter(const std::string& folder, ModelRead* read) {
  return GuardLibtorch([&]() -> absl::Status {
    ModelDescription& description = read->description;
    TF_ASSIGN_OR_RETURN(const LowRankAdapter adapter,
                        ReadAdapter(folder, AdaptableParts(*description.family, description.spec, read->weights)));
    MergeAdapter(adapter);
    description.info.fingerprint =
        fmt::format("{:016x}", CombineSeeds({HashBytes(description.info.fingerprint), HashOf(adapter)}));
    return absl::OkStatus();
  });
}

}  // namespace

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

absl::StatusOr<ModelRead> ReadModel(const std::string& path, const ReadModelOptions& options) {
  TF_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(path));
  const std::string& where = checkpoint.config->where();
  const WeightSource source{*checkpoint.weights, checkpoint.file, where, options.type, options.progress};
  TransformerSpec& spec = checkpoint.spec;
  if (spec.vocab_size == 0) {
    TF_ASSIGN_OR_RETURN(spec.vocab_size, EmbeddingRows(source));
  }
  TF_RETURN_IF_ERROR(CompleteSpec(where, &spec));

  ModelRead read;
  ModelDescription& description = read.description;
  description.family = checkpoint.file.family;
  TF_ASSIGN_OR_RETURN(description.tokenizer, LoadTokenizer(path));
  if (description.tokenizer->vocab_size() > spec.vocab_size) {
    return InvalidArgument("{}: the tokenizer has {} tokens, the model {}", where, description.tokenizer->vocab_size(),
                           spec.vocab_size);
  }
  description.config = ConfigToWrite(checkpoint, *description.tokenizer);
  ModelInfo& info = description.info;
  info.path = path;
  info.family = spec.family;
  info.layers = spec.layers;
  info.hidden = spec.hidden;
  TF_ASSIGN_OR_RETURN(info.fingerprint, Fingerprint(*checkpoint.weights));
  for (const TensorInfo& tensor : checkpoint.weights->tensors()) info.parameters += tensor.elements;
  TF_ASSIGN_OR_RETURN(read.weights, GuardLibtorch([&] { return LoadWeights(source, spec); }));
  description.spec = std::move(spec);
  if (!options.adapter.empty()) TF_RETURN_IF_ERROR(AddAdapter(options.adapter, &read));
  return read;
}

absl::Status WriteModel(const ModelDescription& description, const TransformerWeights& weights,
                        const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Unavailable("{}: the folder cannot be made: {}", folder, error.message());
  TF_RETURN_IF_ERROR(SaveTokenizer(description.info.path, folder));
  TF_RETURN_IF_ERROR(GuardLibtorch([&]() -> absl::Status {
    const c10::InferenceMode inference;
    return WriteShardedSafetensors(folder, StoredTensors(*description.family, description.spec, weights),
                                   kMaxShardBytes);
  }));
  nlohmann::json config = description.config;
  config["torch_dtype"] = weights.embedding.scalar_type() == at::kFloat ? "float32" : "bfloat16";
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(folder + "/config.json"));
  TF_RETURN_IF_ERROR(file->Write(config.dump(2) + "\n"));
  return file->Commit();
}

}  // namespace toolformer
