#include "src/execute/call_engine.h"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

#include "src/base/blanks.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

// Adding more to a time would overflow.
constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);

thread_local int call_depth = 0;

ToolExecutorOptions Bounded(ToolExecutorOptions options) {
  const auto bound = [](std::chrono::milliseconds* time) {
    *time = std::clamp(*time, decltype(kLongest){1}, kLongest);
  };
  for (std::chrono::milliseconds* time : {&options.deadline, &options.retry.first_rest, &options.retry.longest_rest,
                                          &options.breaker.first_rest, &options.breaker.longest_rest}) {
    bound(time);
  }
  options.retry.longest_rest = std::max(options.retry.longest_rest, options.retry.first_rest);
  options.breaker.longest_rest = std::max(options.breaker.longest_rest, options.breaker.first_rest);
  options.breaker.failures = std::max(options.breaker.failures, 0);
  options.max_concurrent_calls = std::max(options.max_concurrent_calls, 1);
  options.max_abandoned = std::max(options.max_abandoned, 0);
  return options;
}

// Whether the same call would have the same answer another time.
bool IsAnswer(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kAlreadyExists:
      return true;
    default:
      return false;
  }
}

size_t SizeOf(const CallEngine::Key& key, const absl::StatusOr<std::string>& result) {
  return std::get<0>(key).size() + std::get<1>(key).size() + std::get<2>(key).size() +
         (result.ok() ? result->size() : result.status().message().size());
}

class Deeper {
 public:
  explicit Deeper(int depth) : before_(std::exchange(call_depth, depth + 1)) {}
  ~Deeper() { call_depth = before_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  const int before_;
};

}  // namespace

int CallDepth() { return call_depth; }

absl::Status TooDeep() { return FailedPrecondition("tools call one another more than {} deep", kMostCallDepth); }

absl::StatusOr<std::string> CallTool(const Tool& tool, const std::string& input, const ToolContext& context,
                                     int depth) {
  const Deeper deeper(depth);
  try {
    return tool.call(input, context);
  } catch (const std::exception& error) {
    return Internal("the tool threw an exception: {}", error.what());
  } catch (...) {
    return Internal("the tool threw something that is not an exception");
  }
}

// Line breaks and blanks around a result are the habit of programs, not part of what they say.
absl::StatusOr<std::string> Neutralized(absl::StatusOr<std::string> result, size_t max_bytes) {
  return result.ok() ? NeutralizeResult(Trimmed(*result), max_bytes) : std::move(result);
}

CallEngine::CallEngine(const ToolRegistry& r, ToolExecutorOptions o) : registry(r), options(Bounded(std::move(o))) {}

CallEngine::Key CallEngine::KeyOf(const ToolRequest& request) {
  return {request.call.tool, request.call.input, request.document_date ? FormatIsoDate(*request.document_date) : ""};
}

ToolState& CallEngine::StateOf(const std::string& tool) {
  return tools.try_emplace(tool, options.breaker).first->second;
}

void CallEngine::Count(const absl::Status& status, AnswerSource source, ToolState* state) {
  ToolStatistics& counts = state->counts;
  ++counts.requests;
  if (status.ok()) {
    ++counts.answered;
  } else {
    ++counts.errors[status.code()];
  }
  switch (source) {
    case AnswerSource::kShared:
      ++counts.shared;
      break;
    case AnswerSource::kMemory:
      ++counts.from_memory;
      break;
    case AnswerSource::kDisk:
      ++counts.from_disk;
      break;
    case AnswerSource::kRefused:
      ++counts.refused;
      break;
    case AnswerSource::kCalled:
      ++counts.called;
      break;
  }
}

std::optional<std::pair<absl::StatusOr<std::string>, AnswerSource>> CallEngine::Recall(const Tool& tool,
                                                                                       const Key& key) {
  if (!tool.cacheable) return std::nullopt;
  {
    const std::lock_guard lock(sync->mutex);
    if (const auto known = results.find(key); known != results.end()) {
      return std::make_pair(known->second, AnswerSource::kMemory);
    }
  }
  // What is worked out within a millisecond is not worth a record.
  if (options.answers == nullptr || tool.returns_at_once) return std::nullopt;
  const auto& [name, input, date] = key;
  auto kept = options.answers->Find({name, tool.version, input, date, options.max_result_bytes});
  if (!kept) return std::nullopt;
  return std::make_pair(*std::move(kept), AnswerSource::kDisk);
}

void CallEngine::Remember(const Tool& tool, const Key& key, const absl::StatusOr<std::string>& result) {
  if (!tool.cacheable || !IsAnswer(result.status().code())) return;
  {
    const std::lock_guard lock(sync->mutex);
    const size_t bytes = SizeOf(key, result);
    if (results.size() < options.max_cached_results && bytes <= options.max_cached_bytes - result_bytes &&
        results.emplace(key, result).second) {
      result_bytes += bytes;
    }
  }
  if (options.answers == nullptr || tool.returns_at_once) return;
  const auto& [name, input, date] = key;
  options.answers->Keep({name, tool.version, input, date, options.max_result_bytes}, result);
}

}  // namespace toolformer
