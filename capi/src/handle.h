// The objects behind the handles that need nothing but the standard library, and what all handles share.
#ifndef TOOLFORMER_CAPI_SRC_HANDLE_H_
#define TOOLFORMER_CAPI_SRC_HANDLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "toolformer/interrupt.h"
#include "toolformer_c/base.h"

namespace toolformer::capi {

// Tells a live handle of its type from one of another type and, where luck has it, from one that has been freed.
template <typename Derived>
class Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { const_cast<volatile uint64_t&>(magic_) = 0; }

  bool IsLive() const { return magic_ == Magic(); }

 private:
  static constexpr uint64_t Magic() {  // FNV-1a of the type's name
    uint64_t hash = 14695981039346656037u;
    for (const char c : std::string_view(Derived::kName)) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
    return hash;
  }

  uint64_t magic_ = Magic();
};

// Null where `handle` is none of its type.
template <typename T>
T* LiveOrNull(T* handle) {
  return handle != nullptr && handle->IsLive() ? handle : nullptr;
}

// A new object for the caller to free.
template <typename T, typename... Args>
T* New(Args&&... args) {
  return std::make_unique<T>(std::forward<Args>(args)...).release();
}

inline toolformer_string View(std::string_view text) { return {text.data(), text.size()}; }

// Sets *error, where it is wanted, to an error with at most 4,096 bytes of `message` as one line. Never fails: where
// there is no memory, the error is one that says so.
void SetError(toolformer_status status, std::string_view message, int64_t offset, toolformer_error** error) noexcept;

}  // namespace toolformer::capi

struct toolformer_bytes : toolformer::capi::Handle<toolformer_bytes> {
  static constexpr const char* kName = "toolformer_bytes";
  explicit toolformer_bytes(std::string t) : text(std::move(t)) {}
  const std::string text;
};

struct toolformer_cancel_token : toolformer::capi::Handle<toolformer_cancel_token> {
  static constexpr const char* kName = "toolformer_cancel_token";
  explicit toolformer_cancel_token(std::shared_ptr<toolformer::CancelToken> s) : shared(std::move(s)) {}
  const std::shared_ptr<toolformer::CancelToken> shared;
};

#endif  // TOOLFORMER_CAPI_SRC_HANDLE_H_
