// Files of sets and texts, which are often published gzipped.
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "src/base/file.h"
#include "src/base/status.h"
#include "toolformer/question_suite.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{256} << 20;
constexpr size_t kBlockBytes = size_t{1} << 18;
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, gzip's header

// inflateEnd, whatever happens.
struct Inflation {
  z_stream stream = {};
  bool begun = false;
  ~Inflation() {
    if (begun) inflateEnd(&stream);
  }
};

// All members of a gzip file, one after the other.
absl::StatusOr<std::string> Unpack(const std::string& path, std::string& packed) {
  Inflation inflation;
  z_stream& stream = inflation.stream;
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return ResourceExhausted("{}: zlib has no memory", path);
  inflation.begun = true;
  static_assert(kMaxBytes <= std::numeric_limits<uInt>::max());
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string content;
  int state = Z_OK;
  while (state != Z_STREAM_END || stream.avail_in > 0) {
    if (state == Z_STREAM_END && inflateReset(&stream) != Z_OK) break;
    const size_t before = content.size();
    content.resize(before + kBlockBytes);
    stream.next_out = reinterpret_cast<Bytef*>(content.data() + before);
    stream.avail_out = static_cast<uInt>(kBlockBytes);
    state = inflate(&stream, Z_NO_FLUSH);
    content.resize(content.size() - stream.avail_out);
    if (content.size() > kMaxBytes) return ResourceExhausted("{}: unpacks to over {} bytes", path, kMaxBytes);
    if (state == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0)) continue;
    if (state == Z_STREAM_END) continue;
    return InvalidArgument("{}: damaged gzip data: {}", path,
                           stream.msg != nullptr ? stream.msg : "it ends before its end");
  }
  return content;
}

}  // namespace

absl::StatusOr<std::string> ReadDataFile(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path, kMaxBytes);
  if (!content.ok() || !content->starts_with("\x1f\x8b")) return content;
  return Unpack(path, *content);
}

}  // namespace toolformer
