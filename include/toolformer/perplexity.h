// How well a model predicts a text.
#ifndef TOOLFORMER_PERPLEXITY_H_
#define TOOLFORMER_PERPLEXITY_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"

namespace toolformer {

// Of tokens that were predicted.
struct TOOLFORMER_API TokenLosses {
  int64_t tokens = 0;
  double nats = 0.0;  // sum of -log p

  double mean_nats() const { return tokens == 0 ? 0.0 : nats / static_cast<double>(tokens); }
  double perplexity() const;  // exp(mean_nats())
};

struct TOOLFORMER_API TextLosses {
  TokenLosses all;
  // With the opening of a call at probability 0 (paper, footnote 5). The text's own brackets are tokens that then
  // cannot be predicted: they are left out.
  TokenLosses calls_disabled;

  void Add(const TextLosses& more);
};

struct TOOLFORMER_API Perplexity {
  TextLosses total;
  std::vector<TextLosses> windows;
};

struct TOOLFORMER_API PerplexityOptions {
  // Tokens of a window, the start token included; at least 2, at most the model's context.
  int64_t window = 1024;
  // Called after each window; what it returns, where that is not ok, ends the measurement. May be empty.
  std::function<absl::Status(const TextLosses& window)> on_window;
};

// Cuts `ids` (of a whole text, without start token) into windows that do not overlap; each is the start token and up to
// window - 1 ids, all of which are predicted. So the rest of a text from the start of a window on has the same windows
// as in the whole. kInvalidArgument (no ids, a window out of range, an id that is none), kCancelled, kDeadlineExceeded,
// and the errors of Forward. Memory: one window's cache and 128 rows of logits.
TOOLFORMER_API absl::StatusOr<Perplexity> MeasurePerplexity(const LanguageModel& model, std::span<const int32_t> ids,
                                                            const PerplexityOptions& options,
                                                            const Interrupt& interrupt = {});

}  // namespace toolformer

#endif  // TOOLFORMER_PERPLEXITY_H_
