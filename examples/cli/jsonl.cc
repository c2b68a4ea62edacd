#include "jsonl.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "failure.h"

namespace toolformer::cli {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kReadBytes = size_t{1} << 18;

// Deepest nesting of arrays and objects; brackets inside strings do not count.
int NestingDepth(std::string_view json) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

uint64_t HashBytes(std::string_view bytes, uint64_t hash) {
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

std::string Hex(uint64_t value) { return fmt::format("{:016x}", value); }

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path, size_t max_line_bytes) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return Failure("{}: {}", path, SystemReason(errno));
  if (!S_ISREG(info.st_mode)) return Failure("{}: not a regular file", path);
  FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return Failure("{}: {}", path, SystemReason(errno));
  return std::unique_ptr<LineReader>(new LineReader(path, file, max_line_bytes));
}

LineReader::~LineReader() { std::fclose(file_); }

std::string LineReader::Where() const { return fmt::format("{}:{}", path_, line_number_); }

absl::StatusOr<bool> LineReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const size_t got = std::fread(buffer_.data() + before, 1, kReadBytes, file_);
  buffer_.resize(before + got);
  if (got == 0 && std::ferror(file_) != 0) return Failure("{}: {}", path_, SystemReason(errno));
  const std::string_view fresh = std::string_view(buffer_).substr(before);
  hash_ = HashBytes(fresh, hash_);
  bytes_ += got;
  return got > 0;
}

absl::StatusOr<bool> LineReader::Next(std::string_view* line) {
  size_t searched = begin_;
  while (true) {
    const size_t end = buffer_.find('\n', searched);
    if (end == std::string::npos) {
      const size_t pending = buffer_.size() - begin_;
      if (pending > max_line_bytes_) {
        ++line_number_;
        return Failure("{}: a line of more than {} bytes", Where(), max_line_bytes_);
      }
      CLI_ASSIGN_OR_RETURN(const bool more, Fill());
      searched = pending;
      if (more) continue;
      if (pending == 0) return false;
      *line = std::string_view(buffer_).substr(begin_);
      begin_ = buffer_.size();
    } else {
      *line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = end + 1;
    }
    ++line_number_;
    if (line_number_ == 1 && line->substr(0, 3) == "\xEF\xBB\xBF") line->remove_prefix(3);
    if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
    if (line->find_first_not_of(" \t\r") != std::string_view::npos) return true;
    searched = begin_;
  }
}

absl::StatusOr<nlohmann::ordered_json> ParseJsonObject(std::string_view line) {
  if (NestingDepth(line) > kMaxDepth) return Failure("arrays and objects nest deeper than {}", kMaxDepth);
  try {
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(line);
    if (!json.is_object()) return Failure("a JSON {} instead of an object", json.type_name());
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    return Failure("not valid JSON at byte {}", error.byte);
  } catch (const nlohmann::json::exception& error) {
    return Failure("not valid JSON: {}", error.what());  // a number beyond the range of a double
  }
}

std::string PrintJson(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace toolformer::cli
