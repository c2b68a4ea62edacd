// A model's files: what is read of them, and how a model is written.
#ifndef TOOLFORMER_SRC_MODEL_MODEL_FILES_H_
#define TOOLFORMER_SRC_MODEL_MODEL_FILES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "src/model/family.h"
#include "src/model/spec.h"
#include "src/model/weights.h"
#include "toolformer/model.h"

namespace toolformer {

// All that is known of a model, its weights apart.
struct ModelDescription {  // NOLINT(bugprone-exception-escape): the JSON's move does not throw
  ModelInfo info;          // `type` is the reader's to fill in
  std::shared_ptr<const Tokenizer> tokenizer;
  const Family* family = nullptr;
  TransformerSpec spec;
  nlohmann::json config;  // config.json as WriteModel writes it, but for the weights' type
};

struct ModelRead {  // NOLINT(bugprone-exception-escape): likewise
  ModelDescription description;
  TransformerWeights weights;  // on the CPU; matrices of the wanted type, norms f32
};

struct ReadModelOptions {
  at::ScalarType type = at::kFloat;
  std::string adapter;  // as ModelOptions::adapter
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// A hash of the weights' names, types, shapes and rows sampled from the start of each tensor: enough to tell fine-tunes
// of one model apart, cheap on large ones.
absl::StatusOr<std::string> Fingerprint(const WeightFile& weights);

// Reads a .gguf file or a Hugging Face folder. Errors as Model::Load.
absl::StatusOr<ModelRead> ReadModel(const std::string& path, const ReadModelOptions& options);

// Writes a Hugging Face folder with weights of the description's shapes, as Model::Save. The tokenizer's files come
// from where the description was read, which must still be there.
absl::Status WriteModel(const ModelDescription& description, const TransformerWeights& weights,
                        const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_MODEL_FILES_H_
