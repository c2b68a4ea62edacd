// What went wrong, as the program tells it: one line on stderr and an exit code.
#ifndef TOOLFORMER_CLI_FAILURE_H_
#define TOOLFORMER_CLI_FAILURE_H_

#include <fmt/format.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CLI_RETURN_IF_ERROR(expression)                                              \
  do {                                                                               \
    if (absl::Status cli_status = (expression); !cli_status.ok()) return cli_status; \
  } while (false)
#define CLI_CONCAT_INNER(a, b) a##b
#define CLI_CONCAT(a, b) CLI_CONCAT_INNER(a, b)
#define CLI_ASSIGN_OR_RETURN(declaration, expression) \
  CLI_ASSIGN_OR_RETURN_AS(CLI_CONCAT(cli_or_, __LINE__), declaration, expression)
#define CLI_ASSIGN_OR_RETURN_AS(cli_or, declaration, expression) \
  auto cli_or = (expression);                                    \
  if (!cli_or.ok()) return cli_or.status();                      \
  declaration = *std::move(cli_or)

namespace toolformer::cli {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// A failure of the input, the files or the model: exit code 1.
template <typename... Args>
absl::Status Failure(fmt::format_string<Args...> format, Args&&... args) {
  return absl::Status(absl::StatusCode::kFailedPrecondition, fmt::format(format, std::forward<Args>(args)...));
}

// A mistake in the command line that only shows after parsing it: exit code 2.
absl::Status UsageError(const std::string& message);

// The system's reason for `error`, an errno.
std::string SystemReason(int error);

// Prints "toolformer: ..." for a status that is not ok and returns the exit code that goes with it; 0 for ok.
int ReportStatus(const absl::Status& status);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_FAILURE_H_
