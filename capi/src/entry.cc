#include "capi/src/entry.h"

#include <charconv>
#include <optional>

#include "absl/strings/cord.h"
#include "src/base/utf8.h"

namespace toolformer::capi {
namespace {

constexpr char kCodeKey[] = "toolformer_status";
constexpr char kOffsetKey[] = "offset";

std::optional<int64_t> Payload(const absl::Status& status, const char* key) {
  const auto payload = status.GetPayload(key);
  if (!payload) return std::nullopt;
  const std::string text(*payload);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "... at byte 17: ...": how this library's readers of text say where.
int64_t OffsetIn(std::string_view message) {
  constexpr std::string_view kMark = "at byte ";
  const size_t mark = message.find(kMark);
  if (mark == std::string_view::npos) return -1;
  int64_t offset = -1;
  const char* begin = message.data() + mark + kMark.size();
  if (std::from_chars(begin, message.data() + message.size(), offset).ec != std::errc()) return -1;
  return offset;
}

toolformer_status CodeOf(const absl::Status& status) {
  if (const std::optional<int64_t> code = Payload(status, kCodeKey)) return static_cast<toolformer_status>(*code);
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
      return TOOLFORMER_ERROR_INVALID;
    case absl::StatusCode::kNotFound:
      return TOOLFORMER_ERROR_NOT_FOUND;
    case absl::StatusCode::kUnimplemented:
      return TOOLFORMER_ERROR_UNSUPPORTED;
    case absl::StatusCode::kOutOfRange:
      return TOOLFORMER_ERROR_LIMIT;
    case absl::StatusCode::kResourceExhausted:
      return status.message().find("out of memory") == absl::string_view::npos ? TOOLFORMER_ERROR_LIMIT
                                                                               : TOOLFORMER_ERROR_NO_MEMORY;
    case absl::StatusCode::kFailedPrecondition:
      return TOOLFORMER_ERROR_STATE;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kPermissionDenied:
      return TOOLFORMER_ERROR_IO;
    case absl::StatusCode::kDeadlineExceeded:
      return TOOLFORMER_ERROR_TIMEOUT;
    case absl::StatusCode::kCancelled:
      return TOOLFORMER_ERROR_CANCELLED;
    default:
      return TOOLFORMER_ERROR_INTERNAL;
  }
}

std::string ValidUtf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const CodePoint next = NextCodePoint(text);
    AppendUtf8(next.valid ? next.value : 0xFFFD, &valid);
    text.remove_prefix(next.length);
  }
  return valid;
}

}  // namespace

absl::Status Coded(toolformer_status code, std::string_view message, int64_t offset) {
  absl::Status status(absl::StatusCode::kUnknown, absl::string_view(message.data(), message.size()));
  status.SetPayload(kCodeKey, absl::Cord(std::to_string(code)));
  if (offset >= 0) status.SetPayload(kOffsetKey, absl::Cord(std::to_string(offset)));
  return status;
}

absl::Status Corrupt(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument
             ? Coded(TOOLFORMER_ERROR_CORRUPT, std::string(status.message()))
             : status;
}

toolformer_status Report(const absl::Status& status, toolformer_error** error) noexcept {
  try {
    const toolformer_status code = CodeOf(status);
    if (error == nullptr) return code;
    const std::string message = ValidUtf8({status.message().data(), status.message().size()});
    const std::optional<int64_t> offset = Payload(status, kOffsetKey);
    SetError(code, message, offset ? *offset : OffsetIn(message), error);
    return code;
  } catch (...) {
    SetError(TOOLFORMER_ERROR_NO_MEMORY, "out of memory", -1, error);
    return TOOLFORMER_ERROR_NO_MEMORY;
  }
}

absl::StatusOr<HeldInterrupt> HeldInterrupt::Of(const toolformer_interrupt& given) {
  using std::chrono::steady_clock;
  HeldInterrupt held;
  if (given.cancel != nullptr) {
    TF_RETURN_IF_ERROR(CheckHandle(given.cancel, "interrupt.cancel"));
    held.token_ = given.cancel->shared;
    held.interrupt_.cancel = held.token_.get();
  }
  if (given.timeout_ms > 0) {
    const steady_clock::time_point now = steady_clock::now();
    const auto most =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::time_point::max() - now).count();
    if (given.timeout_ms < static_cast<uint64_t>(most)) {
      held.interrupt_.deadline = now + std::chrono::milliseconds(static_cast<int64_t>(given.timeout_ms));
    }
  }
  return held;
}

}  // namespace toolformer::capi
