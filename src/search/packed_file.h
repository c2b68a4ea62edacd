// A file read from its beginning to its end, unpacked on the way.
#ifndef TOOLFORMER_SRC_SEARCH_PACKED_FILE_H_
#define TOOLFORMER_SRC_SEARCH_PACKED_FILE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace toolformer {

// Bytes to read at a time.
inline constexpr size_t kPackedFileBuffer = size_t{1} << 18;

class PackedFile {
 public:
  // Packed by gzip or bzip2 (any number of members, one after the other), or not at all: its first bytes say.
  static absl::StatusOr<std::unique_ptr<PackedFile>> Open(const std::string& path);
  virtual ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  // Fills `out` from its beginning and returns how much; 0 at the end only. Errors name the file.
  virtual absl::StatusOr<size_t> Read(std::span<char> out) = 0;

  const std::string& path() const { return path_; }
  uint64_t bytes_read() const { return bytes_read_; }  // of the packed file
  uint64_t bytes() const { return bytes_; }

 protected:
  PackedFile(std::string path, int fd, uint64_t bytes) : path_(std::move(path)), fd_(fd), bytes_(bytes) {}
  absl::StatusOr<size_t> ReadPacked(std::span<char> out);
  absl::Status Damaged(const char* why) const;

 private:
  const std::string path_;
  int fd_;
  const uint64_t bytes_;
  uint64_t bytes_read_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_PACKED_FILE_H_
