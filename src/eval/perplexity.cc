#include "toolformer/perplexity.h"

#include <algorithm>
#include <cmath>

#include "src/base/status.h"
#include "src/model/token_sampler.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

// Rows of logits at a time: a vocabulary may be 262,144 wide.
constexpr int64_t kRows = 128;

struct Measured {
  const LanguageModel& model;
  const std::vector<int32_t>& opening_ids;
  const Interrupt& interrupt;
};

// Of the ids of one window after the start token.
absl::StatusOr<TextLosses> WindowLosses(const Measured& of, std::span<const int32_t> ids) {
  std::vector<int32_t> sequence = {of.model.tokenizer().start_id()};
  sequence.insert(sequence.end(), ids.begin(), ids.end() - 1);
  const std::unique_ptr<KvCache> cache = of.model.NewCache();
  TextLosses losses;
  const auto size = static_cast<int64_t>(sequence.size());
  for (int64_t begin = 0; begin < size; begin += kRows) {
    TF_RETURN_IF_ERROR(of.interrupt.Check());
    const int64_t count = std::min(kRows, size - begin);
    std::vector<int64_t> wanted(count);
    for (int64_t i = 0; i < count; ++i) wanted[i] = i;
    const ForwardRow row{std::span(sequence).subspan(begin, count), cache.get(), wanted};
    const std::span<const int32_t> targets = ids.subspan(begin, count);
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, of.model.Forward({&row, 1}));
    TF_ASSIGN_OR_RETURN(const std::vector<double> log_probabilities, LogProbabilities(logits, targets));
    TF_ASSIGN_OR_RETURN(const std::vector<double> openings, SummedProbabilities(logits, of.opening_ids));
    for (int64_t i = 0; i < count; ++i) {
      ++losses.all.tokens;
      losses.all.nats -= log_probabilities[i];
      if (std::find(of.opening_ids.begin(), of.opening_ids.end(), targets[i]) != of.opening_ids.end()) continue;
      ++losses.calls_disabled.tokens;
      // What is left beside the opening holds at least the target, whatever rounding says.
      const double rest = std::max(std::log1p(-std::min(openings[i], 1.0)), log_probabilities[i]);
      losses.calls_disabled.nats -= log_probabilities[i] - rest;
    }
  }
  return losses;
}

void AddTo(const TokenLosses& more, TokenLosses* sum) {
  sum->tokens += more.tokens;
  sum->nats += more.nats;
}

}  // namespace

double TokenLosses::perplexity() const { return std::exp(mean_nats()); }

void TextLosses::Add(const TextLosses& more) {
  AddTo(more.all, &all);
  AddTo(more.calls_disabled, &calls_disabled);
}

absl::StatusOr<Perplexity> MeasurePerplexity(const LanguageModel& model, std::span<const int32_t> ids,
                                             const PerplexityOptions& options, const Interrupt& interrupt) {
  if (ids.empty()) return InvalidArgument("the text has no tokens to predict");
  if (options.window < 2 || options.window > model.context_length()) {
    return InvalidArgument("a window of {} tokens is not within 2 to the model's context of {}", options.window,
                           model.context_length());
  }
  const CallPieces pieces(model.tokenizer());
  Perplexity result;
  while (!ids.empty()) {
    const size_t count = std::min(ids.size(), static_cast<size_t>(options.window - 1));
    TF_ASSIGN_OR_RETURN(const TextLosses window,
                        WindowLosses({model, pieces.opening_ids(), interrupt}, ids.first(count)));
    result.total.Add(window);
    result.windows.push_back(window);
    ids = ids.subspan(count);
    if (options.on_window) TF_RETURN_IF_ERROR(options.on_window(window));
  }
  return result;
}

}  // namespace toolformer
