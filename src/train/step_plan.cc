#include "src/train/step_plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "src/base/random.h"

namespace toolformer {

std::vector<TrainingSequence> CutSequences(std::span<const TrainingSequence> sequences, int64_t length) {
  std::vector<TrainingSequence> cut;
  for (const TrainingSequence& sequence : sequences) {
    // Each part has the start token and up to length - 1 of the others; the weight of token i stands at i - 1.
    const auto tokens = static_cast<int64_t>(sequence.ids.size());
    for (int64_t first = 1; first < tokens; first += length - 1) {
      const int64_t last = std::min(tokens, first + length - 1);
      TrainingSequence& part = cut.emplace_back();
      part.ids.push_back(sequence.ids[0]);
      part.ids.insert(part.ids.end(), sequence.ids.begin() + first, sequence.ids.begin() + last);
      if (!sequence.weights.empty()) {
        part.weights.assign(sequence.weights.begin() + first - 1, sequence.weights.begin() + last - 1);
      }
    }
  }
  // Nothing is learned from these.
  std::erase_if(cut, [](const TrainingSequence& sequence) { return TotalWeight(sequence) == 0; });
  return cut;
}

double TotalWeight(const TrainingSequence& sequence) {
  if (sequence.weights.empty()) return static_cast<double>(sequence.ids.size()) - 1;
  return std::accumulate(sequence.weights.begin(), sequence.weights.end(), 0.0);
}

std::vector<std::vector<const TrainingSequence*>> PackPasses(std::span<const TrainingSequence* const> sequences,
                                                             int64_t tokens) {
  std::vector<std::vector<const TrainingSequence*>> passes;
  int64_t used = 0;
  for (const TrainingSequence* sequence : sequences) {
    const int64_t more = std::ssize(sequence->ids) - 1;
    if (passes.empty() || used + more > tokens) {
      passes.emplace_back();
      used = 0;
    }
    passes.back().push_back(sequence);
    used += more;
  }
  return passes;
}

StepPlan::StepPlan(int64_t sequences, const FineTunerOptions& options) : options_(options), sequences_(sequences) {
  const double most = static_cast<double>(options.max_steps) * static_cast<double>(options.batch_size);
  const double wanted = options.epochs > 0 ? std::ceil(options.epochs * static_cast<double>(sequences)) : most;
  drawn_ = static_cast<int64_t>(std::min(most, wanted));
  steps_ = (drawn_ + options.batch_size - 1) / options.batch_size;
}

int64_t StepPlan::IndexAt(int64_t drawn) {
  if (drawn / sequences_ != epoch_) {
    epoch_ = drawn / sequences_;
    order_.resize(sequences_);
    std::iota(order_.begin(), order_.end(), 0);
    RandomStream random(CombineSeeds({options_.seed, HashBytes("order of an epoch"), static_cast<uint64_t>(epoch_)}));
    for (int64_t i = sequences_ - 1; i > 0; --i) {
      std::swap(order_[i], order_[static_cast<int64_t>(random.Uniform() * static_cast<double>(i + 1))]);
    }
  }
  return order_[drawn % sequences_];
}

std::vector<int64_t> StepPlan::Batch(int64_t step) {
  std::vector<int64_t> batch;
  const int64_t first = step * options_.batch_size, last = std::min(drawn_, first + options_.batch_size);
  for (int64_t i = first; i < last; ++i) batch.push_back(IndexAt(i));
  return batch;
}

double StepPlan::LearningRate(int64_t step) const {
  const auto warm = static_cast<int64_t>(std::ceil(options_.warmup * static_cast<double>(steps_)));
  if (step < warm) return options_.learning_rate * static_cast<double>(step + 1) / static_cast<double>(warm);
  const double done = static_cast<double>(step + 1 - warm) / static_cast<double>(std::max<int64_t>(1, steps_ - warm));
  switch (options_.decay) {
    case LearningRateDecay::kConstant:
      break;
    case LearningRateDecay::kLinear:
      return options_.learning_rate * (1.0 - done);
    case LearningRateDecay::kCosine:
      return options_.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  }
  return options_.learning_rate;
}

}  // namespace toolformer
