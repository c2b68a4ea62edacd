#include "src/seq2seq/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace toolformer {
namespace {

// What keeps a sequence from being chosen, as transformers has it.
constexpr float kExcluded = -1.0e9f;

}  // namespace

BeamSearch::BeamSearch(const GenerationRules& rules, std::span<const int32_t> start)
    : rules_(rules), start_(start.size()) {
  running_.push_back({{start.begin(), start.end()}, 0.0f, false});
  if (rules_.beams > 1) finished_.resize(static_cast<size_t>(rules_.beams), {{}, kExcluded, false});
  tokens_.push_back(start.back());
  parents_.push_back(0);
}

bool BeamSearch::IsEnd(int32_t id) const {
  return std::find(rules_.end_ids.begin(), rules_.end_ids.end(), id) != rules_.end_ids.end();
}

bool BeamSearch::AllFinished() const {
  return std::all_of(finished_.begin(), finished_.end(), [](const Sequence& sequence) { return sequence.finished; });
}

BeamSearch::Sequence BeamSearch::Extended(const Candidate& candidate) const {
  Sequence sequence = running_[candidate.row];
  sequence.ids.push_back(candidate.id);
  sequence.score = candidate.score;
  return sequence;
}

void BeamSearch::AdvanceGreedily(std::span<float> scores) {
  Sequence& sequence = running_.front();
  ApplyRules(rules_, sequence.ids, scores);
  const auto best = static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  sequence.ids.push_back(best);
  tokens_.front() = best;
  sequence.finished = IsEnd(best);
  done_ = sequence.finished || std::ssize(sequence.ids) >= rules_.max_length;
}

// The best (ends + 1) * beams, best first: as many that do not end as there are beams are always among them.
std::vector<BeamSearch::Candidate> BeamSearch::BestCandidates(std::span<const float> scores) const {
  const size_t vocabulary = scores.size() / running_.size();
  const auto wanted = static_cast<size_t>(std::max<int64_t>(2, 1 + std::ssize(rules_.end_ids)) * rules_.beams);
  const auto better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  std::vector<Candidate> heap;  // the worst one first
  for (size_t row = 0; row < running_.size(); ++row) {
    const float before = running_[row].score;
    for (size_t id = 0; id < vocabulary; ++id) {
      const float score = scores[row * vocabulary + id] + before;
      if (!(score > -std::numeric_limits<float>::infinity())) continue;  // forbidden, or not a number
      if (heap.size() >= wanted && !(score > heap.front().score)) continue;
      if (heap.size() >= wanted) {
        std::pop_heap(heap.begin(), heap.end(), better);
        heap.pop_back();
      }
      heap.push_back({score, row, static_cast<int32_t>(id), false});
      std::push_heap(heap.begin(), heap.end(), better);
    }
  }
  std::sort(heap.begin(), heap.end(), [](const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.row != b.row ? a.row < b.row : a.id < b.id;
  });
  const int64_t length = std::ssize(running_.front().ids) + 1;
  for (Candidate& candidate : heap) candidate.stops = IsEnd(candidate.id) || length >= rules_.max_length;
  return heap;
}

// Of those that end only what is among the best `beams` counts; the others were there to go on with.
void BeamSearch::KeepFinished(std::span<const Candidate> candidates) {
  if (!improvable_ || (AllFinished() && rules_.early_stopping == EarlyStopping::kFirstComplete)) return;
  const auto beams = static_cast<size_t>(rules_.beams);
  const auto generated = static_cast<double>(running_.front().ids.size() + 1 - start_);
  const auto divisor = static_cast<float>(std::pow(generated, rules_.length_penalty));
  for (const Candidate& candidate : candidates.first(std::min(beams, candidates.size()))) {
    if (!candidate.stops) continue;
    Sequence sequence = Extended(candidate);
    sequence.score = candidate.score / divisor;
    sequence.finished = true;
    finished_.push_back(std::move(sequence));
  }
  std::stable_sort(finished_.begin(), finished_.end(),
                   [](const Sequence& a, const Sequence& b) { return a.score > b.score; });
  finished_.resize(beams);
}

void BeamSearch::KeepRunning(std::span<const Candidate> candidates) {
  std::vector<Candidate> next(candidates.begin(), candidates.end());
  for (Candidate& candidate : next) {
    if (candidate.stops) candidate.score += kExcluded;
  }
  std::stable_sort(next.begin(), next.end(), [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  next.resize(std::min(next.size(), static_cast<size_t>(rules_.beams)));
  std::vector<Sequence> running;
  tokens_.clear();
  parents_.clear();
  for (const Candidate& candidate : next) {
    running.push_back(Extended(candidate));
    tokens_.push_back(candidate.id);
    parents_.push_back(static_cast<int64_t>(candidate.row));
  }
  running_ = std::move(running);
}

void BeamSearch::CheckHeuristic() {
  const bool may_grow = rules_.early_stopping == EarlyStopping::kNever && rules_.length_penalty > 0.0;
  const auto length = static_cast<double>(may_grow ? rules_.max_length : std::ssize(running_.front().ids));
  const double generated = length - static_cast<double>(start_);
  const float possible = running_.front().score / static_cast<float>(std::pow(generated, rules_.length_penalty));
  const float worst = finished_.back().score;
  improvable_ = improvable_ && std::any_of(finished_.begin(), finished_.end(), [&](const Sequence& sequence) {
                  return possible > (sequence.finished ? worst : kExcluded);
                });
}

void BeamSearch::Advance(std::span<float> scores) {
  if (done_) return;
  if (rules_.beams <= 1) return AdvanceGreedily(scores);
  const size_t vocabulary = scores.size() / running_.size();
  for (size_t row = 0; row < running_.size(); ++row) {
    ApplyRules(rules_, running_[row].ids, scores.subspan(row * vocabulary, vocabulary));
  }
  const std::vector<Candidate> candidates = BestCandidates(scores);
  if (candidates.empty()) {
    done_ = true;
    return;
  }
  const bool all_stop =
      std::all_of(candidates.begin(), candidates.end(), [](const Candidate& candidate) { return candidate.stops; });
  KeepFinished(candidates);
  KeepRunning(candidates);
  CheckHeuristic();
  done_ = all_stop || !improvable_ || (rules_.early_stopping == EarlyStopping::kFirstComplete && AllFinished());
}

GeneratedSequence BeamSearch::Result() const {
  const bool greedy = rules_.beams <= 1;
  const Sequence& best = greedy || !finished_.front().finished ? running_.front() : finished_.front();
  GeneratedSequence result;
  result.ids.assign(best.ids.begin() + static_cast<int64_t>(start_), best.ids.end());
  result.ended = !result.ids.empty() && IsEnd(result.ids.back());
  if (!greedy) result.score = best.score;
  return result;
}

}  // namespace toolformer
