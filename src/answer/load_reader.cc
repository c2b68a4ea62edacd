// Which reader a path is for.
#include <filesystem>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/seq2seq/checkpoint_weights.h"
#include "toolformer/question_answering.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;

bool IsFusionFolder(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return false;
  if (std::filesystem::exists(path + "/" + kAtlasFileName, ignored)) return true;
  const absl::StatusOr<std::string> text = ReadFile(path + "/config.json", kMaxConfigBytes);
  if (!text.ok()) return false;
  const absl::StatusOr<nlohmann::json> config = ParseJson(*text);
  return config.ok() && config->is_object() && config->contains("model_type") && (*config)["model_type"] == "t5";
}

}  // namespace

absl::StatusOr<std::shared_ptr<const AnswerReader>> LoadAnswerReader(const std::string& path, WeightType type) {
  if (IsFusionFolder(path)) {
    FusionReaderOptions options;
    options.model.type = type;
    return LoadFusionReader(path, options);
  }
  ModelOptions options;
  options.type = type;
  TF_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, Model::Load(path, options));
  return MakeLanguageModelReader(std::move(model), {});
}

}  // namespace toolformer
