#include "toolformer/tool_executor.h"

#include <map>
#include <utility>

#include "src/base/status.h"
#include "src/execute/call_engine.h"

namespace toolformer {

ToolExecutor::ToolExecutor(const ToolRegistry& registry, ToolExecutorOptions options)
    : registry_(registry), engine_(std::make_unique<CallEngine>(registry, std::move(options))) {}

ToolExecutor::~ToolExecutor() = default;

absl::StatusOr<std::string> ToolExecutor::Execute(const Call& call, const ToolContext& context) {
  TF_RETURN_IF_ERROR(context.interrupt.Check());
  PendingCalls calls(*this, context.interrupt);
  calls.Add(0, {call, context.document_date});
  absl::StatusOr<std::string> result = std::move(calls.Take(PendingCalls::Wait::kForOne).front().result);
  // The caller's own interruption goes before what the tool says.
  TF_RETURN_IF_ERROR(context.interrupt.Check());
  return result;
}

absl::StatusOr<std::vector<absl::StatusOr<std::string>>> ToolExecutor::ExecuteAll(std::span<const ToolRequest> requests,
                                                                                  const Interrupt& interrupt) {
  PendingCalls calls(*this, interrupt);
  std::map<CallEngine::Key, size_t> first_of;        // equal requests
  std::vector<size_t> answered_by(requests.size());  // the request that runs for this one
  for (size_t i = 0; i < requests.size(); ++i) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    answered_by[i] = i;
    const std::shared_ptr<const Tool> tool = registry_.Find(requests[i].call.tool);
    if (tool != nullptr && tool->cacheable) {
      answered_by[i] = first_of.try_emplace(CallEngine::KeyOf(requests[i]), i).first->second;
    }
    if (answered_by[i] == i) calls.Add(i, requests[i]);
  }
  std::vector<absl::StatusOr<std::string>> results(requests.size());
  while (calls.size() > 0) {
    for (PendingCalls::Ended& ended : calls.Take(PendingCalls::Wait::kForOne))
      results[ended.id] = std::move(ended.result);
    TF_RETURN_IF_ERROR(interrupt.Check());
  }
  TF_RETURN_IF_ERROR(interrupt.Check());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (answered_by[i] == i) continue;
    results[i] = results[answered_by[i]];
    const std::lock_guard lock(engine_->sync->mutex);
    engine_->Count(results[i].status(), AnswerSource::kShared, &engine_->StateOf(requests[i].call.tool));
  }
  return results;
}

std::vector<ToolStatistics> ToolExecutor::Statistics() const {
  std::vector<ToolStatistics> all;
  const std::lock_guard lock(engine_->sync->mutex);
  for (const std::shared_ptr<const Tool>& tool : registry_.tools()) {
    const auto found = engine_->tools.find(tool->name);
    if (found == engine_->tools.end()) continue;
    const ToolState& state = found->second;
    ToolStatistics& statistics = all.emplace_back(state.counts);
    statistics.tool = tool->name;
    statistics.returns_at_once = tool->returns_at_once;
    statistics.breaker_opened = state.breaker.opened();
    statistics.breaker_open = state.breaker.open();
    statistics.latency_p50_ms = state.latency.QuantileMs(0.50);
    statistics.latency_p99_ms = state.latency.QuantileMs(0.99);
  }
  return all;
}

}  // namespace toolformer
