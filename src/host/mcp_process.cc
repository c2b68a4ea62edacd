// The Model Context Protocol over a child process's standard streams.
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/call_limits.h"
#include "src/host/line_process.h"
#include "src/host/mcp_transport.h"

namespace toolformer {
namespace {

using nlohmann::json;

class ProcessTransport : public McpTransport {
 public:
  explicit ProcessTransport(McpNotified notified) : notified_(std::move(notified)) {}
  // The process ends before what its thread writes to.
  ~ProcessTransport() override {
    std::unique_ptr<LineProcess> process;
    {
      const std::lock_guard lock(mutex_);
      process.swap(process_);
    }
  }

  absl::Status Start(const McpServerOptions& options) {
    LineProcessOptions own;
    own.process = {options.command, options.environment, options.working_folder};
    own.max_line_bytes = options.max_message_bytes;
    own.on_line = [this](std::string_view line) { ReadLine(line); };
    own.on_end = [this](const absl::Status& reason) { End(reason); };
    // The thread may have lines before this assignment is done; it sends only where it finds the process.
    absl::StatusOr<std::unique_ptr<LineProcess>> started = LineProcess::Start(std::move(own));
    if (!started.ok()) return started.status();
    const std::lock_guard lock(mutex_);
    process_ = *std::move(started);
    return absl::OkStatus();
  }

  absl::StatusOr<json> Exchange(const json& request, const HttpHeaders& /*headers*/,
                                const Interrupt& interrupt) override {
    const auto id = request.at("id").get<int64_t>();
    uint64_t heard_before = 0;
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return *ended_;
      waiting_.try_emplace(id);
      heard_before = heard_;
    }
    if (absl::Status sent = process_->Send(PrintJson(request)); !sent.ok()) {
      const std::lock_guard lock(mutex_);
      waiting_.erase(id);
      return ended_ ? *ended_ : sent;
    }
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto waiting = waiting_.find(id);
      if (waiting->second) {
        absl::StatusOr<json> answer = *std::move(waiting->second);
        waiting_.erase(waiting);
        return answer;
      }
      if (const absl::Status status = interrupt.Check(); !status.ok()) {
        waiting_.erase(waiting);
        const bool is_deaf = heard_ == heard_before && absl::IsDeadlineExceeded(status);
        const std::string said = garbage_.empty() ? "" : "; it wrote what is no message: " + garbage_;
        lock.unlock();
        GiveUp(id, is_deaf);
        return absl::IsDeadlineExceeded(status) ? DeadlineExceeded("the server did not answer in time{}", said)
                                                : status;
      }
      changed_.wait_for(lock, kInterruptPoll);
    }
  }

  absl::Status Notify(const json& message, const Interrupt& /*interrupt*/) override {
    return process_->Send(PrintJson(message));
  }

  bool IsAlive() const override {
    const std::lock_guard lock(mutex_);
    return !ended_;
  }
  bool IsOneStream() const override { return true; }

 private:
  // A server that said nothing at all for as long as a call may take is taken for dead; another one is told that nobody
  // waits any more.
  void GiveUp(int64_t id, bool is_deaf) {
    if (is_deaf) {
      process_->Abort();
      End(Unavailable("the server was ended because it did not answer"));
      return;
    }
    const json cancelled = {{"jsonrpc", "2.0"},
                            {"method", "notifications/cancelled"},
                            {"params", {{"requestId", id}, {"reason", "the caller waits no longer"}}}};
    (void)process_->Send(PrintJson(cancelled));
  }

  void End(const absl::Status& reason) {
    const std::lock_guard lock(mutex_);
    if (!ended_) ended_ = reason;
    for (auto& [id, answer] : waiting_) {
      if (!answer) answer = *ended_;
    }
    changed_.notify_all();
  }

  void ReadLine(std::string_view line) {
    {
      const std::lock_guard lock(mutex_);
      ++heard_;
    }
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    const absl::StatusOr<json> message = ParseJson(line);
    if (message.ok() && message->is_array()) {  // revision 2025-03-26 had batches
      for (const json& each : *message) ReadMessage(each);
    } else if (message.ok() && message->is_object()) {
      ReadMessage(*message);
    } else {
      NoteGarbage(line);
    }
  }

  // What is no message may be a program's banner or the debris of an answer: where it looks like the latter and one
  // call waits, that call need not wait any longer.
  void NoteGarbage(std::string_view line) {
    const std::lock_guard lock(mutex_);
    Tail tail;
    tail.Append(line.substr(0, 80));
    garbage_ = tail.Message().substr(2);
    const bool looks_like_answer = has_spoken_ && (line[0] == '{' || line[0] == '[');
    if (looks_like_answer && waiting_.size() == 1 && !waiting_.begin()->second) {
      waiting_.begin()->second = Internal("the server answered with what is no message: {}", garbage_);
      changed_.notify_all();
    }
  }

  void ReadMessage(const json& message) {
    if (!message.is_object()) return;
    const auto method = message.find("method");
    if (method != message.end() && method->is_string()) {
      if (!message.contains("id")) {
        notified_(method->get<std::string>());
        return;
      }
      const json answer = AnswerServer(message);
      const std::lock_guard lock(mutex_);
      if (process_ != nullptr) (void)process_->Send(PrintJson(answer));
      return;
    }
    const auto id = message.find("id");
    if (id == message.end() || !id->is_number_integer()) return;
    const std::lock_guard lock(mutex_);
    has_spoken_ = true;
    const auto waiting = waiting_.find(id->get<int64_t>());
    if (waiting == waiting_.end() || waiting->second) return;  // nobody waits, or it answers twice
    waiting->second = IsResponse(message) ? absl::StatusOr<json>(message)
                                          : Internal("the server answered with neither a result nor an error");
    changed_.notify_all();
  }

  const McpNotified notified_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, std::optional<absl::StatusOr<json>>> waiting_;  // by id
  std::optional<absl::Status> ended_;
  uint64_t heard_ = 0;       // lines
  bool has_spoken_ = false;  // an answer
  std::string garbage_;
  std::unique_ptr<LineProcess> process_;
};

}  // namespace

json AnswerServer(const json& request) {
  json answer = {{"jsonrpc", "2.0"}, {"id", request.at("id")}};
  if (request.at("method") == "ping") {
    answer["result"] = json::object();
  } else {
    answer["error"] = {{"code", -32601}, {"message", "Method not found"}};
  }
  return answer;
}

bool IsResponse(const json& message) {
  if (const auto error = message.find("error"); error != message.end()) return error->is_object();
  const auto result = message.find("result");
  return result != message.end() && result->is_object();
}

absl::StatusOr<std::unique_ptr<McpTransport>> StartMcpProcess(const McpServerOptions& options, McpNotified notified) {
  auto transport = std::make_unique<ProcessTransport>(std::move(notified));
  TF_RETURN_IF_ERROR(transport->Start(options));
  return transport;
}

}  // namespace toolformer
