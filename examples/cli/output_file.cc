#include "output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "failure.h"

namespace toolformer::cli {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

std::string TemporaryPath(const std::string& path) { return path + ".tmp"; }

absl::Status CheckRegular(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return Failure("{}: exists and is not a regular file", path);
  }
  return absl::OkStatus();
}

absl::Status CannotBeWritten(const std::string& path) {
  return Failure("{}: cannot be written: {}", path, SystemReason(errno));
}

}  // namespace

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return CannotBeWritten(path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> OpenLocked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (fd < 0) return CannotBeWritten(path);
  struct stat opened, named;
  absl::Status status;
  if (fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode)) {
    status = Failure("{}: exists and is not a regular file", path);
  } else if (flock(fd, LOCK_EX | LOCK_NB) != 0 || stat(path.c_str(), &named) != 0 || named.st_ino != opened.st_ino) {
    // Locked, or renamed by its writer between the opening and the locking.
    status = Failure("{}: another process is writing it", path);
  }
  if (status.ok()) return fd;
  close(fd);
  return status;
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path) {
  CLI_RETURN_IF_ERROR(CheckRegular(path));
  const std::string temporary = TemporaryPath(path);
  CLI_ASSIGN_OR_RETURN(const int fd, OpenLocked(temporary));
  std::unique_ptr<OutputFile> file(new OutputFile(path, fd));
  // What a process that was killed left there.
  if (ftruncate(fd, 0) != 0) return CannotBeWritten(path);
  return file;
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(TemporaryPath(path_).c_str());
}

absl::Status OutputFile::Flush() {
  CLI_RETURN_IF_ERROR(WriteAll(fd_, buffer_, path_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status OutputFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status OutputFile::Commit() {
  CLI_RETURN_IF_ERROR(Flush());
  // Without the sync a power failure can leave the new name with an empty file.
  if (fsync(fd_) != 0 || rename(TemporaryPath(path_).c_str(), path_.c_str()) != 0) {
    return CannotBeWritten(path_);
  }
  close(std::exchange(fd_, -1));
  SyncFolder(path_);
  return absl::OkStatus();
}

absl::Status CheckWritable(const std::string& path) {
  CLI_RETURN_IF_ERROR(CheckRegular(path));
  std::string trial = path + ".XXXXXX";
  const int fd = mkostemp(trial.data(), O_CLOEXEC);
  if (fd < 0) return CannotBeWritten(path);
  close(fd);
  unlink(trial.c_str());
  return absl::OkStatus();
}

void SyncFolder(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace toolformer::cli
