#include "toolformer/perplexity.h"

#include <algorithm>
#include <cmath>

#include "src/base/status.h"
#include "src/model/token_sampler.h"

namespace toolformer {
namespace {

// Rows of logits at a time: a vocabulary may be 262,144 wide.
constexpr int64_t kRows = 128;

// -log p of the ids of one window after the start token.
absl::StatusOr<double> WindowNats(const LanguageModel& model, std::span<const int32_t> ids,
                                  const Interrupt& interrupt) {
  std::vector<int32_t> sequence = {model.tokenizer().start_id()};
  sequence.insert(sequence.end(), ids.begin(), ids.end() - 1);
  const std::unique_ptr<KvCache> cache = model.NewCache();
  double nats = 0.0;
  const auto size = static_cast<int64_t>(sequence.size());
  for (int64_t begin = 0; begin < size; begin += kRows) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    const int64_t count = std::min(kRows, size - begin);
    std::vector<int64_t> wanted(count);
    for (int64_t i = 0; i < count; ++i) wanted[i] = i;
    const ForwardRow row{std::span(sequence).subspan(begin, count), cache.get(), wanted};
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, model.Forward({&row, 1}));
    TF_ASSIGN_OR_RETURN(const std::vector<double> log_probabilities,
                        LogProbabilities(logits, ids.subspan(begin, count)));
    for (const double log_probability : log_probabilities) nats -= log_probability;
  }
  return nats;
}

}  // namespace

double Perplexity::perplexity() const { return std::exp(mean_nats()); }

absl::StatusOr<Perplexity> MeasurePerplexity(const LanguageModel& model, std::span<const int32_t> ids,
                                             const PerplexityOptions& options, const Interrupt& interrupt) {
  if (ids.empty()) return InvalidArgument("the text has no tokens to predict");
  if (options.window < 2 || options.window > model.context_length()) {
    return InvalidArgument("a window of {} tokens is not within 2 to the model's context of {}", options.window,
                           model.context_length());
  }
  Perplexity result;
  while (!ids.empty()) {
    const size_t count = std::min(ids.size(), static_cast<size_t>(options.window - 1));
    TF_ASSIGN_OR_RETURN(const double nats, WindowNats(model, ids.first(count), interrupt));
    result.window_nats.push_back(nats);
    result.nats += nats;
    result.tokens += static_cast<int64_t>(count);
    ids = ids.subspan(count);
    if (options.progress) options.progress(result.tokens, result.nats);
  }
  return result;
}

}  // namespace toolformer
