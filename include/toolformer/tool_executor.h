// Runs calls: each distinct (tool, input, date) once where the tool's answers do not change, several at a time, with
// deadlines, and never lets a tool take the process down.
#ifndef TOOLFORMER_TOOL_EXECUTOR_H_
#define TOOLFORMER_TOOL_EXECUTOR_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/answer_store.h"
#include "toolformer/call_syntax.h"
#include "toolformer/export.h"
#include "toolformer/tool_registry.h"
#include "toolformer/tool_statistics.h"

namespace toolformer {

struct CallEngine;

// How long a call rests before it is tried again (Tool::max_retries): `first_rest`, twice as long each time,
// `longest_rest` at most; of that, between a half and all, by a draw from `seed` and the call.
struct TOOLFORMER_API RetryOptions {
  std::chrono::milliseconds first_rest{100};
  std::chrono::milliseconds longest_rest{5000};
  uint64_t seed = 0;
};

// When a tool that may wait is left alone: after `failures` attempts in a row with kUnavailable, kDeadlineExceeded or
// kInternal, for `first_rest`; then one call is let through. Where it fails, the rest doubles, up to `longest_rest`.
// Calls wait; once three of these have failed they fail at once (kUnavailable), until one that is let through works.
struct TOOLFORMER_API BreakerOptions {
  int failures = 5;  // 0: never
  std::chrono::milliseconds first_rest{1000};
  std::chrono::milliseconds longest_rest{60000};
};

struct TOOLFORMER_API ToolExecutorOptions {
  // A tool that has not answered by then has failed; its thread is left to end by itself and its answer is dropped.
  // Tools may have a deadline of their own.
  std::chrono::milliseconds deadline{30000};
  size_t max_result_bytes = 50000;     // longer results are cut and marked
  size_t max_cached_results = 100000;  // kept in memory from one Execute to the next; 0: none
  // Most calls of a tool left running past their deadline; beyond it further calls of that tool fail at once.
  int max_abandoned = 16;
  // Calls of tools that may wait that run at a time, over all tools; at least 1. Tools may have a limit of their own.
  int max_concurrent_calls = 32;
  size_t max_cached_bytes = size_t{256} << 20;  // of the results kept in memory
  RetryOptions retry;
  BreakerOptions breaker;
  // Where answers are kept beyond the process; null: nowhere. Several executors may share one.
  std::shared_ptr<AnswerStore> answers;
  // The time by which retries rest, breakers open and latencies are measured; null: steady_clock::now. Deadlines are
  // always real time.
  std::function<std::chrono::steady_clock::time_point()> now;
};

// A call, and the date of the document it stands in.
struct TOOLFORMER_API ToolRequest {
  Call call;
  std::optional<Date> document_date;
};

// Safe to call from several threads at once, and from within a tool: a call that comes from a tool may always run, so
// that tools that call others cannot starve each other; more than 8 deep it is refused. Keeps a reference to the
// registry.
class TOOLFORMER_API ToolExecutor {
 public:
  explicit ToolExecutor(const ToolRegistry& registry, ToolExecutorOptions options = {});
  ~ToolExecutor();
  ToolExecutor(const ToolExecutor&) = delete;
  ToolExecutor& operator=(const ToolExecutor&) = delete;

  // The neutralized result of a call without the blanks around it, or its tool error: kNotFound (unknown tool),
  // kDeadlineExceeded, kUnavailable (the breaker is open), kResourceExhausted (too many calls have not returned),
  // kInvalidArgument and whatever else the tool returned. An exception that leaves the tool is kInternal with its text.
  // kCancelled or kDeadlineExceeded where `context.interrupt` says so.
  //
  // Results and errors that are the answer to the input (kInvalidArgument, kNotFound, kOutOfRange, kFailedPrecondition,
  // kUnimplemented, kAlreadyExists) are remembered; errors of the moment are not.
  absl::StatusOr<std::string> Execute(const Call& call, const ToolContext& context);

  // What Execute says to each request, in their order. Equal ones (tool, input, date) run once, however many results
  // are cached, unless the tool is not cacheable; those of tools that may wait run several at a time. The call's own
  // status is the interrupt's.
  absl::StatusOr<std::vector<absl::StatusOr<std::string>>> ExecuteAll(std::span<const ToolRequest> requests,
                                                                      const Interrupt& interrupt);

  // Of the tools that were asked for, in the order of the registry.
  std::vector<ToolStatistics> Statistics() const;

 private:
  friend class PendingCalls;
  const ToolRegistry& registry_;
  const std::unique_ptr<CallEngine> engine_;
};

// Calls under way, for a host that does other things meanwhile. Of one thread, which drives it: what waits for its turn
// or for another try goes on in Add and Take.
class TOOLFORMER_API PendingCalls {
 public:
  // Keeps a reference to the executor.
  PendingCalls(ToolExecutor& executor, const Interrupt& interrupt);
  // Lets go of the calls that have not ended: tools are told, nobody waits for them.
  ~PendingCalls();
  PendingCalls(const PendingCalls&) = delete;
  PendingCalls& operator=(const PendingCalls&) = delete;

  // Begins a call. Tools that return at once have answered when this returns. `id` is the caller's.
  void Add(size_t id, const ToolRequest& request);

  struct Ended {
    size_t id = 0;
    absl::StatusOr<std::string> result;  // as Execute's; the interrupt's where that ended it
  };
  enum class Wait { kNo, kForOne };
  // Calls that have ended since the last time. kForOne waits until there is one, unless none is under way.
  std::vector<Ended> Take(Wait wait);

  // Added and not taken.
  size_t size() const;

 private:
  struct Batch;
  const std::unique_ptr<Batch> batch_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_TOOL_EXECUTOR_H_
