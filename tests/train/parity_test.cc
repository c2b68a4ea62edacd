// Losses, gradients and steps against transformers and torch's AdamW.

#include <cmath>
#include <string>
#include <vector>

#include "src/train/adamw.h"
#include "src/train/trainable_transformer.h"
#include "tests/train/fixture.h"

namespace toolformer::parity_test {
namespace {

using testing::ExpectedTraining;
using testing::ReadFixture;
using testing::SequencesOf;
using testing::TrainingModels;

constexpr double kTolerance = 1e-4;

using Sequences = std::vector<const TrainingSequence*>;

double WeightOf(const Sequences& sequences) {
  double total = 0.0;
  for (const TrainingSequence* sequence : sequences) {
    for (const float weight : sequence->weights) total += weight;
  }
  return total;
}

struct Trace {
  std::vector<double> losses, norms;
  double final_loss = 0.0;
};

// The steps of a fixture; each batch in passes of `pass_size` sequences.
Trace RunSteps(const std::string& name, const TrainableTransformer::Settings& settings, size_t pass_size) {
  const nlohmann::json expected = ExpectedTraining(name);
  const std::vector<TrainingSequence> sequences = SequencesOf(expected);
  ModelRead read = ReadFixture(name);
  TrainableTransformer transformer(*read.description.family, read.description.spec, std::move(read.weights), settings);
  AdamW optimizer(transformer.parameters(),
                  {expected["beta1"], expected["beta2"], expected["epsilon"], expected["weight_decay"]});
  Trace trace;
  const size_t steps = expected["batches"].size();
  for (size_t step = 0; step < steps; ++step) {
    Sequences batch;
    for (const size_t index : expected["batches"][step]) batch.push_back(&sequences[index]);
    const double total = WeightOf(batch);
    optimizer.ClearGradients();
    double nats = 0.0;
    for (size_t first = 0; first < batch.size(); first += pass_size) {
      const Sequences pass(batch.begin() + first, batch.begin() + std::min(batch.size(), first + pass_size));
      nats += transformer.Learn(pass, 1.0 / total);
    }
    trace.losses.push_back(nats / total);
    trace.norms.push_back(optimizer.GradientNorm());
    const double warm = expected["warmup"].get<double>() * static_cast<double>(steps);
    const double rate = expected["learning_rate"].get<double>() * std::min(1.0, static_cast<double>(step + 1) / warm);
    const double most = expected["max_gradient_norm"];
    optimizer.Step(rate, trace.norms.back() > most ? most / trace.norms.back() : 1.0);
  }
  Sequences all;
  for (const TrainingSequence& sequence : sequences) all.push_back(&sequence);
  trace.final_loss = transformer.Evaluate(all) / WeightOf(all);
  return trace;
}

void CheckTrace(const Trace& trace, const nlohmann::json& expected, double tolerance) {
  for (size_t step = 0; step < trace.losses.size(); ++step) {
    CAPTURE(step);
    CHECK(std::abs(trace.losses[step] - expected["losses"][step].get<double>()) < tolerance);
    const double norm = expected["norms"][step];
    CHECK(std::abs(trace.norms[step] - norm) < tolerance * std::max(1.0, norm));
  }
  CHECK(std::abs(trace.final_loss - expected["final_loss"].get<double>()) < tolerance);
}

TEST_CASE("ten steps of every family are transformers' own") {
  for (const std::string& name : TrainingModels()) {
    CAPTURE(name);
    CheckTrace(RunSteps(name, {}, 3), ExpectedTraining(name), kTolerance);
  }
}

TEST_CASE("sequence by sequence, with layers computed again and logits a few at a time: the same") {
  for (const std::string& name : TrainingModels()) {
    CAPTURE(name);
    TrainableTransformer::Settings settings;
    settings.recompute_layers = true;
    settings.logits_bytes = 4000;
    CheckTrace(RunSteps(name, settings, 1), ExpectedTraining(name), kTolerance);
  }
}

TEST_CASE("bfloat16 learns nearly the same") {
  TrainableTransformer::Settings settings;
  settings.type = at::kBFloat16;
  for (const std::string name : {"llama_gqa", "gpt2_small", "gemma3_small", "qwen2_full"}) {
    CAPTURE(name);
    const Trace trace = RunSteps(name, settings, 3);
    CheckTrace(trace, ExpectedTraining(name), 0.1);
    CHECK(trace.losses[0] != doctest::Approx(RunSteps(name, {}, 3).losses[0]).epsilon(1e-7));  // it was bfloat16
  }
}

}  // namespace
}  // namespace toolformer::parity_test
