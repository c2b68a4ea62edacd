// How long a call may wait.
#ifndef TOOLFORMER_SRC_HOST_CALL_LIMITS_H_
#define TOOLFORMER_SRC_HOST_CALL_LIMITS_H_

#include <algorithm>
#include <chrono>

#include "toolformer/interrupt.h"

namespace toolformer {

// How often a wait looks at the caller's interrupt.
inline constexpr std::chrono::milliseconds kInterruptPoll{20};

// The caller's interrupt with a deadline of its own, whichever comes first.
inline Interrupt Within(const Interrupt& interrupt, std::chrono::milliseconds deadline) {
  return {interrupt.cancel, std::min(interrupt.deadline, std::chrono::steady_clock::now() + deadline)};
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_CALL_LIMITS_H_
