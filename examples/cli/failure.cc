#include "failure.h"

#include <cstdio>
#include <system_error>

#include "absl/strings/cord.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

constexpr char kUsage[] = "toolformer/usage";

}  // namespace

absl::Status UsageError(const std::string& message) {
  absl::Status status(absl::StatusCode::kInvalidArgument, message);
  status.SetPayload(kUsage, absl::Cord());
  return status;
}

std::string SystemReason(int error) { return std::generic_category().message(error); }

int ReportStatus(const absl::Status& status) {
  if (status.ok()) return 0;
  // Messages name files and quote texts: what they hold must not reach the terminal raw, nor break the line.
  const std::string line = PrintableLine(std::string(status.message()));
  fmt::print(stderr, "toolformer: {}\n", line);
  if (status.code() == absl::StatusCode::kCancelled) return kExitInterrupted;
  return status.GetPayload(kUsage) ? kExitUsage : kExitFailure;
}

}  // namespace toolformer::cli
