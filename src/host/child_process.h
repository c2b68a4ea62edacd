// Child processes: started without a shell, with nothing of the host's but what is said, ended together with their
// children.
#ifndef TOOLFORMER_SRC_HOST_CHILD_PROCESS_H_
#define TOOLFORMER_SRC_HOST_CHILD_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

struct ProcessSpec {
  // The program and its arguments. A name without a slash is looked for in the host's PATH.
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  // all of it
  std::string working_folder;                      // empty: the host's
};

// A file descriptor that is closed with the object.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Close();

 private:
  int fd_;
};

// Both ends are closed on exec, and lie above the standard streams.
struct Pipe {
  Descriptor read, write;
  static absl::StatusOr<Pipe> Make();
};

// A child process with pipes to its standard streams, whose ends here do not block. It leads a session of its own: what
// it starts ends with it, unless that starts a session in turn. Open files, signal handlers and masks of the host are
// not passed on.
class ChildProcess {
 public:
  // kNotFound, kPermissionDenied, kResourceExhausted, kInvalidArgument (an empty command, a NUL byte).
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ProcessSpec& spec);
  ~ChildProcess();  // Kill
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  Descriptor input, output, errors;

  // How the process has ended ("status 3", "signal 9"), or nothing while it runs. Ok is status 0.
  std::optional<absl::Status> TryWait();

  // Sends a signal to the process and its children.
  void Signal(int number) const;

  // Ends the process and its children, and waits until it has ended.
  void Kill();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  std::optional<absl::Status> ended_;
  bool is_reaped_ = false;
};

// write(2) without SIGPIPE, whatever the host does with that signal.
ssize_t WriteQuietly(int fd, std::string_view bytes);

// The last bytes that were appended: what a program says before it fails is at the end.
class Tail {
 public:
  void Append(std::string_view bytes);
  // Ready for a message: ": what it says", on one line; empty where nothing was said.
  std::string Message() const;

 private:
  std::string bytes_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_CHILD_PROCESS_H_
