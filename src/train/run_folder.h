// What a training run leaves on disk, so that it can be killed at any byte and go on.
//
//   run.json          what the run is of; written first
//   log.jsonl         a line a step
//   checkpoint-NNNNNN the state after a step: state.safetensors, state.json
//   best-NNNNNN       the model with the least development loss so far, a Hugging Face folder
//   model             the same, once the run has ended
//   result.json       written last
//
// Folders are made under another name and renamed when they are complete; what they replace is removed after that.
#ifndef TOOLFORMER_SRC_TRAIN_RUN_FOLDER_H_
#define TOOLFORMER_SRC_TRAIN_RUN_FOLDER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

class RunFolder {
 public:
  // Makes the folder where it is not there and claims it for this process. `run` describes the run; kFailedPrecondition
  // where the folder holds a run of another description (names the field) or another process works in it.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Open(const std::string& path, const nlohmann::ordered_json& run);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // Of a run that has ended.
  absl::StatusOr<std::optional<nlohmann::json>> ReadResult() const;

  // The newest checkpoint: fills `tensors`, which must be f32 of the shapes that were written, and returns its state;
  // nothing where there is none.
  absl::StatusOr<std::optional<nlohmann::json>> ReadCheckpoint(const NamedTensors& tensors) const;
  // Replaces the checkpoint before. `state` has the numbers "step" and "best_step".
  absl::Status WriteCheckpoint(const NamedTensors& tensors, const nlohmann::ordered_json& state);

  // `write` fills the folder that it is given. Becomes permanent with the next checkpoint that names the step.
  absl::Status WriteBest(int64_t step, const std::function<absl::Status(const std::string& folder)>& write);

  // Keeps the lines of the first `lines` steps of the log.
  absl::Status TruncateLog(int64_t lines);
  absl::Status Log(const nlohmann::ordered_json& line);

  // best-NNNNNN becomes model, `result` is written and the checkpoint removed.
  absl::Status Finish(int64_t best_step, const nlohmann::ordered_json& result);

  std::string model_folder() const { return path_ + "/model"; }

 private:
  RunFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string At(std::string_view kind, int64_t step) const;
  // Steps of the complete folders checkpoint-N or best-N, ascending.
  std::vector<int64_t> Steps(std::string_view kind) const;
  void RemoveAllBut(std::string_view kind, int64_t step) const;
  // Runs `write` with a folder of another name and renames it to `name`.
  absl::Status WriteFolder(const std::string& name, const std::function<absl::Status(const std::string&)>& write) const;

  const std::string path_;
  const int lock_;  // file descriptor
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_RUN_FOLDER_H_
