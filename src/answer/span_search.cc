#include "src/answer/span_search.h"

#include <ATen/ops/logsumexp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

// A span that is being written.
struct Beginning {
  std::vector<uint32_t> positions;  // that its tokens lead to, wherever they occur
  size_t tokens = 0;
  double log_probability = 0.0;
  std::unique_ptr<KvCache> cache;
  const float* logits = nullptr;  // of the next token
  double log_sum = 0.0;           // of their exponentials
};

// A beginning and one more token.
struct Candidate {
  size_t parent = 0;
  int32_t token = 0;
  std::vector<uint32_t> positions;
  double log_probability = 0.0;
};

class PassageSearch {
 public:
  PassageSearch(ReadPassage passage, const SpanSearchOptions& options)
      : source_(*passage.source), options_(options), first_logits_(std::move(passage.logits)) {
    Beginning& first = beginnings_.emplace_back();
    first.cache = std::move(passage.cache);
    first.logits = first_logits_.const_data_ptr<float>();
    first.log_sum = at::logsumexp(first_logits_, 0).item<double>();
  }

  std::vector<Beginning>& beginnings() { return beginnings_; }
  std::vector<int32_t>& tokens() { return tokens_; }

  // Ends the beginnings that may end and goes on with the best of all others: one token each, to be read next.
  absl::Status Advance() {
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < beginnings_.size(); ++i) {
      const Beginning& beginning = beginnings_[i];
      if (!std::isfinite(beginning.log_sum)) return Internal("question answering: the model's logits are not finite");
      if (beginning.tokens > 0 && source_.MayEnd(beginning.positions)) End(beginning);
      if (static_cast<int64_t>(beginning.tokens) == options_.max_tokens) continue;
      if (beginning.tokens == 0) {
        for (const auto& [token, positions] : source_.starts()) Consider(i, token, positions, &candidates);
      } else {
        for (auto& [token, positions] : source_.Continuations(beginning.positions)) {
          Consider(i, token, std::move(positions), &candidates);
        }
      }
    }
    // A span only becomes less likely as it grows.
    std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.log_probability <= best_; });
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.log_probability > b.log_probability; });
    if (std::ssize(candidates) > options_.beams) candidates.resize(options_.beams);
    Follow(std::move(candidates));
    return absl::OkStatus();
  }

  std::vector<Span> Take() {
    std::stable_sort(spans_.begin(), spans_.end(),
                     [](const Span& a, const Span& b) { return a.log_probability > b.log_probability; });
    return std::move(spans_);
  }

 private:
  static double LogProbability(const Beginning& beginning, int32_t token) {
    return static_cast<double>(beginning.logits[token]) - beginning.log_sum;
  }

  void End(const Beginning& beginning) {
    double end = 0;
    for (const int32_t id : options_.end_ids) end += std::exp(LogProbability(beginning, id));
    const double log_probability = beginning.log_probability + std::log(end);
    if (!std::isfinite(log_probability)) return;
    spans_.push_back({source_.Text(beginning.positions.front(), beginning.tokens), log_probability});
    best_ = std::max(best_, log_probability);
  }

  static void Consider(size_t parent, int32_t token, std::vector<uint32_t> positions,
                       std::vector<Candidate>* candidates, const Beginning& beginning) {
    candidates->push_back(
        {parent, token, std::move(positions), beginning.log_probability + LogProbability(beginning, token)});
  }
  void Consider(size_t parent, int32_t token, std::vector<uint32_t> positions, std::vector<Candidate>* candidates) {
    Consider(parent, token, std::move(positions), candidates, beginnings_[parent]);
  }

  void Follow(std::vector<Candidate> candidates) {
    std::vector<Beginning> next;
    tokens_.clear();
    for (Candidate& candidate : candidates) {
      Beginning& parent = beginnings_[candidate.parent];
      Beginning& beginning = next.emplace_back();
      beginning.positions = std::move(candidate.positions);
      beginning.tokens = parent.tokens + 1;
      beginning.log_probability = candidate.log_probability;
      beginning.cache = parent.cache->Fork();
      tokens_.push_back(candidate.token);
    }
    beginnings_ = std::move(next);
  }

  const SpanSource& source_;
  const SpanSearchOptions& options_;
  at::Tensor first_logits_;
  std::vector<Beginning> beginnings_;
  std::vector<int32_t> tokens_;  // that the beginnings are about to read
  std::vector<Span> spans_;
  double best_ = -std::numeric_limits<double>::infinity();
};

}  // namespace

absl::StatusOr<std::vector<std::vector<Span>>> SearchSpans(const LanguageModel& model,
                                                           std::vector<ReadPassage> passages,
                                                           const SpanSearchOptions& options,
                                                           const Interrupt& interrupt) {
  std::vector<PassageSearch> searches;
  searches.reserve(passages.size());
  for (ReadPassage& passage : passages) searches.emplace_back(std::move(passage), options);
  constexpr int64_t kOnly = 0;
  at::Tensor logits;
  while (true) {
    std::vector<ForwardRow> rows;
    std::vector<Beginning*> beginnings;
    for (PassageSearch& search : searches) {
      TF_RETURN_IF_ERROR(search.Advance());
      for (size_t i = 0; i < search.beginnings().size(); ++i) {
        beginnings.push_back(&search.beginnings()[i]);
        rows.push_back({std::span(search.tokens()).subspan(i, 1), beginnings.back()->cache.get(), {&kOnly, 1}});
      }
    }
    if (rows.empty()) break;
    TF_RETURN_IF_ERROR(interrupt.Check());
    TF_ASSIGN_OR_RETURN(logits, model.Forward(rows));
    const at::Tensor log_sums = at::logsumexp(logits, 1);
    for (size_t i = 0; i < beginnings.size(); ++i) {
      beginnings[i]->logits = logits.const_data_ptr<float>() + static_cast<int64_t>(i) * logits.size(1);
      beginnings[i]->log_sum = log_sums.const_data_ptr<float>()[i];
    }
  }
  std::vector<std::vector<Span>> found;
  found.reserve(searches.size());
  for (PassageSearch& search : searches) found.push_back(search.Take());
  return found;
}

}  // namespace toolformer
