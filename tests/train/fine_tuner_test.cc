#include "toolformer/fine_tuner.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "tests/train/fixture.h"
#include "toolformer/weight_file.h"

namespace toolformer::fine_tuner_test {
namespace {

namespace fs = std::filesystem;
using testing::ExpectedTraining;
using testing::Fixture;
using testing::SequencesOf;

constexpr const char* kModel = "llama_tied";

// An empty folder that goes when the test ends.
class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / ("fine_tuner_test." + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Scratch() { fs::remove_all(path_); }
  std::string At(const std::string& name) const { return path_ / name; }

 private:
  const fs::path path_;
};

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

FineTunerOptions SmallSteps() {
  FineTunerOptions options;
  options.batch_size = 3;
  options.learning_rate = 2e-3;
  options.max_steps = 9;
  options.evaluation_interval = 4;
  options.checkpoint_interval = 1;
  options.tokens_per_pass = 40;
  return options;
}

struct Fixtures {
  std::vector<TrainingSequence> training = SequencesOf(ExpectedTraining(kModel));
  std::vector<TrainingSequence> development = {training[0], training[3]};
  FineTuneJob Job(const std::string& folder) const {
    return {Fixture(std::string("models/") + kModel), folder, training, development};
  }
};

absl::StatusOr<FineTuneResult> Tune(const FineTuneJob& job, const FineTunerOptions& options,
                                    const Interrupt& interrupt = {},
                                    const std::function<void(const FineTuneProgress&)>& progress = {}) {
  const absl::StatusOr<FineTuner> tuner = FineTuner::Create(options);
  if (!tuner.ok()) return tuner.status();
  return tuner->Run(job, interrupt, progress);
}

// Nats a token by weight, by inference.
double LossOf(const LanguageModel& model, const std::vector<TrainingSequence>& sequences) {
  double nats = 0.0, weight = 0.0;
  for (const TrainingSequence& sequence : sequences) {
    std::vector<int64_t> wanted(sequence.ids.size() - 1);
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = static_cast<int64_t>(i);
    const ForwardRow row{std::span(sequence.ids).first(wanted.size()), nullptr, wanted};
    const absl::StatusOr<at::Tensor> logits = model.Forward({&row, 1});
    REQUIRE(logits.ok());
    for (size_t i = 0; i < wanted.size(); ++i) {
      const float* line = logits->const_data_ptr<float>() + static_cast<int64_t>(i) * logits->size(1);
      double sum = 0.0;
      for (int64_t v = 0; v < logits->size(1); ++v) sum += std::exp(static_cast<double>(line[v]));
      nats += sequence.weights[i] * (std::log(sum) - line[sequence.ids[i + 1]]);
      weight += sequence.weights[i];
    }
  }
  return nats / weight;
}

TEST_CASE("a run learns, keeps the best state and leaves a model") {
  const Scratch scratch;
  const Fixtures fixtures;
  std::vector<FineTuneProgress> seen;
  const absl::StatusOr<FineTuneResult> result =
      Tune(fixtures.Job(scratch.At("run")), SmallSteps(), {}, [&](const FineTuneProgress& p) { seen.push_back(p); });
  REQUIRE_MESSAGE(result.ok(), std::string(result.status().message()));
  CHECK(result->steps == 9);
  CHECK(result->best_development_loss < result->first_development_loss - 0.1);
  REQUIRE(seen.size() == 9);
  CHECK(!seen[2].development_loss.has_value());
  CHECK(seen[3].development_loss.has_value());
  CHECK(seen[8].development_loss.has_value());
  CHECK(seen[8].loss < seen[0].loss);
  // The model is the one that was measured.
  const absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(result->model_folder, {});
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  CHECK(LossOf(**model, fixtures.development) == doctest::Approx(result->best_development_loss).epsilon(1e-4));
  // Nothing else stays, and the same job is done at once.
  CHECK(!fs::exists(scratch.At("run/checkpoint-000009")));
  seen.clear();
  const absl::StatusOr<FineTuneResult> again =
      Tune(fixtures.Job(scratch.At("run")), SmallSteps(), {}, [&](const FineTuneProgress& p) { seen.push_back(p); });
  REQUIRE(again.ok());
  CHECK(seen.empty());
  CHECK(again->best_development_loss == result->best_development_loss);
  CHECK(again->best_step == result->best_step);
}

TEST_CASE("interrupted after any step, a run ends as if it had not been") {
  const Scratch scratch;
  const Fixtures fixtures;
  for (const int64_t interval : {1, 3, 0}) {
    CAPTURE(interval);
    FineTunerOptions options = SmallSteps();
    options.checkpoint_interval = interval;
    const std::string whole = scratch.At("whole" + std::to_string(interval));
    REQUIRE(Tune(fixtures.Job(whole), options).ok());
    const std::string folder = scratch.At("parts" + std::to_string(interval));
    CancelToken cancel;
    Interrupt interrupt;
    interrupt.cancel = &cancel;
    int parts = 0;
    while (true) {
      cancel.Reset();
      const absl::StatusOr<FineTuneResult> result =
          Tune(fixtures.Job(folder), options, interrupt, [&](const FineTuneProgress&) { cancel.Cancel(); });
      ++parts;
      if (result.ok()) break;
      REQUIRE(absl::IsCancelled(result.status()));
      REQUIRE(parts < 20);
    }
    CHECK(parts >= 9);
    CHECK(Read(folder + "/log.jsonl") == Read(whole + "/log.jsonl"));
    CHECK(Read(folder + "/model/model.safetensors") == Read(whole + "/model/model.safetensors"));
    CHECK(Read(folder + "/model/model.safetensors").size() > 1000);
  }
}

TEST_CASE("whatever a killed run left half done is passed over") {
  const Scratch scratch;
  const Fixtures fixtures;
  REQUIRE(Tune(fixtures.Job(scratch.At("whole")), SmallSteps()).ok());
  CancelToken cancel;
  Interrupt interrupt;
  interrupt.cancel = &cancel;
  const std::string folder = scratch.At("run");
  const auto stop = [&](const FineTuneProgress& done) {
    if (done.step == 5) cancel.Cancel();
  };
  REQUIRE(!Tune(fixtures.Job(folder), SmallSteps(), interrupt, stop).ok());
  fs::create_directories(folder + "/checkpoint-000006.partial");
  std::ofstream(folder + "/checkpoint-000006.partial/state.safetensors") << "half";
  fs::create_directories(folder + "/best-000008");  // of a step that no checkpoint knows
  std::ofstream(folder + "/best-000008/config.json") << "{}";
  std::ofstream(folder + "/log.jsonl", std::ios::app) << "{\"step\": 6, \"lo";
  const absl::StatusOr<FineTuneResult> result = Tune(fixtures.Job(folder), SmallSteps());
  REQUIRE_MESSAGE(result.ok(), std::string(result.status().message()));
  CHECK(Read(folder + "/log.jsonl") == Read(scratch.At("whole") + "/log.jsonl"));
  CHECK(Read(folder + "/model/model.safetensors") == Read(scratch.At("whole") + "/model/model.safetensors"));
}

TEST_CASE("a folder of another run is left alone") {
  const Scratch scratch;
  const Fixtures fixtures;
  REQUIRE(Tune(fixtures.Job(scratch.At("run")), SmallSteps()).ok());
  FineTunerOptions options = SmallSteps();
  options.learning_rate = 1e-3;
  const absl::Status other = Tune(fixtures.Job(scratch.At("run")), options).status();
  CHECK(absl::IsFailedPrecondition(other));
  CHECK(std::string(other.message()).find("'learning_rate'") != std::string::npos);
  FineTuneJob job = fixtures.Job(scratch.At("run"));
  job.training = job.training.subspan(1);
  const absl::Status texts = Tune(job, SmallSteps()).status();
  CHECK(absl::IsFailedPrecondition(texts));
  CHECK(std::string(texts.message()).find("'training'") != std::string::npos);
}

TEST_CASE("a loss that is not finite ends the run with the best state so far") {
  const Scratch scratch;
  const Fixtures fixtures;
  FineTunerOptions options = SmallSteps();
  options.learning_rate = 1.0;
  options.max_gradient_norm = 0;
  options.max_steps = 400;
  options.weight_decay = 1000;
  options.evaluation_interval = 1;
  const absl::StatusOr<FineTuneResult> result = Tune(fixtures.Job(scratch.At("run")), options);
  REQUIRE_MESSAGE(result.ok(), std::string(result.status().message()));
  CHECK(result->stopped_early);
  CHECK(result->steps < 400);
  CHECK(std::isfinite(result->best_development_loss));
  CHECK(Model::Load(result->model_folder, {}).ok());
}

TEST_CASE("adapters learn while the model stays, and load with it") {
  const Scratch scratch;
  const Fixtures fixtures;
  FineTunerOptions options = SmallSteps();
  options.low_rank = {4, 16.0};
  options.learning_rate = 2e-2;
  const absl::StatusOr<FineTuneResult> result = Tune(fixtures.Job(scratch.At("run")), options);
  REQUIRE_MESSAGE(result.ok(), std::string(result.status().message()));
  CHECK(result->best_development_loss < result->first_development_loss - 0.05);
  ModelOptions with;
  with.adapter = result->model_folder;
  const auto base = Model::Load(fixtures.Job("").model, {}), tuned = Model::Load(fixtures.Job("").model, with);
  REQUIRE_MESSAGE(tuned.ok(), std::string(tuned.status().message()));
  CHECK(LossOf(**base, fixtures.development) == doctest::Approx(result->first_development_loss).epsilon(1e-4));
  // The adapter is stored in bfloat16.
  CHECK(LossOf(**tuned, fixtures.development) == doctest::Approx(result->best_development_loss).epsilon(5e-3));
}

TEST_CASE("mistakes are named") {
  const Scratch scratch;
  Fixtures fixtures;
  const auto message = [&](const FineTunerOptions& options) {
    return std::string(Tune(fixtures.Job(scratch.At("run")), options).status().message());
  };
  FineTunerOptions options;
  options.batch_size = 0;
  CHECK(message(options).find("batch_size is 0") != std::string::npos);
  options.batch_size = 1'000'001;
  CHECK(message(options).find("batch_size is 1000001") != std::string::npos);
  options = {};
  options.max_steps = std::numeric_limits<int64_t>::max();
  CHECK(message(options).find("max_steps is 9223372036854775807") != std::string::npos);
  options = {};
  options.learning_rate = std::numeric_limits<double>::quiet_NaN();
  CHECK(message(options).find("learning_rate") != std::string::npos);
  options = {};
  options.type = WeightType::kInt8;
  CHECK(message(options).find("int8") != std::string::npos);
  fixtures.training[1].ids[2] = 100000;
  CHECK(message({}).find("sequence 1: token id 100000") != std::string::npos);
  fixtures.training[1].ids[2] = 1;
  fixtures.training[1].weights.pop_back();
  CHECK(message({}).find("sequence 1 has") != std::string::npos);
  fixtures.training.clear();
  CHECK(message({}).find("nothing to learn from") != std::string::npos);
  CHECK(!fs::exists(scratch.At("run")));
  FineTuneJob job = fixtures.Job(scratch.At("run"));
  job.model = scratch.At("nowhere");
  CHECK(absl::IsNotFound(Tune(job, {}).status()));
}

}  // namespace
}  // namespace toolformer::fine_tuner_test
