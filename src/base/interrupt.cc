#include "toolformer/interrupt.h"

namespace toolformer {

absl::Status Interrupt::Check() const {
  if (cancel != nullptr && cancel->cancelled()) return absl::CancelledError("cancelled");
  if (deadline != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= deadline) {
    return absl::DeadlineExceededError("the deadline has passed");
  }
  return absl::OkStatus();
}

}  // namespace toolformer
