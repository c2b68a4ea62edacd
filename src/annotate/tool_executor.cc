#include "toolformer/tool_executor.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

using std::chrono::steady_clock;

// How often a wait looks at the caller's cancel token.
constexpr std::chrono::milliseconds kCancelPoll{20};

absl::StatusOr<std::string> CallTool(const Tool& tool, const std::string& input, const ToolContext& context) {
  try {
    return tool.call(input, context);
  } catch (const std::exception& error) {
    return Internal("the tool threw an exception: {}", error.what());
  } catch (...) {
    return Internal("the tool threw something that is not an exception");
  }
}

// Line breaks and blanks around a result are the habit of programs, not part of what they say.
std::string_view WithoutOuterBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Shared by the caller and the tool's thread; whoever leaves last frees it.
struct Running {
  std::shared_ptr<const Tool> tool;
  std::string input;
  ToolContext context;
  CancelToken cancel;  // the tool's own: the caller's may be gone when the tool looks
  std::shared_ptr<std::atomic<int>> abandoned;

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<absl::StatusOr<std::string>> result;
  bool is_abandoned = false;
};

void RunOnThread(const std::shared_ptr<Running>& running) {
  absl::StatusOr<std::string> result = CallTool(*running->tool, running->input, running->context);
  // Before anyone sees the answer: whoever waits for it may let go of the tool, and expects what it holds to go too.
  running->tool.reset();
  const std::lock_guard lock(running->mutex);
  running->result = std::move(result);
  if (running->is_abandoned) --*running->abandoned;
  running->changed.notify_one();
}

}  // namespace

ToolExecutor::ToolExecutor(const ToolRegistry& registry, ToolExecutorOptions options)
    : registry_(registry), options_(options), abandoned_(std::make_shared<std::atomic<int>>(0)) {}

ToolExecutor::Key ToolExecutor::KeyOf(const Call& call, const std::optional<Date>& date) {
  return {call.tool, call.input, date ? FormatIsoDate(*date) : ""};
}

absl::StatusOr<std::string> ToolExecutor::Run(const std::shared_ptr<const Tool>& tool, const std::string& input,
                                              const ToolContext& context) const {
  if (tool->returns_at_once) return CallTool(*tool, input, context);
  if (*abandoned_ >= options_.max_abandoned) {
    return ResourceExhausted("{} earlier calls have not returned yet", abandoned_->load());
  }
  auto running = std::make_shared<Running>();
  running->tool = tool;
  running->input = input;
  running->context = context;
  running->abandoned = abandoned_;
  const std::chrono::milliseconds allowed = tool->deadline.value_or(options_.deadline);
  const auto deadline = std::min(steady_clock::now() + allowed, context.interrupt.deadline);
  running->context.interrupt = {&running->cancel, deadline};
  try {
    std::thread(RunOnThread, running).detach();
  } catch (const std::system_error& error) {
    return ResourceExhausted("no thread could be started for the tool: {}", error.what());
  }
  std::unique_lock lock(running->mutex);
  while (!running->result) {
    const absl::Status interrupted = context.interrupt.Check();
    if (!interrupted.ok() || steady_clock::now() >= deadline) {
      running->cancel.Cancel();
      running->is_abandoned = true;
      ++*abandoned_;
      if (!interrupted.ok()) return interrupted;
      return DeadlineExceeded("the tool did not answer within {} ms", allowed.count());
    }
    running->changed.wait_until(lock, std::min(deadline, steady_clock::now() + kCancelPoll));
  }
  return *std::move(running->result);
}

absl::StatusOr<std::string> ToolExecutor::Execute(const Call& call, const ToolContext& context) {
  TF_RETURN_IF_ERROR(context.interrupt.Check());
  const std::shared_ptr<const Tool> tool = registry_.Find(call.tool);
  if (tool == nullptr) return NotFound("unknown tool '{}'; there are: {}", call.tool, registry_.Names());
  const Key key = KeyOf(call, context.document_date);
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = results_.find(key); known != results_.end()) return known->second;
  }
  absl::StatusOr<std::string> result = Run(tool, call.input, context);
  // The caller's own interruption says nothing about the call.
  TF_RETURN_IF_ERROR(context.interrupt.Check());
  if (result.ok()) result = NeutralizeResult(WithoutOuterBlanks(*result), options_.max_result_bytes);
  const std::lock_guard lock(mutex_);
  if (tool->cacheable && results_.size() < options_.max_cached_results) results_.emplace(key, result);
  return result;
}

absl::StatusOr<std::vector<absl::StatusOr<std::string>>> ToolExecutor::ExecuteAll(std::span<const ToolRequest> requests,
                                                                                  const Interrupt& interrupt) {
  std::vector<absl::StatusOr<std::string>> results;
  std::map<Key, size_t> first_of;  // equal requests
  for (const ToolRequest& request : requests) {
    const std::shared_ptr<const Tool> tool = registry_.Find(request.call.tool);
    if (tool != nullptr && tool->cacheable) {
      const auto [first, added] = first_of.try_emplace(KeyOf(request.call, request.document_date), results.size());
      if (!added) {
        absl::StatusOr<std::string> known = results[first->second];
        results.push_back(std::move(known));
        continue;
      }
    }
    results.push_back(Execute(request.call, {request.document_date, interrupt}));
    TF_RETURN_IF_ERROR(interrupt.Check());
  }
  return results;
}

}  // namespace toolformer
