#include "toolformer/loss_filter.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "src/base/status.h"
#include "src/model/token_sampler.h"

namespace toolformer {
namespace {

// One pass of the model: a prefix, the text up to its last weighted token, and the positions whose L_i is asked.
struct Pass {
  std::vector<int32_t> ids;  // start token, z, x up to the last weighted token
  int64_t text_begin = 0;    // index of x_0 in ids
  std::set<int64_t> positions;
  std::vector<int64_t> wanted;
  std::map<int64_t, double> losses;  // by position
};

// Last weighted token of position i in a text of n tokens, plus one.
int64_t WeightedEnd(int64_t i, int64_t n) { return std::min<int64_t>(n, i + std::ssize(kLossWeights)); }

void Prepare(int32_t start, std::span<const int32_t> prefix, std::span<const int32_t> x, Pass* pass) {
  pass->ids.push_back(start);
  pass->ids.insert(pass->ids.end(), prefix.begin(), prefix.end());
  pass->text_begin = std::ssize(pass->ids);
  const int64_t end = WeightedEnd(*pass->positions.rbegin(), std::ssize(x));
  pass->ids.insert(pass->ids.end(), x.begin(), x.begin() + end);
  std::set<int64_t> wanted;
  for (const int64_t i : pass->positions) {
    // Token j of the text is predicted by the one before it.
    for (int64_t j = i; j < WeightedEnd(i, std::ssize(x)); ++j) wanted.insert(pass->text_begin + j - 1);
  }
  pass->wanted.assign(wanted.begin(), wanted.end());
}

// Fills the losses of the pass from its rows of a batch's log-probabilities.
void ReadLosses(std::span<const double> log_probabilities, int64_t n, Pass* pass) {
  for (const int64_t i : pass->positions) {
    double loss = 0.0;
    for (int64_t j = i; j < WeightedEnd(i, n); ++j) {
      const auto row = std::lower_bound(pass->wanted.begin(), pass->wanted.end(), pass->text_begin + j - 1);
      loss -= kLossWeights[j - i] * log_probabilities[row - pass->wanted.begin()];
    }
    pass->losses[i] = loss;
  }
}

absl::Status RunBatch(const LanguageModel& model, std::span<Pass*> passes, int64_t n) {
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
    ReadLosses(std::span(log_probabilities).subspan(done, pass->wanted.size()), n, pass);
    done += pass->wanted.size();
  }
  return absl::OkStatus();
}

}  // namespace

LossFilter::LossFilter(const LanguageModel& model, LossFilterOptions options)
    : model_(model), options_(options), pieces_(model.tokenizer()) {}

absl::StatusOr<std::vector<CallLosses>> LossFilter::Score(std::span<const int32_t> x, std::span<const FilterCase> cases,
                                                          const Interrupt& interrupt) const {
  if (x.empty()) return InvalidArgument("the text has no tokens");
  if (cases.empty()) return std::vector<CallLosses>();
  using Prefix = std::vector<int32_t>;
  std::map<Prefix, Pass> passes;                // the empty prefix among them
  std::vector<std::array<Prefix, 2>> prefixes;  // e(c, empty) and e(c, r) of each case
  for (const FilterCase& candidate : cases) {
    if (candidate.position < 0 || candidate.position >= std::ssize(x)) {
      return InvalidArgument("position {} is not within the text's {} tokens", candidate.position, x.size());
    }
    prefixes.push_back({pieces_.Prefix(candidate.call, ""), pieces_.Prefix(candidate.call, candidate.result)});
    for (const Prefix& prefix : prefixes.back()) passes[prefix].positions.insert(candidate.position);
    passes[Prefix()].positions.insert(candidate.position);
  }
  std::vector<Pass*> by_length;
  for (auto& [prefix, pass] : passes) {
    Prepare(model_.tokenizer().start_id(), prefix, x, &pass);
    by_length.push_back(&pass);
  }
  std::stable_sort(by_length.begin(), by_length.end(),
                   [](const Pass* a, const Pass* b) { return a->ids.size() < b->ids.size(); });
  for (size_t begin = 0; begin < by_length.size();) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    size_t end = begin;
    int64_t tokens = 0;
    do {
      tokens += std::ssize(by_length[end++]->ids);
    } while (end < by_length.size() && tokens + std::ssize(by_length[end]->ids) <= options_.max_batch_tokens);
    TF_RETURN_IF_ERROR(RunBatch(model_, std::span(by_length).subspan(begin, end - begin), std::ssize(x)));
    begin = end;
  }
  std::vector<CallLosses> losses;
  for (size_t c = 0; c < cases.size(); ++c) {
    const int64_t i = cases[c].position;
    losses.push_back({passes[Prefix()].losses[i], passes[prefixes[c][0]].losses[i], passes[prefixes[c][1]].losses[i]});
  }
  return losses;
}

}  // namespace toolformer
