#include "src/host/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "src/base/status.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

constexpr size_t kTailBytes = 512;

std::string ErrorText(int error) { return std::generic_category().message(error); }

// Away from the standard streams: the child's are put there one after the other.
absl::Status MoveUp(Descriptor* descriptor) {
  if (descriptor->get() > STDERR_FILENO) return absl::OkStatus();
  const int moved = fcntl(descriptor->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0) return ResourceExhausted("no file descriptor: {}", ErrorText(errno));
  *descriptor = Descriptor(moved);
  return absl::OkStatus();
}

absl::Status CheckText(std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos) return InvalidArgument("{} holds a NUL byte", what);
  return absl::OkStatus();
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status SpawnError(int error, const ProcessSpec& spec) {
  const std::string name = spec.command[0].substr(0, 200);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return NotFound("program '{}' was not found{}", name,
                      spec.working_folder.empty() ? "" : " (or its working folder)");
    case EACCES:
    case ENOEXEC:
      return absl::PermissionDeniedError(fmt::format("program '{}' cannot be run: {}", name, ErrorText(error)));
    default:
      return ResourceExhausted("program '{}' cannot be run: {}", name, ErrorText(error));
  }
}

// The attributes and actions of posix_spawn, freed with the object.
struct Spawning {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  Spawning() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
  }
  ~Spawning() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  Spawning(const Spawning&) = delete;
  Spawning& operator=(const Spawning&) = delete;
};

absl::Status StatusOf(const siginfo_t& info) {
  if (info.si_code != CLD_EXITED) return Unavailable("ended by signal {}", info.si_status);
  return info.si_status == 0 ? absl::OkStatus() : InvalidArgument("ended with status {}", info.si_status);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::StatusOr<Pipe> Pipe::Make() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ResourceExhausted("no pipe: {}", ErrorText(errno));
  Pipe made{Descriptor(ends[0]), Descriptor(ends[1])};
  TF_RETURN_IF_ERROR(MoveUp(&made.read));
  TF_RETURN_IF_ERROR(MoveUp(&made.write));
  return made;
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ProcessSpec& spec) {
  if (spec.command.empty() || spec.command[0].empty()) return InvalidArgument("the command is empty");
  std::vector<std::string> arguments = spec.command, environment;
  for (const std::string& argument : arguments) TF_RETURN_IF_ERROR(CheckText(argument, "an argument of the command"));
  for (const auto& [name, value] : spec.environment) {
    if (name.empty() || name.find('=') != std::string::npos)
      return InvalidArgument("'{}' is no name in an environment", name);
    environment.push_back(fmt::format("{}={}", name, value));
    TF_RETURN_IF_ERROR(CheckText(environment.back(), "the environment"));
  }
  TF_RETURN_IF_ERROR(CheckText(spec.working_folder, "the working folder"));
  TF_ASSIGN_OR_RETURN(Pipe in, Pipe::Make());
  TF_ASSIGN_OR_RETURN(Pipe out, Pipe::Make());
  TF_ASSIGN_OR_RETURN(Pipe err, Pipe::Make());

  Spawning spawning;
  posix_spawn_file_actions_adddup2(&spawning.actions, in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&spawning.actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&spawning.actions, err.write.get(), STDERR_FILENO);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  posix_spawn_file_actions_addclosefrom_np(&spawning.actions, STDERR_FILENO + 1);
#endif
  if (!spec.working_folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&spawning.actions, spec.working_folder.c_str());
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&spawning.attributes, &none);
  posix_spawnattr_setsigdefault(&spawning.attributes, &all);
  posix_spawnattr_setflags(&spawning.attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments[0].c_str(), &spawning.actions, &spawning.attributes,
                                 Pointers(&arguments).data(), Pointers(&environment).data());
  if (error != 0) return SpawnError(error, spec);
  std::unique_ptr<ChildProcess> child(new ChildProcess(pid));
  child->input = std::move(in.write);
  child->output = std::move(out.read);
  child->errors = std::move(err.read);
  for (const Descriptor* end : {&child->input, &child->output, &child->errors}) {
    fcntl(end->get(), F_SETFL, fcntl(end->get(), F_GETFL) | O_NONBLOCK);
  }
  return child;
}

ChildProcess::~ChildProcess() { Kill(); }

std::optional<absl::Status> ChildProcess::TryWait() {
  if (ended_) return ended_;
  siginfo_t info{};
  // Without reaping it: while it is a zombie its number, and that of its children's group, belongs to nobody else.
  const int result = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (result == 0 && info.si_pid == 0) return std::nullopt;
  if (result != 0 && errno == EINTR) return std::nullopt;
  // A host that ignores SIGCHLD has its children reaped unseen.
  ended_ = result == 0 ? StatusOf(info) : Unavailable("ended in an unknown way");
  is_reaped_ = result != 0;
  return ended_;
}

void ChildProcess::Signal(int number) const {
  if (!is_reaped_) kill(-pid_, number);
}

void ChildProcess::Kill() {
  if (is_reaped_) return;
  Signal(SIGKILL);
  int ignored = 0;
  while (waitpid(pid_, &ignored, 0) < 0 && errno == EINTR) {
  }
  is_reaped_ = true;
  if (!ended_) ended_ = Unavailable("ended by signal {}", SIGKILL);
}

ssize_t WriteQuietly(int fd, std::string_view bytes) {
  sigset_t pipe, old, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe, &old);
  const ssize_t written = write(fd, bytes.data(), bytes.size());
  const int error = errno;
  if (written < 0 && error == EPIPE && !was_pending) {
    const timespec at_once{0, 0};
    while (sigtimedwait(&pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  errno = error;
  return written;
}

void Tail::Append(std::string_view bytes) {
  bytes_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes)));
  if (bytes_.size() > kTailBytes) bytes_.erase(0, bytes_.size() - kTailBytes);
}

std::string Tail::Message() const {
  std::string line = NeutralizeResult(bytes_, kTailBytes);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line.empty() ? "" : ": " + line;
}

}  // namespace toolformer
