// What the calls of an executor share: limits, breakers, counts, remembered results, threads.
#ifndef TOOLFORMER_SRC_EXECUTE_CALL_ENGINE_H_
#define TOOLFORMER_SRC_EXECUTE_CALL_ENGINE_H_

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

#include "src/execute/circuit_breaker.h"
#include "src/execute/latency_histogram.h"
#include "src/execute/worker_threads.h"
#include "toolformer/tool_executor.h"

namespace toolformer {

// Guards all of the engine; outlives it where a call does. `changed`: an attempt has ended, or a place is free.
struct CallSync {
  std::mutex mutex;
  std::condition_variable changed;
};

struct ToolState {
  explicit ToolState(const BreakerOptions& options) : breaker(options) {}
  CircuitBreaker breaker;
  LatencyHistogram latency;
  ToolStatistics counts;
  int running = 0;
  // Attempts that nobody waits for and that have not returned. Outlives the engine where they do.
  std::shared_ptr<int> abandoned = std::make_shared<int>(0);
};

// Where an answer came from.
enum class AnswerSource { kShared, kMemory, kDisk, kRefused, kCalled };

struct CallEngine {
  using TimePoint = std::chrono::steady_clock::time_point;
  using Key = std::tuple<std::string, std::string, std::string>;  // tool, input, date

  CallEngine(const ToolRegistry& r, ToolExecutorOptions o);

  TimePoint Now() const { return options.now ? options.now() : std::chrono::steady_clock::now(); }
  static Key KeyOf(const ToolRequest& request);

  // With the lock held: the tool's own, made when first asked for.
  ToolState& StateOf(const std::string& tool);
  // With the lock held: a request has come to its end.
  void Count(const absl::Status& status, AnswerSource source, ToolState* state);

  // Without the lock. The remembered answer, and where it was.
  std::optional<std::pair<absl::StatusOr<std::string>, AnswerSource>> Recall(const Tool& tool, const Key& key);
  // Without the lock. Where it is to be remembered at all.
  void Remember(const Tool& tool, const Key& key, const absl::StatusOr<std::string>& result);

  const ToolRegistry& registry;
  const ToolExecutorOptions options;
  const std::shared_ptr<CallSync> sync = std::make_shared<CallSync>();

  // Guarded by sync->mutex.
  int running = 0;
  std::map<std::string, ToolState> tools;
  std::map<Key, absl::StatusOr<std::string>> results;
  size_t result_bytes = 0;

  WorkerThreads workers;
};

// Runs the tool; its exceptions become statuses. `depth` is how many tools deep the call comes.
absl::StatusOr<std::string> CallTool(const Tool& tool, const std::string& input, const ToolContext& context, int depth);

// How many tools deep this thread is.
int CallDepth();
inline constexpr int kMostCallDepth = 8;
absl::Status TooDeep();

// As a model sees it.
absl::StatusOr<std::string> Neutralized(absl::StatusOr<std::string> result, size_t max_bytes);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EXECUTE_CALL_ENGINE_H_
