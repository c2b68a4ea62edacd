#include "src/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

std::string SystemReason(int error) { return std::generic_category().message(error); }

// A descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

struct OpenedFile {
  Descriptor descriptor;
  uint64_t size = 0;
};

absl::Status OpenRegular(const std::string& path, OpenedFile* out) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  out->descriptor.fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (out->descriptor.fd < 0) {
    if (errno == ENOENT) return NotFound("{}: no such file", path);
    return Unavailable("{}: {}", path, SystemReason(errno));
  }
  struct stat info;
  if (fstat(out->descriptor.fd, &info) != 0) return Unavailable("{}: {}", path, SystemReason(errno));
  if (!S_ISREG(info.st_mode)) return InvalidArgument("{}: not a regular file", path);
  out->size = static_cast<uint64_t>(info.st_size);
  return absl::OkStatus();
}

}  // namespace

MappedFile::MappedFile(std::string path, const uint8_t* data, size_t size)
    : path_(std::move(path)), data_(data), size_(size) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  OpenedFile file;
  TF_RETURN_IF_ERROR(OpenRegular(path, &file));
  if (file.size == 0) return std::unique_ptr<MappedFile>(new MappedFile(path, nullptr, 0));
  void* data = mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.descriptor.fd, 0);
  if (data == MAP_FAILED) return Unavailable("{}: cannot be mapped: {}", path, SystemReason(errno));
  return std::unique_ptr<MappedFile>(new MappedFile(path, static_cast<const uint8_t*>(data), file.size));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes) {
  OpenedFile file;
  TF_RETURN_IF_ERROR(OpenRegular(path, &file));
  if (file.size > max_bytes) {
    return ResourceExhausted("{}: {} bytes, more than the limit of {}", path, file.size, max_bytes);
  }
  std::string content(file.size, '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = read(file.descriptor.fd, content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unavailable("{}: {}", path, SystemReason(errno));
    if (got == 0) break;  // became shorter since it was opened
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

AtomicFile::AtomicFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    close(fd_);
    unlink(temporary_.c_str());
  }
}

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return InvalidArgument("{}: exists and is not a regular file", path);
  }
  std::string temporary = path + ".tmp-XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return Unavailable("{}: cannot be written: {}", path, SystemReason(errno));
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(fd, 0666 & ~mask);  // mkostemp makes it private; a result file is not
  return std::unique_ptr<AtomicFile>(new AtomicFile(path, std::move(temporary), fd));
}

absl::Status AtomicFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unavailable("{}: cannot be written: {}", path_, SystemReason(errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return Unavailable("{}: cannot be written: {}", path_, SystemReason(errno));
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return Unavailable("{}: cannot be written: {}", path_, SystemReason(errno));
  }
  close(std::exchange(fd_, -1));
  return absl::OkStatus();
}

}  // namespace toolformer
