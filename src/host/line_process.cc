#include "src/host/line_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "src/base/status.h"

namespace toolformer {
namespace {

std::string Describe(const std::optional<absl::Status>& ended, std::string_view otherwise) {
  if (!ended) return std::string(otherwise);
  return ended->ok() ? "ended" : std::string(ended->message());
}

using std::chrono::steady_clock;

constexpr int kPollMilliseconds = 200;  // how often an end without a sign is looked for

}  // namespace

LineProcess::LineProcess(LineProcessOptions options, std::unique_ptr<ChildProcess> child, Pipe wake)
    : options_(std::move(options)), child_(std::move(child)), wake_(std::move(wake)) {}

absl::StatusOr<std::unique_ptr<LineProcess>> LineProcess::Start(LineProcessOptions options) {
  TF_ASSIGN_OR_RETURN(Pipe wake, Pipe::Make());
  fcntl(wake.read.get(), F_SETFL, O_NONBLOCK);
  fcntl(wake.write.get(), F_SETFL, O_NONBLOCK);
  TF_ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> child, ChildProcess::Start(options.process));
  std::unique_ptr<LineProcess> process(new LineProcess(std::move(options), std::move(child), std::move(wake)));
  try {
    process->thread_ = std::thread([raw = process.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return ResourceExhausted("no thread could be started: {}", error.what());
  }
  return process;
}

LineProcess::~LineProcess() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  Wake();
  thread_.join();
}

void LineProcess::Wake() const { (void)!write(wake_.write.get(), "", 1); }

absl::Status LineProcess::Send(std::string_view line) {
  {
    const std::lock_guard lock(mutex_);
    if (has_ended_ || is_aborted_) return Unavailable("the process has ended");
    if (waiting_.size() + line.size() >= options_.max_waiting_bytes) {
      return ResourceExhausted("the process does not read what is written to it ({} bytes)", waiting_.size());
    }
    waiting_.append(line);
    waiting_ += '\n';
  }
  Wake();
  return absl::OkStatus();
}

void LineProcess::Abort() {
  is_aborted_ = true;
  Wake();
}

void LineProcess::Run() {
  absl::Status reason;
  while (Turn(&reason)) {
  }
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  child_->Kill();
  if (options_.on_end) options_.on_end(reason);
}

bool LineProcess::Turn(absl::Status* reason) {
  if (is_aborted_) {
    *reason = Unavailable("the process was ended");
    return false;
  }
  bool is_writing = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_closing_) {
      *reason = Unavailable("the process was ended");
    }
    is_writing = !waiting_.empty();
  }
  if (!reason->ok()) {
    EndQuietly();
    return false;
  }
  std::array<pollfd, 4> wanted = {{{wake_.read.get(), POLLIN, 0},
                                   {child_->output.get(), POLLIN, 0},
                                   {child_->errors.get(), POLLIN, 0},
                                   {is_writing ? child_->input.get() : -1, POLLOUT, 0}}};
  poll(wanted.data(), wanted.size(), kPollMilliseconds);
  if (wanted[0].revents != 0) {
    std::array<char, 256> ignored;
    while (read(wake_.read.get(), ignored.data(), ignored.size()) > 0) {
    }
  }
  if (wanted[2].revents != 0) ReadErrors();
  if (wanted[3].revents != 0) WriteWaiting();
  // An end may leave lines behind: they are read first.
  const std::optional<absl::Status> ended = child_->TryWait();
  if (!ReadLines(reason)) return false;
  if (!ended) return true;
  ReadErrors();
  *reason = Unavailable("the process {}{}", Describe(ended, ""), said_.Message());
  return false;
}

bool LineProcess::ReadLines(absl::Status* reason) {
  std::array<char, 65536> buffer;
  for (int turn = 0; turn < 16 && child_->output.is_open(); ++turn) {
    const ssize_t count = read(child_->output.get(), buffer.data(), buffer.size());
    if (count < 0) return true;  // nothing there, or interrupted
    if (count == 0) {
      // A process that closed its output without ending is of no more use.
      child_->output.Close();
      const auto end = steady_clock::now() + options_.patience;
      while (!child_->TryWait() && steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::optional<absl::Status> ended = child_->TryWait();
      ReadErrors();
      *reason = Unavailable("the process {}{}", Describe(ended, "closed its output"), said_.Message());
      return false;
    }
    std::string_view bytes(buffer.data(), static_cast<size_t>(count));
    for (size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
      unread_.append(bytes.substr(0, end));
      bytes.remove_prefix(end + 1);
      if (unread_.size() > options_.max_line_bytes) break;
      if (!unread_.empty() && unread_.back() == '\r') unread_.pop_back();
      options_.on_line(unread_);
      unread_.clear();
    }
    unread_.append(bytes);
    if (unread_.size() > options_.max_line_bytes) {
      *reason = ResourceExhausted("the process wrote a line of more than {} bytes", options_.max_line_bytes);
      return false;
    }
  }
  return true;
}

void LineProcess::ReadErrors() {
  std::array<char, 4096> buffer;
  for (int turn = 0; turn < 16 && child_->errors.is_open(); ++turn) {
    const ssize_t count = read(child_->errors.get(), buffer.data(), buffer.size());
    if (count < 0) return;
    if (count == 0) child_->errors.Close();
    said_.Append({buffer.data(), static_cast<size_t>(count)});
  }
}

void LineProcess::WriteWaiting() {
  const std::lock_guard lock(mutex_);
  const ssize_t count = WriteQuietly(child_->input.get(), waiting_);
  if (count > 0) {
    waiting_.erase(0, static_cast<size_t>(count));
  } else if (errno != EAGAIN && errno != EINTR) {
    child_->input.Close();  // nobody reads any more; the end of its output says why
    waiting_.clear();
  }
}

void LineProcess::EndQuietly() {
  child_->input.Close();
  for (const int signal : {0, SIGTERM}) {
    if (signal != 0) child_->Signal(signal);
    const auto end = steady_clock::now() + options_.patience;
    while (!is_aborted_ && steady_clock::now() < end) {
      if (child_->TryWait()) return;
      // What it still says is nobody's any more, but must not hold it up.
      std::array<char, 4096> ignored;
      (void)!read(child_->output.get(), ignored.data(), ignored.size());
      (void)!read(child_->errors.get(), ignored.data(), ignored.size());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

}  // namespace toolformer
