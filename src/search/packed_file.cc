#include "src/search/packed_file.h"

#include <bzlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, gzip's header

class PlainFile : public PackedFile {
 public:
  PlainFile(const std::string& path, int fd, uint64_t bytes) : PackedFile(path, fd, bytes) {}
  absl::StatusOr<size_t> Read(std::span<char> out) override { return ReadPacked(out); }
};

// What zlib and bzlib have in common: a stream with next_in, avail_in, next_out, avail_out, and functions that begin,
// go on and end. `Codec` says which.
template <typename Codec>
class StreamFile : public PackedFile {
 public:
  StreamFile(const std::string& path, int fd, uint64_t bytes)
      : PackedFile(path, fd, bytes), buffer_(kPackedFileBuffer, '\0') {}
  ~StreamFile() override {
    if (begun_) Codec::End(&stream_);
  }

  absl::StatusOr<size_t> Read(std::span<char> out) override {
    if (out.empty()) return 0;
    while (true) {
      if (stream_.avail_in == 0) {
        TF_ASSIGN_OR_RETURN(const size_t got, ReadPacked(buffer_));
        if (got == 0) {
          if (begun_) return Damaged("it ends before its end");
          return 0;
        }
        stream_.next_in = reinterpret_cast<decltype(stream_.next_in)>(buffer_.data());
        stream_.avail_in = static_cast<unsigned>(got);
      }
      if (!begun_) {
        if (!Codec::Begin(&stream_)) return ResourceExhausted("{}: no memory to unpack it", path());
        begun_ = true;
      }
      stream_.next_out = reinterpret_cast<decltype(stream_.next_out)>(out.data());
      stream_.avail_out = static_cast<unsigned>(std::min(out.size(), kPackedFileBuffer));
      const unsigned room = stream_.avail_out;
      const int state = Codec::Step(&stream_);
      if (state == Codec::kDone) {
        // Another member may follow.
        Codec::End(&stream_);
        begun_ = false;
      } else if (state != Codec::kOk) {
        return Damaged("what is packed in it is damaged");
      }
      if (stream_.avail_out < room) return room - stream_.avail_out;
    }
  }

 private:
  typename Codec::Stream stream_ = {};
  bool begun_ = false;
  std::string buffer_;
};

struct Gzip {
  using Stream = z_stream;
  static constexpr int kOk = Z_OK, kDone = Z_STREAM_END;
  // Beginning anew keeps what was not read yet.
  static bool Begin(Stream* stream) { return inflateInit2(stream, kGzipWindow) == Z_OK; }
  static int Step(Stream* stream) {
    const int state = inflate(stream, Z_NO_FLUSH);
    return state == Z_BUF_ERROR ? Z_OK : state;
  }
  static void End(Stream* stream) { inflateEnd(stream); }
};

struct Bzip2 {
  using Stream = bz_stream;
  static constexpr int kOk = BZ_OK, kDone = BZ_STREAM_END;
  static bool Begin(Stream* stream) { return BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK; }
  static int Step(Stream* stream) { return BZ2_bzDecompress(stream); }
  static void End(Stream* stream) { BZ2_bzDecompressEnd(stream); }
};

}  // namespace

PackedFile::~PackedFile() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<size_t> PackedFile::ReadPacked(std::span<char> out) {
  while (true) {
    const ssize_t got = read(fd_, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unavailable("{}: {}", path_, std::strerror(errno));
    bytes_read_ += static_cast<uint64_t>(got);
    return static_cast<size_t>(got);
  }
}

absl::Status PackedFile::Damaged(const char* why) const { return InvalidArgument("{}: damaged: {}", path_, why); }

absl::StatusOr<std::unique_ptr<PackedFile>> PackedFile::Open(const std::string& path) {
  // Not to wait for the writer of a pipe, which is refused below.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT) return NotFound("{}: no such file", path);
    return Unavailable("{}: {}", path, std::strerror(errno));
  }
  struct stat status = {};
  std::array<char, 3> magic = {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    return InvalidArgument("{}: not a file", path);
  }
  const ssize_t got = pread(fd, magic.data(), magic.size(), 0);
  const std::string_view begin(magic.data(), got > 0 ? static_cast<size_t>(got) : 0);
  const auto bytes = static_cast<uint64_t>(status.st_size);
  if (begin.starts_with("\x1f\x8b")) return std::make_unique<StreamFile<Gzip>>(path, fd, bytes);
  if (begin == "BZh") return std::make_unique<StreamFile<Bzip2>>(path, fd, bytes);
  return std::make_unique<PlainFile>(path, fd, bytes);
}

}  // namespace toolformer
