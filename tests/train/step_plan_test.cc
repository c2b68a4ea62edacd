#include "src/train/step_plan.h"

#include <numeric>
#include <set>
#include <vector>

#include "tests/check.h"

namespace toolformer::step_plan_test {
namespace {

std::vector<int32_t> Numbers(int32_t first, int32_t count) {
  std::vector<int32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST_CASE("long sequences are cut, each part behind the start token") {
  std::vector<TrainingSequence> sequences = {{Numbers(0, 10), {}}, {Numbers(50, 4), {}}, {Numbers(70, 2), {}}};
  sequences[0].weights = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<TrainingSequence> cut = CutSequences(sequences, 4);
  REQUIRE(cut.size() == 5);
  CHECK(cut[0].ids == std::vector<int32_t>{0, 1, 2, 3});
  CHECK(cut[0].weights == std::vector<float>{1, 2, 3});
  CHECK(cut[1].ids == std::vector<int32_t>{0, 4, 5, 6});
  CHECK(cut[2].ids == std::vector<int32_t>{0, 7, 8, 9});
  CHECK(cut[2].weights == std::vector<float>{7, 8, 9});
  CHECK(cut[3].ids == sequences[1].ids);
  CHECK(cut[4].ids == sequences[2].ids);
}

TEST_CASE("parts without weight are left out") {
  const std::vector<TrainingSequence> sequences = {{Numbers(0, 7), {0, 0, 0, 1, 0, 0}}};
  const std::vector<TrainingSequence> cut = CutSequences(sequences, 4);
  REQUIRE(cut.size() == 1);
  CHECK(cut[0].ids == std::vector<int32_t>{0, 4, 5, 6});
  CHECK(TotalWeight(cut[0]) == 1.0);
}

TEST_CASE("passes hold as many tokens as they may") {
  const std::vector<TrainingSequence> sequences = {
      {Numbers(0, 5), {}}, {Numbers(0, 5), {}}, {Numbers(0, 3), {}}, {Numbers(0, 40), {}}, {Numbers(0, 2), {}}};
  std::vector<const TrainingSequence*> pointers;
  for (const TrainingSequence& sequence : sequences) pointers.push_back(&sequence);
  std::vector<size_t> sizes;
  for (const auto& pass : PackPasses(pointers, 10)) sizes.push_back(pass.size());
  CHECK(sizes == std::vector<size_t>{3, 1, 1});  // 4 + 4 + 2, 39, 1
}

TEST_CASE("an epoch draws every sequence once, in an order of its own") {
  FineTunerOptions options;
  options.batch_size = 4;
  options.epochs = 3;
  StepPlan plan(10, options);
  CHECK(plan.steps() == 8);  // 30 sequences
  std::vector<int64_t> drawn;
  for (int64_t step = 0; step < plan.steps(); ++step) {
    for (const int64_t index : plan.Batch(step)) drawn.push_back(index);
  }
  REQUIRE(drawn.size() == 30);
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    const std::vector<int64_t> order(drawn.begin() + 10 * epoch, drawn.begin() + 10 * (epoch + 1));
    CHECK(std::set<int64_t>(order.begin(), order.end()).size() == 10);
    orders.insert(order);
  }
  CHECK(orders.size() == 3);
  StepPlan again(10, options);
  CHECK(again.Batch(5) == std::vector<int64_t>(drawn.begin() + 20, drawn.begin() + 24));  // from the middle
  options.seed = 1;
  StepPlan other(10, options);
  CHECK(other.Batch(0) != std::vector<int64_t>(drawn.begin(), drawn.begin() + 4));
}

TEST_CASE("the most steps, and the rate of each") {
  FineTunerOptions options;
  options.batch_size = 2;
  options.max_steps = 20;
  options.learning_rate = 1.0;
  StepPlan plan(7, options);
  CHECK(plan.steps() == 20);
  CHECK(plan.LearningRate(0) == 0.5);  // two steps of warm-up
  CHECK(plan.LearningRate(1) == 1.0);
  CHECK(plan.LearningRate(19) == 1.0);
  options.decay = LearningRateDecay::kLinear;
  CHECK(StepPlan(7, options).LearningRate(10) == doctest::Approx(0.5));
  CHECK(StepPlan(7, options).LearningRate(19) == doctest::Approx(0.0));
  options.decay = LearningRateDecay::kCosine;
  CHECK(StepPlan(7, options).LearningRate(10) == doctest::Approx(0.5));
  options.warmup = 0;
  CHECK(StepPlan(7, options).LearningRate(0) < 1.0);
  options.epochs = 1000;
  CHECK(StepPlan(7, options).steps() == 20);
}

}  // namespace
}  // namespace toolformer::step_plan_test
