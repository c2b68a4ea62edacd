#include "toolformer/loss_filter.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "src/base/status.h"
#include "src/model/token_sampler.h"

namespace toolformer {
namespace {

constexpr double kAnyGain = -std::numeric_limits<double>::infinity();

using Prefix = std::vector<int32_t>;

// One pass of the model: a prefix, the text up to its last weighted token, and the positions whose L_i is asked.
struct Pass {
  std::span<const int32_t> x;
  std::vector<int32_t> ids;  // start token, z, x up to the last weighted token
  int64_t text_begin = 0;    // index of x_0 in ids
  std::set<int64_t> positions;
  std::vector<int64_t> wanted;
  std::map<int64_t, double> losses;  // by position
};

// Last weighted token of position i in a text of n tokens, plus one.
int64_t WeightedEnd(int64_t i, int64_t n) { return std::min<int64_t>(n, i + std::ssize(kLossWeights)); }

void Prepare(int32_t start, const Prefix& prefix, Pass* pass) {
  const int64_t n = std::ssize(pass->x);
  pass->ids.push_back(start);
  pass->ids.insert(pass->ids.end(), prefix.begin(), prefix.end());
  pass->text_begin = std::ssize(pass->ids);
  pass->ids.insert(pass->ids.end(), pass->x.begin(), pass->x.begin() + WeightedEnd(*pass->positions.rbegin(), n));
  std::set<int64_t> wanted;
  for (const int64_t i : pass->positions) {
    // Token j of the text is predicted by the one before it.
    for (int64_t j = i; j < WeightedEnd(i, n); ++j) wanted.insert(pass->text_begin + j - 1);
  }
  pass->wanted.assign(wanted.begin(), wanted.end());
}

// Fills the losses of the pass from log-probabilities of the tokens behind its wanted ones.
void ReadLosses(std::span<const double> log_probabilities, Pass* pass) {
  for (const int64_t i : pass->positions) {
    double loss = 0.0;
    for (int64_t j = i; j < WeightedEnd(i, std::ssize(pass->x)); ++j) {
      const auto row = std::lower_bound(pass->wanted.begin(), pass->wanted.end(), pass->text_begin + j - 1);
      loss -= kLossWeights[j - i] * log_probabilities[row - pass->wanted.begin()];
    }
    pass->losses[i] = loss;
  }
}

absl::Status RunBatch(const LanguageModel& model, std::span<Pass* const> passes) {
  std::vector<ForwardRow> rows;
  std::vector<int32_t> next;
  for (const Pass* pass : passes) {
    rows.push_back({pass->ids, nullptr, pass->wanted});
    for (const int64_t index : pass->wanted) next.push_back(pass->ids[index + 1]);
  }
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, model.Forward(rows));
  TF_ASSIGN_OR_RETURN(const std::vector<double> log_probabilities, LogProbabilities(logits, next));
  size_t done = 0;
  for (Pass* pass : passes) {
    ReadLosses(std::span(log_probabilities).subspan(done, pass->wanted.size()), pass);
    done += pass->wanted.size();
  }
  return absl::OkStatus();
}

// A pass that wants more rows of logits than may be held at once: read piece by piece, with a cache.
absl::Status RunInPieces(const LanguageModel& model, int64_t most_wanted, const Interrupt& interrupt, Pass* pass) {
  const std::unique_ptr<KvCache> cache = model.NewCache();
  std::vector<double> log_probabilities;
  int64_t begin = 0;
  for (auto first = pass->wanted.begin(); first != pass->wanted.end();) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    const auto last = first + std::min<int64_t>(most_wanted, pass->wanted.end() - first);
    const int64_t end = *(last - 1) + 1;
    std::vector<int64_t> wanted;
    std::vector<int32_t> next;
    for (; first != last; ++first) {
      wanted.push_back(*first - begin);
      next.push_back(pass->ids[*first + 1]);
    }
    const ForwardRow row{std::span(pass->ids).subspan(begin, end - begin), cache.get(), wanted};
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, model.Forward({&row, 1}));
    TF_ASSIGN_OR_RETURN(const std::vector<double> piece, LogProbabilities(logits, next));
    log_probabilities.insert(log_probabilities.end(), piece.begin(), piece.end());
    begin = end;
  }
  ReadLosses(log_probabilities, pass);
  return absl::OkStatus();
}

// Runs the passes, those of similar length together.
absl::Status Run(const LanguageModel& model, const LossFilterOptions& options, const Interrupt& interrupt,
                 std::vector<Pass*> passes) {
  const int64_t row_bytes = model.vocab_size() * static_cast<int64_t>(sizeof(float));
  const int64_t most_wanted = std::max<int64_t>(1, options.max_logits_bytes / row_bytes);
  std::stable_sort(passes.begin(), passes.end(),
                   [](const Pass* a, const Pass* b) { return a->ids.size() < b->ids.size(); });
  for (auto begin = passes.begin(); begin != passes.end();) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    if (std::ssize((*begin)->wanted) > most_wanted) {
      TF_RETURN_IF_ERROR(RunInPieces(model, most_wanted, interrupt, *begin++));
      continue;
    }
    int64_t tokens = 0, wanted = 0;
    auto end = begin;
    for (; end != passes.end(); ++end) {
      tokens += std::ssize((*end)->ids);
      wanted += std::ssize((*end)->wanted);
      if (end != begin && (tokens > options.max_batch_tokens || wanted > most_wanted)) break;
    }
    TF_RETURN_IF_ERROR(RunBatch(model, {begin, end}));
    begin = end;
  }
  return absl::OkStatus();
}

// A job on its way: its passes by prefix, and what its cases ask of them.
class ScoredText {
 public:
  ScoredText(const LanguageModel& model, const CallPieces& pieces, const FilterJob& job)
      : model_(model), job_(job), status_(Check()) {
    if (!status_.ok()) return;
    for (const FilterCase& candidate : job_.cases) {
      prefixes_.push_back(
          {pieces.Prefix(candidate.call, ""), pieces.Prefix(candidate.call, candidate.result), Prefix()});
    }
  }

  // Passes for L_i(empty) and L+ of every case, and for L_i(e(c, empty)) of those that need it in any case.
  void AskFirst(std::vector<Pass*>* passes) {
    std::map<Prefix, Pass> asked;
    for (size_t c = 0; c < prefixes_.size(); ++c) {
      const FilterCase& candidate = job_.cases[c];
      for (const Kind kind : {kCall, kResult, kEmpty}) {
        if (kind == kCall && candidate.needed_gain > kAnyGain) continue;
        asked[prefixes_[c][kind]].positions.insert(candidate.position);
      }
    }
    Ask(std::move(asked), passes);
  }

  // Passes for L_i(e(c, empty)) where the others leave room for the needed gain.
  void AskSecond(std::vector<Pass*>* passes) {
    std::map<Prefix, Pass> asked;
    for (size_t c = 0; c < prefixes_.size() && status_.ok(); ++c) {
      const FilterCase& candidate = job_.cases[c];
      // Where a tool answers nothing, the two calls are the same and known.
      if (Loss(c, kCall) || !(*Loss(c, kEmpty) - *Loss(c, kResult) >= candidate.needed_gain)) continue;
      asked[prefixes_[c][kCall]].positions.insert(candidate.position);
    }
    Ask(std::move(asked), passes);
  }

  absl::StatusOr<std::vector<CallLosses>> Losses() const {
    if (!status_.ok()) return status_;
    std::vector<CallLosses> losses;
    for (size_t c = 0; c < prefixes_.size(); ++c) {
      losses.push_back({*Loss(c, kEmpty), Loss(c, kCall), *Loss(c, kResult)});
    }
    return losses;
  }

 private:
  enum Kind { kCall, kResult, kEmpty };

  absl::Status Check() const {
    if (job_.x.empty()) return InvalidArgument("the text has no tokens");
    for (const FilterCase& candidate : job_.cases) {
      if (candidate.position < 0 || candidate.position >= std::ssize(job_.x)) {
        return InvalidArgument("position {} is not within the text's {} tokens", candidate.position, job_.x.size());
      }
    }
    return absl::OkStatus();
  }

  void Ask(std::map<Prefix, Pass>&& asked, std::vector<Pass*>* passes) {
    for (auto& [prefix, pass] : asked) {
      pass.x = job_.x;
      Prepare(model_.tokenizer().start_id(), prefix, &pass);
      if (std::ssize(pass.ids) > model_.context_length()) {
        status_ = OutOfRange("call, result and text are {} tokens, the context has {}", pass.ids.size(),
                             model_.context_length());
        return;
      }
    }
    for (auto& [prefix, pass] : asked) passes->push_back(&rounds_.emplace(prefix, std::move(pass))->second);
  }

  std::optional<double> Loss(size_t c, Kind kind) const {
    const auto [begin, end] = rounds_.equal_range(prefixes_[c][kind]);
    for (auto pass = begin; pass != end; ++pass) {
      const auto loss = pass->second.losses.find(job_.cases[c].position);
      if (loss != pass->second.losses.end()) return loss->second;
    }
    return std::nullopt;
  }

  const LanguageModel& model_;
  const FilterJob job_;
  absl::Status status_;
  std::vector<std::array<Prefix, 3>> prefixes_;  // of each case, by Kind
  std::multimap<Prefix, Pass> rounds_;           // passes of both rounds
};

}  // namespace

LossFilter::LossFilter(const LanguageModel& model, LossFilterOptions options)
    : model_(model), options_(options), pieces_(model.tokenizer()) {}

absl::StatusOr<std::vector<CallLosses>> LossFilter::Score(std::span<const int32_t> x, std::span<const FilterCase> cases,
                                                          const Interrupt& interrupt) const {
  const FilterJob alone{x, cases};
  TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<std::vector<CallLosses>>> scored, Score({&alone, 1}, interrupt));
  return std::move(scored.front());
}

absl::StatusOr<std::vector<absl::StatusOr<std::vector<CallLosses>>>> LossFilter::Score(
    std::span<const FilterJob> jobs, const Interrupt& interrupt) const {
  if (model_.approximate()) return InvalidArgument("the loss filter needs exact weights; this model's are int8");
  std::deque<ScoredText> texts;  // passes point into them
  for (const FilterJob& job : jobs) texts.emplace_back(model_, pieces_, job);
  std::vector<Pass*> passes;
  for (ScoredText& text : texts) text.AskFirst(&passes);
  TF_RETURN_IF_ERROR(Run(model_, options_, interrupt, std::move(passes)));
  passes = {};
  for (ScoredText& text : texts) text.AskSecond(&passes);
  TF_RETURN_IF_ERROR(Run(model_, options_, interrupt, std::move(passes)));
  std::vector<absl::StatusOr<std::vector<CallLosses>>> losses;
  losses.reserve(texts.size());
  for (const ScoredText& text : texts) losses.push_back(text.Losses());
  return losses;
}

}  // namespace toolformer
