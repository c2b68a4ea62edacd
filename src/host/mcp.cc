#include "toolformer/mcp.h"

#include <condition_variable>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "src/base/status.h"
#include "src/host/call_limits.h"
#include "src/host/mcp_session.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

using std::chrono::milliseconds;

// The connection that all tools of a server share. Safe to use from several threads at once.
class McpConnection {
 public:
  explicit McpConnection(McpServerOptions options) : options_(std::move(options)) {}
  ~McpConnection() {
    cancel_.Cancel();
    if (opener_.joinable()) opener_.join();
  }
  McpConnection(const McpConnection&) = delete;
  McpConnection& operator=(const McpConnection&) = delete;

  // The session; a new one where the last is of no more use. It is opened on a thread of its own: a server may take
  // longer to start than a call may take, and is there for the next call then.
  absl::StatusOr<std::shared_ptr<McpSession>> Session(const Interrupt& interrupt) {
    std::unique_lock lock(mutex_);
    if (session_ != nullptr && session_->IsAlive()) return session_;
    if (!is_opening_) TF_RETURN_IF_ERROR(StartOpening());
    while (is_opening_) {
      if (const absl::Status status = interrupt.Check(); !status.ok())
        return Annotate(status, "waiting for the server to start");
      opened_.wait_for(lock, kInterruptPoll);
    }
    if (session_ == nullptr) return failure_;
    return session_;
  }

  absl::StatusOr<std::string> Call(const std::string& tool, std::string_view input, const Interrupt& interrupt) {
    const Interrupt limited = Within(interrupt, options_.deadline);
    for (int attempt = 0;; ++attempt) {
      TF_ASSIGN_OR_RETURN(const std::shared_ptr<McpSession> session, Session(limited));
      absl::StatusOr<std::string> result = session->Call(tool, input, limited);
      // A session that has ended was told so before anything was done: the call is made in a new one.
      if (!absl::IsAborted(result.status())) return result;
      if (attempt > 0) return Unavailable("{}", std::string(result.status().message()));
    }
  }

 private:
  // With the lock held.
  absl::Status StartOpening() {
    if (opener_.joinable()) opener_.join();  // it has ended, or is about to and needs the lock no more
    try {
      opener_ = std::thread([this, old = std::exchange(session_, nullptr)]() mutable {
        old.reset();
        const Interrupt limits = Within({.cancel = &cancel_}, options_.start_deadline);
        absl::StatusOr<std::shared_ptr<McpSession>> opened = McpSession::Open(options_, limits);
        const std::lock_guard lock(mutex_);
        is_opening_ = false;
        failure_ = opened.status();
        if (opened.ok()) session_ = *std::move(opened);
        opened_.notify_all();
      });
    } catch (const std::system_error& error) {
      return ResourceExhausted("no thread could be started: {}", error.what());
    }
    is_opening_ = true;
    return absl::OkStatus();
  }

  const McpServerOptions options_;
  CancelToken cancel_;
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_opening_ = false;
  absl::Status failure_;
  std::shared_ptr<McpSession> session_;
  std::thread opener_;
};

// A name that a call can have, and no other tool of the server has.
std::string ValidName(const std::string& prefix, const std::string& name, std::set<std::string>* taken) {
  std::string valid;
  for (const char c : prefix + name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    valid += fits ? c : '_';
  }
  if (valid.empty() || (valid[0] >= '0' && valid[0] <= '9')) valid.insert(0, "_");
  constexpr size_t kRoom = 6;  // for a number that tells it from another
  if (valid.size() > kMaxToolNameBytes - kRoom) valid.resize(kMaxToolNameBytes - kRoom);
  std::string unique = valid;
  for (int i = 2; !taken->insert(unique).second; ++i) unique = valid + "_" + std::to_string(i);
  return unique;
}

absl::Status CheckOptions(const McpServerOptions& options) {
  if (options.command.empty() == options.url.empty()) {
    return InvalidArgument("a server is either started by a command or spoken to at a url, and {} is given",
                           options.command.empty() ? "neither" : "both");
  }
  if (!options.url.empty()) TF_RETURN_IF_ERROR(CheckHttpUrl(options.url));
  if (options.start_deadline < milliseconds(1)) return InvalidArgument("start_deadline is not at least 1 ms");
  if (options.deadline < milliseconds(1)) return InvalidArgument("deadline is not at least 1 ms");
  const std::set<std::string> known = {"", "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
  if (known.count(options.protocol) == 0) {
    return InvalidArgument(
        "protocol '{}' is not known; there are 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26 and 2024-11-05",
        options.protocol.substr(0, 32));
  }
  return JsonPath::Parse(options.result).status();
}

}  // namespace

absl::StatusOr<std::vector<McpTool>> ConnectMcpServer(const McpServerOptions& options) {
  TF_RETURN_IF_ERROR(CheckOptions(options));
  const auto connection = std::make_shared<McpConnection>(options);
  TF_ASSIGN_OR_RETURN(const std::shared_ptr<McpSession> session, connection->Session({}));
  std::vector<McpTool> tools;
  std::set<std::string> taken;
  for (const McpToolEntry& entry : session->ListTools()) {
    Tool tool;
    tool.name = ValidName(options.name_prefix, entry.name, &taken);
    tool.free_of_side_effects = options.trust_annotations && entry.is_read_only;
    tool.cacheable = tool.free_of_side_effects;
    entry.arguments->Describe(entry.description, &tool);
    tool.call = [connection, name = entry.name](std::string_view input, const ToolContext& context) {
      return connection->Call(name, input, context.interrupt);
    };
    tools.push_back({entry.name, std::move(tool)});
  }
  if (tools.empty()) return FailedPrecondition("the server lists no tool that can be used");
  return tools;
}

}  // namespace toolformer
