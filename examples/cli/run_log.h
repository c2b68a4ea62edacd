// What a long run has finished so far: lets it go on after Ctrl-C, a crash or a power failure.
#ifndef TOOLFORMER_CLI_RUN_LOG_H_
#define TOOLFORMER_CLI_RUN_LOG_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace toolformer::cli {

// "OUT.partial".
std::string PartialPath(const std::string& out);

// Files of a run, each with the option that names it.
struct RunFiles {
  std::vector<std::pair<std::string, std::string>> inputs, outputs;
  std::string log;  // empty: none is kept
  bool overwrite = false;
};

// Whether the run may begin: no file twice, no output that exists where no unfinished run is to go on and `overwrite`
// is not set, and every output can be written.
absl::Status CheckRunFiles(const RunFiles& files);

// The file "OUT.partial". Its first line is a header, a JSON object with everything that determines the result, among
// it the "format"; then comes one line for each item, in the order of the input. A line without its line break does not
// count.
class RunLog {
 public:
  enum class Start {
    kContinue,  // what is there with the same header; another header is an error that says what differs
    kAfresh,    // discards what is there
  };

  // Whether a line is an item, and not what a power failure left of one.
  using IsItem = std::function<bool(std::string_view line)>;

  // Opens or makes the log. Only one process at a time may have it open.
  static absl::StatusOr<std::unique_ptr<RunLog>> Open(const std::string& path, const nlohmann::ordered_json& header,
                                                      Start start, const IsItem& is_item);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // Those of earlier runs included.
  int64_t items() const { return items_; }

  // Adds an item, a line without its line break, in one write, and syncs the file every few seconds.
  absl::Status Append(std::string_view item);
  absl::Status Sync();

  // Calls `visit` with each item, until it fails.
  using Visitor = std::function<absl::Status(std::string_view item)>;
  absl::Status ForEach(const Visitor& visit) const;

  // Deletes the file.
  absl::Status Remove();

 private:
  RunLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Restore(const nlohmann::ordered_json& header, const IsItem& is_item);
  absl::Status Write(std::string_view line);

  const std::string path_;
  int fd_;
  uint64_t size_ = 0;
  int64_t items_ = 0;
  std::chrono::steady_clock::time_point synced_ = std::chrono::steady_clock::now();
};

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_RUN_LOG_H_
