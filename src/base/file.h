// Files: mapped for reading, written whole or not at all.
#ifndef TOOLFORMER_SRC_BASE_FILE_H_
#define TOOLFORMER_SRC_BASE_FILE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace toolformer {

// A regular file mapped read-only. Changing the file while it is mapped is the host's mistake (see docs/decisions.md).
class MappedFile {
 public:
  // kNotFound, kInvalidArgument (a folder, a device, a pipe), kUnavailable (the system's reason). An empty file maps to
  // an empty span.
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const uint8_t* data, size_t size);
  std::string path_;
  const uint8_t* data_;
  size_t size_;
};

// Whole content of a regular file; kResourceExhausted where it exceeds `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes);

// Writes a temporary file beside `path` piece by piece; Commit syncs it and renames it over `path`. Without Commit the
// temporary file is removed and `path` is untouched.
class AtomicFile {
 public:
  static absl::StatusOr<std::unique_ptr<AtomicFile>> Create(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  absl::Status Write(std::string_view bytes);
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, int fd);
  std::string path_, temporary_;
  int fd_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_FILE_H_
