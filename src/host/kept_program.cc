#include "src/host/kept_program.h"

#include <condition_variable>
#include <optional>
#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/call_limits.h"
#include "src/host/line_process.h"

namespace toolformer {

// A process, and what it said last.
class KeptProgram::Worker {
 public:
  static absl::StatusOr<std::unique_ptr<Worker>> Start(const ProgramToolOptions& options) {
    auto worker = std::make_unique<Worker>();
    LineProcessOptions own;
    own.process = {options.command, options.environment, options.working_folder};
    own.max_line_bytes = options.max_output_bytes;
    own.on_line = [raw = worker.get()](std::string_view line) { raw->NoteLine(line); };
    own.on_end = [raw = worker.get()](const absl::Status& reason) { raw->NoteEnd(reason); };
    TF_ASSIGN_OR_RETURN(worker->process_, LineProcess::Start(std::move(own)));
    return worker;
  }
  // The process ends before what its thread writes to.
  ~Worker() { process_.reset(); }

  // The line that answers `line`.
  absl::StatusOr<std::string> Ask(std::string_view line, const Interrupt& interrupt) {
    TF_RETURN_IF_ERROR(process_->Send(line));
    std::unique_lock lock(mutex_);
    while (!line_ && !ended_) {
      if (absl::Status status = interrupt.Check(); !status.ok()) {
        lock.unlock();
        process_->Abort();
        return status;
      }
      changed_.wait_for(lock, kInterruptPoll);
    }
    if (!line_) return *ended_;
    return *std::exchange(line_, std::nullopt);
  }

  // Whether it has ended, or says something that nobody asked for.
  bool IsOutOfStep() {
    const std::lock_guard lock(mutex_);
    return line_.has_value() || ended_.has_value();
  }
  void Abort() const { process_->Abort(); }

 private:
  void NoteLine(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (line_ || ended_) {
      ended_ = Unavailable("the program answered twice");
      return;
    }
    line_ = line;
    changed_.notify_all();
  }
  void NoteEnd(const absl::Status& reason) {
    const std::lock_guard lock(mutex_);
    ended_ = reason;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> line_;
  std::optional<absl::Status> ended_;
  std::unique_ptr<LineProcess> process_;
};

namespace {

absl::StatusOr<std::string> ReadAnswer(std::string_view line) {
  const absl::StatusOr<nlohmann::json> answer = ParseJson(line);
  if (answer.ok() && answer->is_object()) {
    if (const auto result = answer->find("result"); result != answer->end()) {
      return result->is_string() ? result->get<std::string>() : PrintJson(*result);
    }
    if (const auto error = answer->find("error"); error != answer->end()) {
      return InvalidArgument("{}", error->is_string() ? error->get<std::string>() : PrintJson(*error));
    }
  }
  return Internal("the program answered '{}', not {{\"result\": ...}} or {{\"error\": ...}}", line.substr(0, 100));
}

}  // namespace

KeptProgram::KeptProgram(ProgramToolOptions options) : options_(std::move(options)) {}
KeptProgram::~KeptProgram() = default;

absl::StatusOr<std::string> KeptProgram::Call(std::string_view input, const ToolContext& context) {
  const Interrupt interrupt = Within(context.interrupt, options_.deadline);
  TF_RETURN_IF_ERROR(interrupt.Check());
  nlohmann::json request = {{"input", std::string(input)}};
  if (context.document_date) request["date"] = FormatIsoDate(*context.document_date);
  TF_ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker, Take());
  const absl::StatusOr<std::string> line = worker->Ask(PrintJson(request), interrupt);
  absl::StatusOr<std::string> result = line.ok() ? ReadAnswer(*line) : line;
  // One that did not answer as agreed may answer the next call with what belongs to this one.
  const bool keep = line.ok() && !absl::IsInternal(result.status()) && !worker->IsOutOfStep();
  if (!keep) worker->Abort();
  Return(keep ? std::move(worker) : nullptr);
  if (absl::IsDeadlineExceeded(result.status())) {
    return DeadlineExceeded("the program did not answer in time and was killed");
  }
  return result;
}

absl::StatusOr<std::unique_ptr<KeptProgram::Worker>> KeptProgram::Take() {
  std::vector<std::unique_ptr<Worker>> of_no_use;  // ended outside the lock
  {
    const std::lock_guard lock(mutex_);
    if (at_work_ >= options_.max_processes) {
      return ResourceExhausted("{} processes of the program are at work", at_work_);
    }
    ++at_work_;
    while (!idle_.empty()) {
      std::unique_ptr<Worker> worker = std::move(idle_.back());
      idle_.pop_back();
      if (!worker->IsOutOfStep()) return worker;
      worker->Abort();
      of_no_use.push_back(std::move(worker));
    }
  }
  absl::StatusOr<std::unique_ptr<Worker>> started = Worker::Start(options_);
  if (!started.ok()) Return(nullptr);
  return started;
}

void KeptProgram::Return(std::unique_ptr<Worker> worker) {
  const std::lock_guard lock(mutex_);
  --at_work_;
  if (worker != nullptr) idle_.push_back(std::move(worker));
}

}  // namespace toolformer
