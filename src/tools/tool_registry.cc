#include "toolformer/tool_registry.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "src/base/status.h"
#include "src/tools/prompt.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

// More samples at one position than any use of the method has, and few enough to hold.
constexpr int64_t kMaxSamples = 10000;
constexpr size_t kMaxVersionBytes = 256;
constexpr int kMaxConcurrentCalls = 1000;
constexpr int kMaxRetries = 100;
constexpr std::chrono::hours kMaxDeadline{24 * 365};

bool IsToolName(std::string_view name) {
  const CallScan scan = ScanCallBody(std::string(name.substr(0, kMaxToolNameBytes + 1)) + "()");
  return scan.state == CallScanState::kComplete && scan.call.tool == name;
}

absl::Status CheckParameters(const Tool& tool) {
  const AnnotationParameters& p = tool.parameters;
  // Written so that a NaN fails.
  if (!(p.tau_s >= 0 && p.tau_s <= 1)) {
    return InvalidArgument("tool '{}': parameters.tau_s is {}, not a probability from 0 to 1", tool.name, p.tau_s);
  }
  if (p.k < 1) return InvalidArgument("tool '{}': parameters.k is {}, not at least 1", tool.name, p.k);
  if (p.m < 1 || p.m > kMaxSamples) {
    return InvalidArgument("tool '{}': parameters.m is {}, not from 1 to {}", tool.name, p.m, kMaxSamples);
  }
  if (!std::isfinite(p.tau_f)) {
    return InvalidArgument("tool '{}': parameters.tau_f is {}, not a finite number", tool.name, p.tau_f);
  }
  return absl::OkStatus();
}

absl::Status CheckRunning(const Tool& tool) {
  if (tool.version.size() > kMaxVersionBytes) {
    return InvalidArgument("tool '{}': version of {} bytes, more than {}", tool.name, tool.version.size(),
                           kMaxVersionBytes);
  }
  if (tool.max_concurrent_calls < 0 || tool.max_concurrent_calls > kMaxConcurrentCalls) {
    return InvalidArgument("tool '{}': max_concurrent_calls is {}, not from 0 (no limit) to {}", tool.name,
                           tool.max_concurrent_calls, kMaxConcurrentCalls);
  }
  if (tool.max_retries < 0 || tool.max_retries > kMaxRetries) {
    return InvalidArgument("tool '{}': max_retries is {}, not from 0 to {}", tool.name, tool.max_retries, kMaxRetries);
  }
  if (tool.deadline && (tool.deadline->count() < 1 || *tool.deadline > kMaxDeadline)) {
    return InvalidArgument("tool '{}': deadline is {} ms, not from 1 ms to a year", tool.name, tool.deadline->count());
  }
  return absl::OkStatus();
}

absl::Status CheckExamples(const Tool& tool) {
  for (size_t i = 0; i < tool.examples.size(); ++i) {
    const ToolExample& example = tool.examples[i];
    size_t calls = 0;
    for (const CallSpan& span : FindCalls(example.output)) {
      if (span.call.tool != tool.name) continue;
      ++calls;
      if (!tool.takes_input && !span.call.input.empty()) {
        return InvalidArgument("tool '{}': examples[{}].output gives an input to a tool that takes none", tool.name, i);
      }
    }
    if (calls == 0 || RemoveCalls(example.output, tool.name) != example.input) {
      return InvalidArgument("tool '{}': examples[{}].output is not its input with calls such as \" [{}(...) -> ...]\"",
                             tool.name, i, tool.name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ToolRegistry::Register(Tool tool) {
  if (!IsToolName(tool.name)) {
    return InvalidArgument("tool name of {} bytes: a name is [A-Za-z_][A-Za-z0-9_]*, at most {} bytes",
                           tool.name.size(), kMaxToolNameBytes);
  }
  if (Find(tool.name) != nullptr) return AlreadyExists("tool '{}' is already registered", tool.name);
  if (!tool.call) return InvalidArgument("tool '{}': call is empty; it must be a function", tool.name);
  TF_RETURN_IF_ERROR(CheckParameters(tool));
  TF_RETURN_IF_ERROR(CheckRunning(tool));
  TF_RETURN_IF_ERROR(CheckExamples(tool));
  tools_.push_back(std::make_shared<const Tool>(std::move(tool)));
  return absl::OkStatus();
}

std::shared_ptr<const Tool> ToolRegistry::Find(std::string_view name) const {
  for (const std::shared_ptr<const Tool>& tool : tools_) {
    if (tool->name == name) return tool;
  }
  return nullptr;
}

std::string ToolRegistry::Names() const {
  std::string names;
  for (const std::shared_ptr<const Tool>& tool : tools_) {
    if (!names.empty()) names += ", ";
    names += tool->name;
  }
  return names;
}

}  // namespace toolformer
