// A child process that is kept, and spoken to in lines.
#ifndef TOOLFORMER_SRC_HOST_LINE_PROCESS_H_
#define TOOLFORMER_SRC_HOST_LINE_PROCESS_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "src/host/child_process.h"

namespace toolformer {

struct LineProcessOptions {
  ProcessSpec process;
  size_t max_line_bytes = 1 << 20;     // of a line of its; a longer one ends the process
  size_t max_waiting_bytes = 4 << 20;  // written here and not yet read there
  // How long it may take to end by itself once its input is closed.
  std::chrono::milliseconds patience{500};
  // Both on the process's own thread, one at a time: a line without its line break; why it ended, once, as the last
  // call.
  std::function<void(std::string_view line)> on_line;
  std::function<void(const absl::Status& reason)> on_end;
};

// All reading and writing is done by a thread of the object's own, so that neither a process that reads nothing nor one
// that says nothing holds up anyone. Safe to use from several threads at once.
class LineProcess {
 public:
  static absl::StatusOr<std::unique_ptr<LineProcess>> Start(LineProcessOptions options);

  // Closes the process's input, waits for a moment, and ends what is left of it. Not on the process's own thread.
  ~LineProcess();
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;

  // Hands over a line, with the line break that is added. kUnavailable where the process has ended, kResourceExhausted
  // where it does not read.
  absl::Status Send(std::string_view line);

  // Ends the process at once, without waiting for it.
  void Abort();

 private:
  LineProcess(LineProcessOptions options, std::unique_ptr<ChildProcess> child, Pipe wake);

  void Run();
  void Wake() const;
  // False once the process is to be ended; then `reason` is set.
  bool Turn(absl::Status* reason);
  bool ReadLines(absl::Status* reason);
  void ReadErrors();
  void WriteWaiting();
  void EndQuietly();

  const LineProcessOptions options_;
  const std::unique_ptr<ChildProcess> child_;  // of the thread
  const Pipe wake_;
  std::string unread_;  // of the thread: the beginning of a line
  Tail said_;           // of the thread: standard error

  std::mutex mutex_;
  std::string waiting_;  // to be written
  bool has_ended_ = false;
  bool is_closing_ = false;
  std::atomic<bool> is_aborted_ = false;
  std::thread thread_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_LINE_PROCESS_H_
