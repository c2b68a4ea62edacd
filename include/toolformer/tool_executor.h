// Runs calls: each distinct (tool, input, date) once where the tool's answers do not change, with a deadline, and never
// lets a tool take the process down.
#ifndef TOOLFORMER_TOOL_EXECUTOR_H_
#define TOOLFORMER_TOOL_EXECUTOR_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/call_syntax.h"
#include "toolformer/export.h"
#include "toolformer/tool_registry.h"

namespace toolformer {

struct TOOLFORMER_API ToolExecutorOptions {
  // A tool that has not answered by then has failed; its thread is left to end by itself and its answer is dropped.
  std::chrono::milliseconds deadline{30000};
  size_t max_result_bytes = 50000;     // longer results are cut and marked
  size_t max_cached_results = 100000;  // 0: none is kept from one Execute to the next
  // Most tools left running past their deadline; beyond it calls of tools that may wait fail at once.
  int max_abandoned = 16;
};

// A call, and the date of the document it stands in.
struct TOOLFORMER_API ToolRequest {
  Call call;
  std::optional<Date> document_date;
};

// Safe to call from several threads at once. Keeps a reference to the registry.
class TOOLFORMER_API ToolExecutor {
 public:
  explicit ToolExecutor(const ToolRegistry& registry, ToolExecutorOptions options = {});

  // The neutralized result of a call without the blanks around it, or its tool error: kNotFound (unknown tool),
  // kDeadlineExceeded, kInvalidArgument and whatever else the tool returned. An exception that leaves the tool is
  // kInternal with its text. kCancelled where `context.interrupt` says so; that alone is not remembered.
  absl::StatusOr<std::string> Execute(const Call& call, const ToolContext& context);

  // What Execute says to each request, in their order. Equal ones (tool, input, date) run once, however many results
  // are cached, unless the tool is not cacheable. The call's own status is the interrupt's.
  absl::StatusOr<std::vector<absl::StatusOr<std::string>>> ExecuteAll(std::span<const ToolRequest> requests,
                                                                      const Interrupt& interrupt);

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // tool, input, date

  static Key KeyOf(const Call& call, const std::optional<Date>& date);
  absl::StatusOr<std::string> Run(const std::shared_ptr<const Tool>& tool, const std::string& input,
                                  const ToolContext& context) const;

  const ToolRegistry& registry_;
  const ToolExecutorOptions options_;
  std::mutex mutex_;
  std::map<Key, absl::StatusOr<std::string>> results_;
  // Tools still running past their deadline; outlives the executor where they do.
  const std::shared_ptr<std::atomic<int>> abandoned_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_TOOL_EXECUTOR_H_
