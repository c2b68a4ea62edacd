// Short ways to make and pass on absl::Status.
#ifndef TOOLFORMER_SRC_BASE_STATUS_H_
#define TOOLFORMER_SRC_BASE_STATUS_H_

#include <fmt/format.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TF_CONCAT_INNER(a, b) a##b
#define TF_CONCAT(a, b) TF_CONCAT_INNER(a, b)

#define TF_RETURN_IF_ERROR(expression)                                            \
  do {                                                                            \
    if (absl::Status tf_status = (expression); !tf_status.ok()) return tf_status; \
  } while (false)

#define TF_ASSIGN_OR_RETURN(declaration, expression) \
  TF_ASSIGN_OR_RETURN_AS(TF_CONCAT(tf_or_, __LINE__), declaration, expression)
#define TF_ASSIGN_OR_RETURN_AS(tf_or, declaration, expression) \
  auto tf_or = (expression);                                   \
  if (!tf_or.ok()) return tf_or.status();                      \
  declaration = *std::move(tf_or)

namespace toolformer {

// InvalidArgument("{}: field '{}' is missing", path, field) and its siblings. Arguments are data, never a format
// string.
#define TF_DEFINE_STATUS_MAKER(Name, Code)                                                         \
  template <typename... Args>                                                                      \
  absl::Status Name(fmt::format_string<Args...> format, Args&&... args) {                          \
    return absl::Status(absl::StatusCode::Code, fmt::format(format, std::forward<Args>(args)...)); \
  }
TF_DEFINE_STATUS_MAKER(InvalidArgument, kInvalidArgument)
TF_DEFINE_STATUS_MAKER(NotFound, kNotFound)
TF_DEFINE_STATUS_MAKER(AlreadyExists, kAlreadyExists)
TF_DEFINE_STATUS_MAKER(FailedPrecondition, kFailedPrecondition)
TF_DEFINE_STATUS_MAKER(OutOfRange, kOutOfRange)
TF_DEFINE_STATUS_MAKER(Unimplemented, kUnimplemented)
TF_DEFINE_STATUS_MAKER(ResourceExhausted, kResourceExhausted)
TF_DEFINE_STATUS_MAKER(Unavailable, kUnavailable)
TF_DEFINE_STATUS_MAKER(DeadlineExceeded, kDeadlineExceeded)
TF_DEFINE_STATUS_MAKER(Internal, kInternal)
#undef TF_DEFINE_STATUS_MAKER

// The status with `context` and ": " before its message.
inline absl::Status Annotate(const absl::Status& status, const std::string& context) {
  return absl::Status(status.code(), context + ": " + std::string(status.message()));
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_STATUS_H_
