// Step 3 of annotation: does knowing the result of a call make the words that follow more likely (paper section 2,
// "Filtering API Calls")?
#ifndef TOOLFORMER_LOSS_FILTER_H_
#define TOOLFORMER_LOSS_FILTER_H_

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/call_syntax.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"

namespace toolformer {

// w_t = w~_t / sum_s w~_s with w~_t = max(0, 1 - 0.2 t): 5/15, 4/15, 3/15, 2/15, 1/15 (paper section 4.1).
inline constexpr std::array<double, 5> kLossWeights = {5.0 / 15, 4.0 / 15, 3.0 / 15, 2.0 / 15, 1.0 / 15};

struct TOOLFORMER_API FilterCase {
  int64_t position = 0;  // i: index into the text's ids; the weighted tokens are i to i + 4
  Call call;
  std::string result;  // as the tool gave it; it is neutralized
  // A gain below this need not be known exactly: where L_i(epsilon) - L+ is less, which the gain cannot exceed,
  // L_i(e(c, epsilon)) is not computed.
  double needed_gain = -std::numeric_limits<double>::infinity();
};

// L_i of the three prefixes, in nats, and what follows from them.
struct TOOLFORMER_API CallLosses {
  double empty = 0.0;          // L_i(epsilon)
  std::optional<double> call;  // L_i(e(c, epsilon)); absent where it was not needed
  double result = 0.0;         // L+ = L_i(e(c, r))

  // L- = min(L_i(epsilon), L_i(e(c, epsilon))); L- is at most this where gain_is_bound().
  double l_minus() const { return call && *call < empty ? *call : empty; }
  // L- - L+; a call is kept when it is >= tau_f. The gain is at most this where gain_is_bound().
  double gain() const { return l_minus() - result; }
  // L_i(e(c, epsilon)) is not known, because the gain is below the case's needed_gain whatever it is.
  bool gain_is_bound() const { return !call; }
};

struct TOOLFORMER_API LossFilterOptions {
  // Most tokens of one batch, and bytes of its logits; bound memory. Losses depend on them by rounding only.
  int64_t max_batch_tokens = 1024;
  int64_t max_logits_bytes = 32 << 20;
};

// A text and the calls that might stand in it.
struct TOOLFORMER_API FilterJob {
  std::span<const int32_t> x;  // the text's ids
  std::span<const FilterCase> cases;
};

// Keeps references to the model. Const and concurrent.
class TOOLFORMER_API LossFilter {
 public:
  explicit LossFilter(const LanguageModel& model, LossFilterOptions options = {});

  // L_i(z) = - sum_j w_{j-i} log p_M(x_j | z, x_1:j-1) for z in {empty, e(c, empty), e(c, r)}, z being a prefix of the
  // whole text (paper footnote 3). At the end of the text missing terms are left out and the weights are not
  // renormalised. One pass for L_i(empty) of all cases; one pass per distinct prefix, whatever the number of positions.
  // The result is in the order of `cases`. kInvalidArgument (empty text, a position outside it, an approximate model),
  // kOutOfRange (prefix
  // and text exceed the context), kInternal ("non-finite logits"), the interrupt's status.
  absl::StatusOr<std::vector<CallLosses>> Score(std::span<const int32_t> x, std::span<const FilterCase> cases,
                                                const Interrupt& interrupt) const;

  // The same for several texts, in their order; passes of all of them are packed into batches by length. What is wrong
  // with a job (kInvalidArgument, kOutOfRange) is the status of its own element; errors of the model and the
  // interrupt's status are the call's.
  absl::StatusOr<std::vector<absl::StatusOr<std::vector<CallLosses>>>> Score(std::span<const FilterJob> jobs,
                                                                             const Interrupt& interrupt) const;

 private:
  const LanguageModel& model_;
  const LossFilterOptions options_;
  const CallPieces pieces_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_LOSS_FILTER_H_
