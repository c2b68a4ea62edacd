#include "src/execute/circuit_breaker.h"

#include <algorithm>

namespace toolformer {

bool CircuitBreaker::CountsAsFailure(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kInternal;
}

CircuitBreaker::Admission CircuitBreaker::Admit(TimePoint now) {
  if (!open_ || options_.failures == 0) return {.admitted = true};
  if (probing_ || now < until_) return {};
  probing_ = true;
  return {.admitted = true, .probe = true};
}

bool CircuitBreaker::GivenUp(TimePoint now) const {
  return open_ && failed_probes_ >= kPatience && (probing_ || now < until_);
}

void CircuitBreaker::Record(const Admission& admission, const absl::Status& status, TimePoint now) {
  if (options_.failures == 0) return;
  if (admission.probe) probing_ = false;
  if (!CountsAsFailure(status.code())) {
    open_ = false;
    failures_ = 0;
    rest_ = options_.first_rest;
    return;
  }
  if (open_) {
    // Calls that were under way when it opened say nothing new.
    if (!admission.probe) return;
    ++failed_probes_;
    rest_ = std::min(2 * rest_, options_.longest_rest);
    until_ = now + rest_;
    return;
  }
  if (++failures_ < options_.failures) return;
  open_ = true;
  ++opened_;
  failed_probes_ = 0;
  until_ = now + rest_;
}

void CircuitBreaker::Forget(const Admission& admission) {
  if (admission.probe) probing_ = false;
}

}  // namespace toolformer
