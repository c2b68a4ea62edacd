// The most likely answers among the words of passages that a model has read.
#ifndef TOOLFORMER_SRC_ANSWER_SPAN_SEARCH_H_
#define TOOLFORMER_SRC_ANSWER_SPAN_SEARCH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/answer/span_source.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"

namespace toolformer {

// A passage behind which the model is about to answer.
struct ReadPassage {
  const SpanSource* source = nullptr;
  std::unique_ptr<KvCache> cache;
  at::Tensor logits;  // [vocab] f32, of the answer's first token
};

struct Span {
  std::string text;
  double log_probability = 0.0;  // of its tokens and an end of the answer behind them
};

struct SpanSearchOptions {
  int64_t beams = 3;
  int64_t max_tokens = 12;
  std::vector<int32_t> end_ids;  // tokens any of which ends an answer; ascending
};

// For each passage what its beams found, best first, at most beams * max_tokens. All passages go through the model as
// one batch. The caches are used up.
absl::StatusOr<std::vector<std::vector<Span>>> SearchSpans(const LanguageModel& model,
                                                           std::vector<ReadPassage> passages,
                                                           const SpanSearchOptions& options,
                                                           const Interrupt& interrupt);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANSWER_SPAN_SEARCH_H_
