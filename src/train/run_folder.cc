#include "src/train/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "toolformer/weight_file.h"

namespace toolformer {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxStateBytes = 1 << 20;
constexpr uint64_t kMaxLogBytes = 1 << 30;
constexpr std::string_view kUnfinished = ".partial";

absl::Status WriteText(const std::string& path, std::string_view text) {
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(path));
  TF_RETURN_IF_ERROR(file->Write(text));
  return file->Commit();
}

absl::StatusOr<nlohmann::json> ReadState(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxStateBytes));
  absl::StatusOr<nlohmann::json> json = ParseJson(text);
  if (!json.ok()) return Annotate(json.status(), path);
  if (!json->is_object()) return InvalidArgument("{}: is not a JSON object", path);
  return json;
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

void Remove(const std::string& path) {
  std::error_code ignored;  // what stays behind is removed at the next occasion
  fs::remove_all(path, ignored);
}

absl::Status Rename(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  return error ? Unavailable("{}: cannot be renamed to {}: {}", from, to, error.message()) : absl::OkStatus();
}

// So that a name lasts.
absl::Status SyncFolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Unavailable("{}: cannot be opened: {}", path, std::strerror(errno));
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced ? absl::OkStatus() : Unavailable("{}: cannot be written: {}", path, std::strerror(errno));
}

// The first field in which two descriptions differ.
std::string FirstDifference(const nlohmann::json& a, const nlohmann::json& b) {
  for (const auto& [name, value] : b.items()) {
    if (!a.contains(name) || a[name] != value) return name;
  }
  for (const auto& [name, value] : a.items()) {
    if (!b.contains(name)) return name;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Open(const std::string& path, const nlohmann::ordered_json& run) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return Unavailable("{}: the folder cannot be made: {}", path, error.message());
  const int lock = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return Unavailable("{}: cannot be opened: {}", path, std::strerror(errno));
  std::unique_ptr<RunFolder> folder(new RunFolder(path, lock));
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) return FailedPrecondition("{}: another process trains in this folder", path);

  const std::string description = path + "/run.json";
  if (!Exists(description)) {
    TF_RETURN_IF_ERROR(WriteText(description, run.dump(2) + "\n"));
    return folder;
  }
  TF_ASSIGN_OR_RETURN(const nlohmann::json there, ReadState(description));
  const std::string difference = FirstDifference(there, nlohmann::json(run));
  if (!difference.empty()) {
    return FailedPrecondition("{}: holds another run (field '{}' differs); use another folder, or remove this one",
                              path, difference);
  }
  return folder;
}

RunFolder::~RunFolder() { close(lock_); }

std::string RunFolder::At(std::string_view kind, int64_t step) const {
  return fmt::format("{}/{}-{:06}", path_, kind, step);
}

std::vector<int64_t> RunFolder::Steps(std::string_view kind) const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::string start = std::string(kind) + "-";
    if (name.compare(0, start.size(), start) != 0) continue;
    const std::string digits = name.substr(start.size());
    const bool number = !digits.empty() && digits.size() <= 15 &&
                        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number) steps.push_back(std::stoll(digits));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void RunFolder::RemoveAllBut(std::string_view kind, int64_t step) const {
  for (const int64_t other : Steps(kind)) {
    if (other != step) Remove(At(kind, other));
  }
}

absl::Status RunFolder::WriteFolder(const std::string& name,
                                    const std::function<absl::Status(const std::string&)>& write) const {
  const std::string partial = name + std::string(kUnfinished);
  Remove(partial);
  std::error_code error;
  fs::create_directories(partial, error);
  if (error) return Unavailable("{}: the folder cannot be made: {}", partial, error.message());
  absl::Status written = write(partial);
  if (!written.ok()) {
    Remove(partial);  // a full disk has room again
    return written;
  }
  TF_RETURN_IF_ERROR(SyncFolder(partial));
  Remove(name);  // of a run that was killed later than its checkpoint
  TF_RETURN_IF_ERROR(Rename(partial, name));
  return SyncFolder(path_);
}

absl::StatusOr<std::optional<nlohmann::json>> RunFolder::ReadResult() const {
  const std::string path = path_ + "/result.json";
  if (!Exists(path)) return std::nullopt;
  TF_ASSIGN_OR_RETURN(nlohmann::json result, ReadState(path));
  return result;
}

absl::StatusOr<std::optional<nlohmann::json>> RunFolder::ReadCheckpoint(const NamedTensors& tensors) const {
  const std::vector<int64_t> steps = Steps("checkpoint");
  if (steps.empty()) return std::nullopt;
  const std::string folder = At("checkpoint", steps.back());
  TF_ASSIGN_OR_RETURN(nlohmann::json state, ReadState(folder + "/state.json"));
  const std::string path = folder + "/state.safetensors";
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> file, WeightFile::Open(path));
  for (const auto& [name, tensor] : tensors) {
    const TensorInfo* info = file->Find(name);
    if (info == nullptr) return InvalidArgument("{}: tensor '{}' is missing", path, name);
    if (info->shape != tensor.sizes().vec()) return InvalidArgument("{}: tensor '{}' has another shape", path, name);
    const at::Tensor values = tensor.device().is_cpu() ? tensor : tensor.cpu();
    const std::span<float> to(values.data_ptr<float>(), values.numel());
    TF_RETURN_IF_ERROR(file->ReadF32(name, 0, to));
    if (!tensor.device().is_cpu()) tensor.copy_(values);
  }
  return state;
}

absl::Status RunFolder::WriteCheckpoint(const NamedTensors& tensors, const nlohmann::ordered_json& state) {
  const int64_t step = state.at("step");
  const absl::Status status = WriteFolder(At("checkpoint", step), [&](const std::string& folder) -> absl::Status {
    std::vector<TensorToWrite> writes;
    for (const auto& [name, tensor] : tensors) {
      TensorToWrite& write = writes.emplace_back();
      write.name = name;
      write.shape = tensor.sizes().vec();
      write.fill = [&from = tensor](std::span<std::byte> out) -> absl::Status {
        const at::Tensor values = from.cpu().contiguous();
        std::memcpy(out.data(), values.const_data_ptr(), out.size());
        return absl::OkStatus();
      };
    }
    TF_RETURN_IF_ERROR(WriteSafetensors(folder + "/state.safetensors", std::span<const TensorToWrite>(writes)));
    return WriteText(folder + "/state.json", state.dump(2) + "\n");
  });
  TF_RETURN_IF_ERROR(status);
  RemoveAllBut("checkpoint", step);
  RemoveAllBut("best", state.at("best_step"));
  return absl::OkStatus();
}

absl::Status RunFolder::WriteBest(int64_t step, const std::function<absl::Status(const std::string&)>& write) {
  return WriteFolder(At("best", step), write);
}

absl::Status RunFolder::TruncateLog(int64_t lines) {
  const std::string path = path_ + "/log.jsonl";
  std::string text;
  if (Exists(path)) {
    TF_ASSIGN_OR_RETURN(text, ReadFile(path, kMaxLogBytes));
  }
  size_t end = 0;
  for (int64_t i = 0; i < lines; ++i) {
    const size_t line_break = text.find('\n', end);
    if (line_break == std::string::npos) return InvalidArgument("{}: has fewer than {} lines", path, lines);
    end = line_break + 1;
  }
  return WriteText(path, std::string_view(text).substr(0, end));
}

absl::Status RunFolder::Log(const nlohmann::ordered_json& line) {
  const std::string path = path_ + "/log.jsonl";
  const std::string text = PrintJson(line) + "\n";
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return Unavailable("{}: cannot be opened: {}", path, std::strerror(errno));
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int reason = errno;
  close(fd);
  return written ? absl::OkStatus() : Unavailable("{}: cannot be written: {}", path, std::strerror(reason));
}

absl::Status RunFolder::Finish(int64_t best_step, const nlohmann::ordered_json& result) {
  if (Exists(At("best", best_step))) {
    Remove(model_folder());
    TF_RETURN_IF_ERROR(Rename(At("best", best_step), model_folder()));
  }
  TF_RETURN_IF_ERROR(WriteText(path_ + "/result.json", result.dump(2) + "\n"));
  RemoveAllBut("checkpoint", -1);
  RemoveAllBut("best", -1);
  return absl::OkStatus();
}

}  // namespace toolformer
