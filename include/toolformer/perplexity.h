// How well a model predicts a text.
#ifndef TOOLFORMER_PERPLEXITY_H_
#define TOOLFORMER_PERPLEXITY_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"

namespace toolformer {

struct TOOLFORMER_API PerplexityOptions {
  // Tokens of a window, the start token included; at least 2, at most the model's context.
  int64_t window = 1024;
  // Called after each window with what has been computed so far; may be empty.
  std::function<void(int64_t tokens, double nats)> progress;
};

struct TOOLFORMER_API Perplexity {
  int64_t tokens = 0;               // that were predicted
  double nats = 0.0;                // sum of -log p over them
  std::vector<double> window_nats;  // the same of each window

  double mean_nats() const { return tokens == 0 ? 0.0 : nats / static_cast<double>(tokens); }
  double perplexity() const;  // exp(mean_nats())
};

// Cuts `ids` (of a whole text, without start token) into windows that do not overlap; each is the start token and up to
// window - 1 ids, all of which are predicted. kInvalidArgument (no ids, a window out of range, an id that is none),
// kCancelled, kDeadlineExceeded, and the errors of Forward. Memory: one window's cache and 128 rows of logits.
TOOLFORMER_API absl::StatusOr<Perplexity> MeasurePerplexity(const LanguageModel& model, std::span<const int32_t> ids,
                                                            const PerplexityOptions& options,
                                                            const Interrupt& interrupt = {});

}  // namespace toolformer

#endif  // TOOLFORMER_PERPLEXITY_H_
