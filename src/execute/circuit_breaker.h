// Stops asking a tool that does not answer.
#ifndef TOOLFORMER_SRC_EXECUTE_CIRCUIT_BREAKER_H_
#define TOOLFORMER_SRC_EXECUTE_CIRCUIT_BREAKER_H_

#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "toolformer/tool_executor.h"

namespace toolformer {

// Closed: every call may run. After so many failures in a row it opens: no call may, for a while. Then one may, the
// probe: where it succeeds, the breaker closes; where it fails, it opens for twice as long. Of one thread at a time.
class CircuitBreaker {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit CircuitBreaker(const BreakerOptions& options) : options_(options), rest_(options.first_rest) {}

  // Whether a call may run now. Each that may is reported by one Record or Forget, with what it was given here.
  struct Admission {
    bool admitted = false;
    bool probe = false;
  };
  Admission Admit(TimePoint now);
  // Whether calls need not wait until one may run: the tool has been away for too long.
  bool GivenUp(TimePoint now) const;

  // A call has come back. Kinds that say that the tool itself is not well are failures (CountsAsFailure), everything
  // else shows that it is.
  void Record(const Admission& admission, const absl::Status& status, TimePoint now);
  // A call of which nothing is known: its caller went away.
  void Forget(const Admission& admission);

  bool open() const { return open_; }
  int64_t opened() const { return opened_; }

  static bool CountsAsFailure(absl::StatusCode code);

 private:
  // Probes that may fail before calls stop waiting for the tool to come back: 7 s by the default rests.
  static constexpr int kPatience = 3;

  const BreakerOptions options_;
  bool open_ = false;
  bool probing_ = false;
  int failures_ = 0;  // in a row
  int64_t opened_ = 0;
  int failed_probes_ = 0;  // since it opened
  TimePoint until_{};
  std::chrono::milliseconds rest_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EXECUTE_CIRCUIT_BREAKER_H_
