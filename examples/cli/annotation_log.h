// What an annotation run has finished so far: lets it go on after Ctrl-C, a crash or a power failure.
#ifndef TOOLFORMER_CLI_ANNOTATION_LOG_H_
#define TOOLFORMER_CLI_ANNOTATION_LOG_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toolformer/annotator.h"

namespace toolformer::cli {

// The file "OUT.partial". Its first line is a header, everything that determines the result; then comes one line of
// FormatAnnotation for each document, in the order of the input. A line without its line break does not count.
class AnnotationLog {
 public:
  enum class Start {
    kContinue,  // what is there with the same header; another header is an error that says what differs
    kAfresh,    // discards what is there
  };

  // Opens or makes the log. Only one process at a time may have it open.
  static absl::StatusOr<std::unique_ptr<AnnotationLog>> Open(const std::string& path,
                                                             const nlohmann::ordered_json& header, Start start);
  ~AnnotationLog();
  AnnotationLog(const AnnotationLog&) = delete;
  AnnotationLog& operator=(const AnnotationLog&) = delete;

  // Documents logged, those of earlier runs included.
  int64_t documents() const { return documents_; }

  // Adds a document in one write, and syncs the file every few seconds.
  absl::Status Append(const AnnotatedDocument& annotated);
  absl::Status Sync();

  // Calls `visit` with each document and its line, until it fails.
  using Visitor = std::function<absl::Status(AnnotatedDocument annotated, std::string_view line)>;
  absl::Status ForEach(const Visitor& visit) const;

  // Deletes the file.
  absl::Status Remove();

 private:
  AnnotationLog(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Restore(const nlohmann::ordered_json& header);
  absl::Status Write(std::string_view line);

  const std::string path_;
  int fd_;
  uint64_t size_ = 0;
  int64_t documents_ = 0;
  std::chrono::steady_clock::time_point synced_ = std::chrono::steady_clock::now();
};

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_ANNOTATION_LOG_H_
