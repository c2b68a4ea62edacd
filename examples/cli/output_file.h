// Files that are there whole or not at all.
#ifndef TOOLFORMER_CLI_OUTPUT_FILE_H_
#define TOOLFORMER_CLI_OUTPUT_FILE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace toolformer::cli {

// Writes "PATH.tmp"; Commit syncs it, renames it over PATH and syncs the folder. Without Commit it is removed.
class OutputFile {
 public:
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(std::string_view bytes);
  absl::Status Commit();

 private:
  OutputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Flush();

  const std::string path_;
  int fd_;
  std::string buffer_;
};

// Whether a file can be written at `path`, tried before long work whose result goes there.
absl::Status CheckWritable(const std::string& path);

// Opens `path` for appending and reading, made where it is missing, and locks it against other processes that do the
// same.
absl::StatusOr<int> OpenLocked(const std::string& path);

// Makes renames and removals in the folder of `path` last. Best effort: not every file system can.
void SyncFolder(const std::string& path);

// All of `bytes`, whatever a single write takes.
absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_OUTPUT_FILE_H_
