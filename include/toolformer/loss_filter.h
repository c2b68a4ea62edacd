// Step 3 of annotation: does knowing the result of a call make the words that follow more likely (paper section 2,
// "Filtering API Calls")?
#ifndef TOOLFORMER_LOSS_FILTER_H_
#define TOOLFORMER_LOSS_FILTER_H_

#include <array>
#include <cstdint>
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
};

// L_i of the three prefixes, in nats, and what follows from them.
struct TOOLFORMER_API CallLosses {
  double empty = 0.0;   // L_i(epsilon)
  double call = 0.0;    // L_i(e(c, epsilon))
  double result = 0.0;  // L+ = L_i(e(c, r))

  double l_minus() const { return empty < call ? empty : call; }  // L- = min(L_i(epsilon), L_i(e(c, epsilon)))
  double gain() const { return l_minus() - result; }              // L- - L+; a call is kept when it is >= tau_f
};

struct TOOLFORMER_API LossFilterOptions {
  // Most tokens of one batch; bounds memory. Losses depend on it by rounding only.
  int64_t max_batch_tokens = 4096;
};

// Keeps references to the model. Const and concurrent.
class TOOLFORMER_API LossFilter {
 public:
  explicit LossFilter(const LanguageModel& model, LossFilterOptions options = {});

  // L_i(z) = - sum_j w_{j-i} log p_M(x_j | z, x_1:j-1) for z in {empty, e(c, empty), e(c, r)}, z being a prefix of the
  // whole text (paper footnote 3). At the end of the text missing terms are left out and the weights are not
  // renormalised. One pass for L_i(empty) of all cases; one pass per distinct prefix, whatever the number of positions.
  // The result is in the order of `cases`. kInvalidArgument (empty text, a position outside it), kOutOfRange (prefix
  // and text exceed the context), kInternal ("non-finite logits"), the interrupt's status.
  absl::StatusOr<std::vector<CallLosses>> Score(std::span<const int32_t> x, std::span<const FilterCase> cases,
                                                const Interrupt& interrupt) const;

 private:
  const LanguageModel& model_;
  const LossFilterOptions options_;
  const CallPieces pieces_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_LOSS_FILTER_H_
