#include "run_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "failure.h"
#include "jsonl.h"
#include "output_file.h"

namespace toolformer::cli {
namespace {

constexpr std::chrono::seconds kSyncInterval{3};
// An annotation holds its text twice, and ids: longer than the line it was made of.
constexpr size_t kMaxLogLineBytes = size_t{1} << 31;
constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kMaxDifferencesShown = 4;

// Complete lines of a file from its start, read without disturbing the descriptor's own position.
class LogLines {
 public:
  LogLines(int fd, const std::string& path) : fd_(fd), path_(path) {}

  // False where no further line is complete. `end()` is then the byte after the last one.
  absl::StatusOr<bool> Next(std::string_view* line) {
    size_t searched = begin_;
    size_t newline;
    while ((newline = buffer_.find('\n', searched)) == std::string::npos) {
      buffer_.erase(0, std::exchange(begin_, 0));
      searched = buffer_.size();
      if (searched > kMaxLogLineBytes) return false;
      buffer_.resize(searched + kReadBytes);
      ssize_t got;
      do {
        got = pread(fd_, buffer_.data() + searched, kReadBytes, static_cast<off_t>(read_));
      } while (got < 0 && errno == EINTR);
      buffer_.resize(searched + static_cast<size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0) return Failure("{}: {}", path_, SystemReason(errno));
      if (got == 0) return false;
      read_ += static_cast<uint64_t>(got);
    }
    *line = std::string_view(buffer_).substr(begin_, newline - begin_);
    begin_ = newline + 1;
    end_ += line->size() + 1;
    return true;
  }
  uint64_t end() const { return end_; }

 private:
  const int fd_;
  const std::string& path_;
  std::string buffer_;
  size_t begin_ = 0;
  uint64_t read_ = 0, end_ = 0;
};

// "seed (7 there, 8 now)" for each field that differs.
std::string Differences(const nlohmann::json& there, const nlohmann::json& now) {
  const nlohmann::json a = there.flatten(), b = now.flatten();
  std::vector<std::string> names;
  for (const auto* side : {&a, &b}) {
    for (const auto& [key, value] : side->items()) {
      const auto in_a = a.find(key), in_b = b.find(key);
      if (in_a == a.end() || in_b == b.end() || *in_a != *in_b) names.push_back(key);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto value_of = [](const nlohmann::json& json, const std::string& key) {
    const auto found = json.find(key);
    return found == json.end() ? std::string("absent") : PrintJson(*found);
  };
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMaxDifferencesShown); ++i) {
    std::string name = names[i].substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    text +=
        fmt::format("{}{} ({} there, {} now)", i == 0 ? "" : ", ", name, value_of(a, names[i]), value_of(b, names[i]));
  }
  if (names.size() > kMaxDifferencesShown) text += fmt::format(" and {} more", names.size() - kMaxDifferencesShown);
  return text;
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code ignored;
  if (std::filesystem::equivalent(a, b, ignored)) return true;
  return std::filesystem::weakly_canonical(a, ignored) == std::filesystem::weakly_canonical(b, ignored);
}

}  // namespace

std::string PartialPath(const std::string& out) { return out + ".partial"; }

absl::Status CheckRunFiles(const RunFiles& files) {
  std::vector<std::pair<std::string, std::string>> all = files.inputs;
  all.insert(all.end(), files.outputs.begin(), files.outputs.end());
  for (size_t i = 1; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!SameFile(all[i].second, all[j].second)) continue;
      return UsageError(fmt::format("{} and {} are the same file: {}", all[j].first, all[i].first, all[i].second));
    }
  }
  struct stat info;
  const bool unfinished = !files.log.empty() && stat(files.log.c_str(), &info) == 0;
  for (const auto& [option, path] : files.outputs) {
    if (!files.overwrite && !unfinished && stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      return Failure("{}: exists; --overwrite to replace it", path);
    }
  }
  for (const auto& [option, path] : files.outputs) CLI_RETURN_IF_ERROR(CheckWritable(path));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RunLog>> RunLog::Open(const std::string& path, const nlohmann::ordered_json& header,
                                                     Start start, const IsItem& is_item) {
  CLI_ASSIGN_OR_RETURN(const int fd, OpenLocked(path));
  std::unique_ptr<RunLog> log(new RunLog(path, fd));
  if (start == Start::kContinue) CLI_RETURN_IF_ERROR(log->Restore(header, is_item));
  if (ftruncate(fd, static_cast<off_t>(log->size_)) != 0) {
    return Failure("{}: cannot be written: {}", path, SystemReason(errno));
  }
  if (log->size_ == 0) {
    CLI_RETURN_IF_ERROR(log->Write(PrintJson(header) + "\n"));
    SyncFolder(path);
  }
  return log;
}

RunLog::~RunLog() {
  if (fd_ >= 0) close(fd_);
}

// Finds what is whole: the header and the items up to the first line that is torn or damaged.
absl::Status RunLog::Restore(const nlohmann::ordered_json& header, const IsItem& is_item) {
  LogLines lines(fd_, path_);
  std::string_view line;
  CLI_ASSIGN_OR_RETURN(bool more, lines.Next(&line));
  const std::string expected = PrintJson(header);
  if (!more) {
    // Killed while the header was written: nothing is lost. Any other unfinished line is a file of someone else's.
    std::string head(expected.size() + 1, '\0');
    const ssize_t got = pread(fd_, head.data(), head.size(), 0);
    if (got >= 0 && expected.compare(0, static_cast<size_t>(got), head, 0, static_cast<size_t>(got)) == 0) {
      return absl::OkStatus();
    }
    return Failure("{}: not a log of this run; remove it, or use --overwrite to start afresh", path_);
  }
  if (line != expected) {
    const absl::StatusOr<nlohmann::ordered_json> there = ParseJsonObject(line);
    if (!there.ok() || there->value("format", nlohmann::ordered_json()) != header["format"]) {
      return Failure("{}: not a log of this program; remove it, or use --overwrite to start afresh", path_);
    }
    return Failure(
        "{}: an unfinished run with other settings: {}; use the same to continue it, or --overwrite to start "
        "afresh",
        path_, Differences(nlohmann::json(*there), nlohmann::json(header)));
  }
  size_ = lines.end();
  while (true) {
    CLI_ASSIGN_OR_RETURN(more, lines.Next(&line));
    // Blocks that a power failure kept from the disk read as zeros: such a line ends the log like a torn one.
    if (!more || !is_item(line)) return absl::OkStatus();
    size_ = lines.end();
    ++items_;
  }
}

absl::Status RunLog::Write(std::string_view line) {
  absl::Status written = WriteAll(fd_, line, path_);
  if (!written.ok()) {
    // Best effort: the next run cuts a torn line off in any case.
    [[maybe_unused]] const int cut = ftruncate(fd_, static_cast<off_t>(size_));
    return written;
  }
  size_ += line.size();
  return absl::OkStatus();
}

absl::Status RunLog::Append(std::string_view item) {
  CLI_RETURN_IF_ERROR(Write(std::string(item) + "\n"));
  ++items_;
  return std::chrono::steady_clock::now() - synced_ < kSyncInterval ? absl::OkStatus() : Sync();
}

absl::Status RunLog::Sync() {
  synced_ = std::chrono::steady_clock::now();
  if (fsync(fd_) != 0) return Failure("{}: cannot be written: {}", path_, SystemReason(errno));
  return absl::OkStatus();
}

absl::Status RunLog::ForEach(const Visitor& visit) const {
  LogLines lines(fd_, path_);
  std::string_view line;
  CLI_ASSIGN_OR_RETURN(bool more, lines.Next(&line));  // the header
  for (int64_t i = 0; more && i < items_; ++i) {
    CLI_ASSIGN_OR_RETURN(more, lines.Next(&line));
    if (!more) return Failure("{}:{}: ends early", path_, i + 2);
    CLI_RETURN_IF_ERROR(visit(line));
  }
  return absl::OkStatus();
}

absl::Status RunLog::Remove() {
  if (unlink(path_.c_str()) != 0) return Failure("{}: cannot be removed: {}", path_, SystemReason(errno));
  SyncFolder(path_);
  return absl::OkStatus();
}

}  // namespace toolformer::cli
