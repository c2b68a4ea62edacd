// What works without libtorch: versions, errors, text, cancel tokens.
#include <cstdlib>
#include <cstring>
#include <new>

#include "capi/src/handle.h"

// One block of memory: the text follows.
struct toolformer_error {
  toolformer_status status;
  bool is_static;
  int64_t offset;
  size_t size;
  char message[64];  // of the size that the text has
};

namespace toolformer::capi {
namespace {

constexpr size_t kMaxMessageBytes = 4096;

// The longest prefix within `most` bytes that does not end inside a code point.
std::string_view Prefix(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// What an error is when there is no memory to make one. Never written to.
toolformer_error* OutOfMemory() {
  static constexpr std::string_view kText = "out of memory";
  static const toolformer_error error = [] {
    toolformer_error made{TOOLFORMER_ERROR_NO_MEMORY, true, -1, kText.size(), {}};
    std::memcpy(made.message, kText.data(), kText.size());
    return made;
  }();
  return const_cast<toolformer_error*>(&error);
}

}  // namespace

void SetError(toolformer_status status, std::string_view message, int64_t offset, toolformer_error** error) noexcept {
  if (error == nullptr) return;
  message = Prefix(message, kMaxMessageBytes);
  void* memory = std::malloc(sizeof(toolformer_error) + message.size() + 1);
  if (memory == nullptr) {
    *error = OutOfMemory();
    return;
  }
  auto* made = new (memory) toolformer_error{status, false, offset, message.size(), {}};
  char* text = made->message;
  for (size_t i = 0; i < message.size(); ++i) {
    const auto byte = static_cast<uint8_t>(message[i]);
    text[i] = byte < 0x20 || byte == 0x7F ? ' ' : message[i];
  }
  text[message.size()] = '\0';
  *error = made;
}

}  // namespace toolformer::capi

using toolformer::capi::LiveOrNull;
using toolformer::capi::SetError;

extern "C" {

uint32_t toolformer_abi_version(void) noexcept { return TOOLFORMER_ABI_VERSION; }

const char* toolformer_version(void) noexcept { return TOOLFORMER_VERSION; }

toolformer_status toolformer_check_abi(uint32_t header_version, toolformer_error** error) noexcept {
  if (header_version >= 1 && header_version <= TOOLFORMER_ABI_VERSION) return TOOLFORMER_OK;
  try {
    SetError(TOOLFORMER_ERROR_ABI,
             "the program was compiled for version " + std::to_string(header_version) +
                 " of the interface, the library has version " + std::to_string(TOOLFORMER_ABI_VERSION) +
                 "; install a library of the program's version or a later one",
             -1, error);
  } catch (...) {
    SetError(TOOLFORMER_ERROR_ABI, "the library is older than the program", -1, error);
  }
  return TOOLFORMER_ERROR_ABI;
}

toolformer_string toolformer_str(const char* text) noexcept { return {text, text == nullptr ? 0 : std::strlen(text)}; }

toolformer_string toolformer_bytes_view(const toolformer_bytes* bytes) noexcept {
  return LiveOrNull(bytes) == nullptr ? toolformer_string{"", 0} : toolformer::capi::View(bytes->text);
}

void toolformer_bytes_free(toolformer_bytes* bytes) noexcept { delete LiveOrNull(bytes); }

const char* toolformer_status_name(toolformer_status status) noexcept {
  switch (status) {
    case TOOLFORMER_OK:
      return "ok";
    case TOOLFORMER_ERROR_INVALID:
      return "invalid";
    case TOOLFORMER_ERROR_CORRUPT:
      return "corrupt";
    case TOOLFORMER_ERROR_UNSUPPORTED:
      return "unsupported";
    case TOOLFORMER_ERROR_NOT_FOUND:
      return "not found";
    case TOOLFORMER_ERROR_LIMIT:
      return "limit";
    case TOOLFORMER_ERROR_TOOL:
      return "tool";
    case TOOLFORMER_ERROR_TIMEOUT:
      return "timeout";
    case TOOLFORMER_ERROR_CANCELLED:
      return "cancelled";
    case TOOLFORMER_ERROR_IO:
      return "io";
    case TOOLFORMER_ERROR_NO_MEMORY:
      return "no memory";
    case TOOLFORMER_ERROR_BUSY:
      return "busy";
    case TOOLFORMER_ERROR_ABI:
      return "abi";
    case TOOLFORMER_ERROR_STATE:
      return "state";
    case TOOLFORMER_ERROR_CALLBACK:
      return "callback";
    case TOOLFORMER_ERROR_ENGINE:
      return "engine";
    case TOOLFORMER_ERROR_INTERNAL:
      return "internal";
    default:
      return "unknown";
  }
}

toolformer_status toolformer_error_status(const toolformer_error* error) noexcept {
  return error == nullptr ? TOOLFORMER_OK : error->status;
}

toolformer_string toolformer_error_message(const toolformer_error* error) noexcept {
  return error == nullptr ? toolformer_string{"", 0} : toolformer_string{error->message, error->size};
}

int64_t toolformer_error_offset(const toolformer_error* error) noexcept {
  return error == nullptr ? -1 : error->offset;
}

void toolformer_error_free(toolformer_error* error) noexcept {
  if (error != nullptr && !error->is_static) std::free(error);
}

toolformer_status toolformer_cancel_token_new(toolformer_cancel_token** out, toolformer_error** error) noexcept {
  if (out == nullptr) {
    SetError(TOOLFORMER_ERROR_INVALID, "out is NULL", -1, error);
    return TOOLFORMER_ERROR_INVALID;
  }
  try {
    *out = toolformer::capi::New<toolformer_cancel_token>(std::make_shared<toolformer::CancelToken>());
    return TOOLFORMER_OK;
  } catch (...) {
    SetError(TOOLFORMER_ERROR_NO_MEMORY, "out of memory", -1, error);
    return TOOLFORMER_ERROR_NO_MEMORY;
  }
}

toolformer_status toolformer_cancel_token_share(const toolformer_cancel_token* token, toolformer_cancel_token** out,
                                                toolformer_error** error) noexcept {
  if (LiveOrNull(token) == nullptr || out == nullptr) {
    SetError(TOOLFORMER_ERROR_INVALID, out == nullptr ? "out is NULL" : "token is NULL or not a live cancel token", -1,
             error);
    return TOOLFORMER_ERROR_INVALID;
  }
  try {
    *out = toolformer::capi::New<toolformer_cancel_token>(token->shared);
    return TOOLFORMER_OK;
  } catch (...) {
    SetError(TOOLFORMER_ERROR_NO_MEMORY, "out of memory", -1, error);
    return TOOLFORMER_ERROR_NO_MEMORY;
  }
}

void toolformer_cancel_token_cancel(const toolformer_cancel_token* token) noexcept {
  if (LiveOrNull(token) != nullptr) token->shared->Cancel();
}

void toolformer_cancel_token_reset(const toolformer_cancel_token* token) noexcept {
  if (LiveOrNull(token) != nullptr) token->shared->Reset();
}

int32_t toolformer_cancel_token_cancelled(const toolformer_cancel_token* token) noexcept {
  return LiveOrNull(token) != nullptr && token->shared->cancelled() ? 1 : 0;
}

void toolformer_cancel_token_free(toolformer_cancel_token* token) noexcept { delete LiveOrNull(token); }

}  // extern "C"
