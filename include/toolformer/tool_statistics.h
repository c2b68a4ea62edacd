// What an executor has seen of each tool.
#ifndef TOOLFORMER_TOOL_STATISTICS_H_
#define TOOLFORMER_TOOL_STATISTICS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "toolformer/export.h"

namespace toolformer {

// Counts add up: requests = answered + all errors = shared + from_memory + from_disk + refused + called, and
// attempts = called + retries.
struct TOOLFORMER_API ToolStatistics {
  std::string tool;
  bool returns_at_once = false;                // Tool::returns_at_once
  int64_t requests = 0;                        // calls that were asked for and have come to an end
  int64_t answered = 0;                        // with a result
  std::map<absl::StatusCode, int64_t> errors;  // without one, by the kind of their error

  // Where answers and errors came from.
  int64_t shared = 0;  // an equal request of the same batch
  int64_t from_memory = 0;
  int64_t from_disk = 0;
  int64_t refused = 0;  // not run: the breaker was open, too many calls had not returned, the caller stopped
  int64_t called = 0;   // the tool itself

  int64_t attempts = 0;         // how often the tool's function was run
  int64_t retries = 0;          // of these, those after a failed one
  int64_t abandoned = 0;        // of these, those left behind: past their deadline, or nobody waited any more
  int64_t breaker_refused = 0;  // of the refused, those by the breaker
  int64_t breaker_opened = 0;   // how often it opened
  bool breaker_open = false;    // now

  // Of the attempts, those that were left behind included, in milliseconds; right to a tenth. 0 where there was none.
  double latency_p50_ms = 0.0;
  double latency_p99_ms = 0.0;
};

// "invalid_argument", "deadline_exceeded", ...: kinds of errors in reports.
TOOLFORMER_API std::string_view StatusCodeName(absl::StatusCode code);

// One JSON array, one object a tool, without a line break. Errors are an object by kind.
TOOLFORMER_API std::string FormatToolStatistics(std::span<const ToolStatistics> statistics);

}  // namespace toolformer

#endif  // TOOLFORMER_TOOL_STATISTICS_H_
