// How a host stops long work: a cancel token, a deadline, or both.
#ifndef TOOLFORMER_INTERRUPT_H_
#define TOOLFORMER_INTERRUPT_H_

#include <atomic>
#include <chrono>

#include "absl/status/status.h"
#include "toolformer/export.h"

namespace toolformer {

// Sticky request to stop. Cancel() may be called from any thread and from a signal handler.
class TOOLFORMER_API CancelToken {
 public:
  void Cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  void Reset() noexcept { cancelled_.store(false, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "Cancel() must be signal-safe");
};

// Checked between the steps of long work. The token, where given, must outlive the work.
struct TOOLFORMER_API Interrupt {
  const CancelToken* cancel = nullptr;  // null: cannot be cancelled
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();

  // Ok, or kCancelled, or kDeadlineExceeded.
  absl::Status Check() const;
};

}  // namespace toolformer

#endif  // TOOLFORMER_INTERRUPT_H_
