#include "toolformer/tool_statistics.h"

#include <nlohmann/json.hpp>

#include "src/base/json.h"

namespace toolformer {

std::string_view StatusCodeName(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return "ok";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    case absl::StatusCode::kInvalidArgument:
      return "invalid_argument";
    case absl::StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kAlreadyExists:
      return "already_exists";
    case absl::StatusCode::kPermissionDenied:
      return "permission_denied";
    case absl::StatusCode::kResourceExhausted:
      return "resource_exhausted";
    case absl::StatusCode::kFailedPrecondition:
      return "failed_precondition";
    case absl::StatusCode::kAborted:
      return "aborted";
    case absl::StatusCode::kOutOfRange:
      return "out_of_range";
    case absl::StatusCode::kUnimplemented:
      return "unimplemented";
    case absl::StatusCode::kInternal:
      return "internal";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kDataLoss:
      return "data_loss";
    case absl::StatusCode::kUnauthenticated:
      return "unauthenticated";
    default:
      return "unknown";
  }
}

std::string FormatToolStatistics(std::span<const ToolStatistics> statistics) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const ToolStatistics& tool : statistics) {
    nlohmann::ordered_json errors = nlohmann::ordered_json::object();
    // Codes that this version has no name for are one kind.
    for (const auto& [code, count] : tool.errors) {
      auto& sum = errors[std::string(StatusCodeName(code))];
      sum = count + (sum.is_null() ? 0 : sum.get<int64_t>());
    }
    all.push_back({{"tool", tool.tool},
                   {"requests", tool.requests},
                   {"answered", tool.answered},
                   {"errors", std::move(errors)},
                   {"shared", tool.shared},
                   {"from_memory", tool.from_memory},
                   {"from_disk", tool.from_disk},
                   {"refused", tool.refused},
                   {"called", tool.called},
                   {"attempts", tool.attempts},
                   {"retries", tool.retries},
                   {"abandoned", tool.abandoned},
                   {"breaker_refused", tool.breaker_refused},
                   {"breaker_opened", tool.breaker_opened},
                   {"breaker_open", tool.breaker_open},
                   {"latency_p50_ms", tool.latency_p50_ms},
                   {"latency_p99_ms", tool.latency_p99_ms}});
  }
  return PrintJson(all);
}

}  // namespace toolformer
