// Which sequences make a step, and which steps make a run.
#ifndef TOOLFORMER_SRC_TRAIN_STEP_PLAN_H_
#define TOOLFORMER_SRC_TRAIN_STEP_PLAN_H_

#include <cstdint>
#include <span>
#include <vector>

#include "toolformer/fine_tuner.h"
#include "toolformer/training_sequence.h"

namespace toolformer {

// Sequences of at most `length` ids. Longer ones go on in a sequence of their own that begins with the same start
// token.
std::vector<TrainingSequence> CutSequences(std::span<const TrainingSequence> sequences, int64_t length);

// Sum of the weights of a sequence's tokens.
double TotalWeight(const TrainingSequence& sequence);

// Groups neighbours into passes of at most `tokens` inputs; a longer sequence is a pass by itself.
std::vector<std::vector<const TrainingSequence*>> PackPasses(std::span<const TrainingSequence* const> sequences,
                                                             int64_t tokens);

// The same seed gives the same steps. Every epoch has an order of its own; nothing is drawn twice in one.
class StepPlan {
 public:
  StepPlan(int64_t sequences, const FineTunerOptions& options);

  int64_t steps() const { return steps_; }
  // Indices of the sequences of step `step`, from 0.
  std::vector<int64_t> Batch(int64_t step);
  // Of step `step`, from 0: base rate times (step + 1) / warm-up steps at first.
  double LearningRate(int64_t step) const;

 private:
  int64_t IndexAt(int64_t drawn);

  const FineTunerOptions options_;
  const int64_t sequences_;
  int64_t drawn_ = 0;  // sequences of the whole run
  int64_t steps_ = 0;
  int64_t epoch_ = -1;  // of order_
  std::vector<int64_t> order_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_STEP_PLAN_H_
