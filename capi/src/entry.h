// What every function of the C interface is made of: statuses in and out, checked arguments, structs of all sizes.
#ifndef TOOLFORMER_CAPI_SRC_ENTRY_H_
#define TOOLFORMER_CAPI_SRC_ENTRY_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "capi/src/handle.h"
#include "capi/src/struct_sizes.h"
#include "src/base/status.h"
#include "toolformer_c.h"

namespace toolformer::capi {

// ---- Statuses ----

// A status of the C interface that absl has no code for, or with the offset of what is wrong.
absl::Status Coded(toolformer_status code, std::string_view message, int64_t offset = -1);

// kInvalidArgument of a function that reads a file or JSON: what is wrong is what was read.
absl::Status Corrupt(const absl::Status& status);

// Sets *error and returns the code that `status` stands for.
toolformer_status Report(const absl::Status& status, toolformer_error** error) noexcept;

// Carries the failure of a callback through interfaces that cannot fail. Caught by Guard; never leaves the library.
class HostFailure : public std::exception {
 public:
  explicit HostFailure(absl::Status status) : status_(std::move(status)), message_(status_.message()) {}
  const char* what() const noexcept override { return message_.c_str(); }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
  std::string message_;
};

// Runs the body of a function: a Status, whatever it throws.
template <typename Body>
toolformer_status Guard(toolformer_error** error, Body&& body) noexcept {
  try {
    const absl::Status status = std::forward<Body>(body)();
    return status.ok() ? TOOLFORMER_OK : Report(status, error);
  } catch (const HostFailure& failure) {
    return Report(failure.status(), error);
  } catch (const std::bad_alloc&) {
    SetError(TOOLFORMER_ERROR_NO_MEMORY, "out of memory", -1, error);
    return TOOLFORMER_ERROR_NO_MEMORY;
  } catch (const std::exception& exception) {
    SetError(TOOLFORMER_ERROR_INTERNAL, exception.what(), -1, error);
  } catch (...) {
    SetError(TOOLFORMER_ERROR_INTERNAL, "something that is not an exception was thrown", -1, error);
  }
  return TOOLFORMER_ERROR_INTERNAL;
}

// ---- Arguments ----

template <typename T>
absl::Status CheckHandle(const T* handle, const char* name) {
  if (handle == nullptr) return InvalidArgument("{} is NULL", name);
  return handle->IsLive() ? absl::OkStatus() : InvalidArgument("{} is not a live {}", name, T::kName);
}

inline absl::Status CheckNotNull(const void* pointer, const char* name) {
  return pointer == nullptr ? InvalidArgument("{} is NULL", name) : absl::OkStatus();
}

inline absl::Status CheckText(toolformer_string text, const char* name) {
  if (text.data == nullptr && text.size > 0) return InvalidArgument("{} is NULL with a size of {}", name, text.size);
  return text.size > static_cast<size_t>(PTRDIFF_MAX)
             ? InvalidArgument("{} has a size of {} bytes, which nothing has", name, text.size)
             : absl::OkStatus();
}

// `count` elements at `data`.
template <typename T>
absl::Status CheckArray(const T* data, size_t count, const char* name) {
  if (data == nullptr && count > 0) return InvalidArgument("{} is NULL with {} elements", name, count);
  return count > static_cast<size_t>(PTRDIFF_MAX) / sizeof(T)  // NOLINT(bugprone-sizeof-expression): of handles, too
             ? InvalidArgument("{} has {} elements, which nothing has", name, count)
             : absl::OkStatus();
}

inline absl::Status CheckFlag(int32_t flag, const char* name) {
  return flag == 0 || flag == 1 ? absl::OkStatus() : InvalidArgument("{} is {}, not 0 or 1", name, flag);
}

inline absl::Status CheckReserved(int32_t reserved) {
  return reserved == 0 ? absl::OkStatus() : InvalidArgument("reserved is {}, not 0", reserved);
}

inline std::string_view ToView(toolformer_string text) {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}
inline std::string ToString(toolformer_string text) { return std::string(ToView(text)); }
inline std::span<const int32_t> ToSpan(toolformer_ids ids) { return {ids.data, ids.size}; }
inline toolformer_ids ViewIds(std::span<const int32_t> ids) { return {ids.data(), ids.size()}; }

// ---- Structs of all sizes ----

// No struct of this interface comes near it: a size beyond is memory that was never filled.
inline constexpr size_t kMaxStructSize = 65536;

template <typename T>
absl::Status CheckStructSize(size_t size, const char* name) {
  if (size >= kFirstSize<T> && size <= kMaxStructSize) return absl::OkStatus();
  return Coded(TOOLFORMER_ERROR_INVALID,
               fmt::format("{}.struct_size is {}, not {} or more: fill the struct with its _init function, or set it "
                           "to its sizeof",
                           name, size, kFirstSize<T>),
               0);
}

// What the caller's struct says; `defaults` where it is shorter than ours. The fields that it has beyond ours must be
// zero.
template <typename T>
absl::StatusOr<T> ReadStruct(const T* given, const char* name, const T& defaults) {
  TF_RETURN_IF_ERROR(CheckNotNull(given, name));
  size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  TF_RETURN_IF_ERROR(CheckStructSize<T>(size, name));
  T read = defaults;
  std::memcpy(static_cast<void*>(&read), given, std::min(size, sizeof(T)));
  read.struct_size = sizeof(T);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      return Coded(TOOLFORMER_ERROR_INVALID,
                   fmt::format("{} uses a field at byte {} that this library of version {} does not have", name, i,
                               TOOLFORMER_VERSION),
                   static_cast<int64_t>(i));
    }
  }
  return read;
}

// The same where NULL means the defaults.
template <typename T>
absl::StatusOr<T> ReadOptions(const T* given, const char* name, const T& defaults) {
  return given == nullptr ? defaults : ReadStruct(given, name, defaults);
}

// Whether a result can be written to *out. Ask before any work.
template <typename T>
absl::Status CheckResult(const T* out, const char* name = "out") {
  TF_RETURN_IF_ERROR(CheckNotNull(out, name));
  return CheckStructSize<T>(out->struct_size, name);
}

// Writes as much of `value` as *out has room for, and zero behind it.
template <typename T>
void WriteResult(T value, T* out) {
  const size_t size = out->struct_size;
  value.struct_size = size;
  std::memcpy(static_cast<void*>(out), &value, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(reinterpret_cast<char*>(out) + sizeof(T), 0, size - sizeof(T));
}

// The body of an _init function.
template <typename T>
void Initialise(T* out, size_t size, T defaults) {
  if (out == nullptr || size < sizeof(size_t) || size > kMaxStructSize) return;
  std::memset(static_cast<void*>(out), 0, size);
  defaults.struct_size = size;
  std::memcpy(static_cast<void*>(out), &defaults, std::min(size, sizeof(T)));
}

// ---- One call at a time ----

class Exclusive {
 public:
  bool Enter() { return !busy_.exchange(true, std::memory_order_acquire); }
  void Leave() { busy_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> busy_{false};
};

class Turn {
 public:
  explicit Turn(Exclusive& exclusive) : exclusive_(exclusive), has_it_(exclusive.Enter()) {}
  ~Turn() {
    if (has_it_) exclusive_.Leave();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  absl::Status status(const char* name) const {
    if (has_it_) return absl::OkStatus();
    return Coded(TOOLFORMER_ERROR_BUSY, fmt::format("{} is in use by another call", name));
  }

 private:
  Exclusive& exclusive_;
  const bool has_it_;
};

// ---- Interrupts ----

// Keeps the caller's token for the time of a call.
class HeldInterrupt {
 public:
  static absl::StatusOr<HeldInterrupt> Of(const toolformer_interrupt& given);
  const Interrupt& get() const { return interrupt_; }

 private:
  std::shared_ptr<CancelToken> token_;
  Interrupt interrupt_;
};

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_ENTRY_H_
