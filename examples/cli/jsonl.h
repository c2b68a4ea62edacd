// Files of one JSON value a line.
#ifndef TOOLFORMER_CLI_JSONL_H_
#define TOOLFORMER_CLI_JSONL_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace toolformer::cli {

inline constexpr size_t kMaxLineBytes = size_t{64} << 20;

// Reads a file line by line in bounded memory. A byte order mark at its start, blank lines and "\r" before a line break
// are passed over.
class LineReader {
 public:
  // Failures name the file and the system's reason; a folder or device is refused.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path,
                                                          size_t max_line_bytes = kMaxLineBytes);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // True and the next line, valid until the next call; false at the end. Fails for a line above `max_line_bytes`.
  absl::StatusOr<bool> Next(std::string_view* line);

  // Of the line last read, from 1.
  int64_t line_number() const { return line_number_; }
  // "path:17".
  std::string Where() const;

  // Of the bytes read so far, all of them at the end.
  uint64_t bytes() const { return bytes_; }
  uint64_t hash() const { return hash_; }

 private:
  LineReader(std::string path, FILE* file, size_t max_line_bytes)
      : path_(std::move(path)), file_(file), max_line_bytes_(max_line_bytes) {}
  absl::StatusOr<bool> Fill();

  const std::string path_;
  FILE* const file_;
  const size_t max_line_bytes_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is in the buffer and not yet returned
  int64_t line_number_ = 0;
  uint64_t bytes_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325ull;
};

// FNV-1a of `bytes`, continuing `hash`. Tells inputs apart; no defence against an adversary.
uint64_t HashBytes(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325ull);

// 16 hexadecimal digits.
std::string Hex(uint64_t value);

// One JSON object, fields in their order. Fails with the byte of a syntax error, and for nesting deeper than 64.
absl::StatusOr<nlohmann::ordered_json> ParseJsonObject(std::string_view line);

// One line; invalid UTF-8 becomes U+FFFD.
std::string PrintJson(const nlohmann::ordered_json& value);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_JSONL_H_
