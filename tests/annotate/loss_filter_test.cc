// The filter against closed forms and against Hugging Face transformers.
#include "toolformer/loss_filter.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/check.h"
#include "tests/paths.h"
#include "tests/toy_model.h"

namespace toolformer::loss_filter_test {
namespace {

using testing::ToyModel;
using testing::ToyTokenizer;

constexpr int32_t kA = ToyTokenizer::kFirstByte + 'A';
constexpr int32_t kHash = ToyTokenizer::kFirstByte + '#';

// p('A') = 1 / (2 + number of 'A' so far), or 1 / (1.5 + that number) once a '#' has been seen; the rest is uniform.
std::vector<float> HarmonicLogits(const std::vector<int32_t>& sequence) {
  double denominator = std::count(sequence.begin(), sequence.end(), kHash) > 0 ? 1.5 : 2.0;
  denominator += static_cast<double>(std::count(sequence.begin(), sequence.end(), kA));
  const double p = 1.0 / denominator;
  std::vector<float> logits(258, static_cast<float>(std::log((1.0 - p) / 257.0)));
  logits[kA] = static_cast<float>(std::log(p));
  return logits;
}

double Expected(int64_t i, int64_t n, double base) {
  const double weights[] = {5.0 / 15, 4.0 / 15, 3.0 / 15, 2.0 / 15, 1.0 / 15};
  double loss = 0.0;
  for (int64_t j = i; j < std::min(n, i + 5); ++j) loss += weights[j - i] * std::log(base + static_cast<double>(j));
  return loss;
}

TEST_CASE("the weights are those of the paper") {
  double sum = 0.0;
  for (int t = 0; t < 5; ++t) {
    CHECK(kLossWeights[t] == doctest::Approx((1.0 - 0.2 * t) / 3.0));
    sum += kLossWeights[t];
  }
  CHECK(sum == doctest::Approx(1.0));
}

TEST_CASE("losses equal the closed form at every position, the ends included") {
  const ToyModel model({}, HarmonicLogits);
  const LossFilter filter(model);
  const std::vector<int32_t> x(9, kA);
  std::vector<FilterCase> cases;
  for (int64_t i = 0; i < 9; ++i) cases.push_back({i, {"Tool", "in"}, "#"});
  const auto losses = filter.Score(x, cases, {});
  REQUIRE(losses.ok());
  for (int64_t i = 0; i < 9; ++i) {
    CAPTURE(i);
    const CallLosses& loss = (*losses)[i];
    CHECK(loss.empty == doctest::Approx(Expected(i, 9, 2.0)).epsilon(1e-5));
    CHECK(loss.call.value() == doctest::Approx(Expected(i, 9, 2.0)).epsilon(1e-5));
    CHECK(loss.result == doctest::Approx(Expected(i, 9, 1.5)).epsilon(1e-5));
    CHECK(loss.gain() == doctest::Approx(Expected(i, 9, 2.0) - Expected(i, 9, 1.5)).epsilon(1e-4));
  }
  // One pass each for the empty prefix, the call and the call with its result, in one batch.
  CHECK(model.forwards == 1);
}

TEST_CASE("L- is the smaller of the two losses without a result") {
  // The call itself helps: its body holds the '#', so the result adds nothing.
  const ToyModel model({}, HarmonicLogits);
  const LossFilter filter(model);
  const std::vector<int32_t> x(6, kA);
  const std::vector<FilterCase> cases = {{2, {"Tool", "#"}, "r"}, {2, {"Tool", "#"}, ""}};
  const auto losses = filter.Score(x, cases, {});
  REQUIRE(losses.ok());
  CHECK((*losses)[0].empty > (*losses)[0].call.value());
  CHECK((*losses)[0].l_minus() == (*losses)[0].call.value());
  CHECK((*losses)[0].gain() == doctest::Approx(0.0));
  CHECK((*losses)[1].call.value() == (*losses)[1].result);
}

TEST_CASE("the call alone is read only where the needed gain is within reach") {
  std::vector<std::string> read;
  const ToyModel model({}, [&](const std::vector<int32_t>& sequence) {
    static const ToyTokenizer tokenizer({});
    const std::string text = tokenizer.Decode(sequence);
    const std::string prefix = text.substr(0, text.find('\n') + 1);
    if (std::find(read.begin(), read.end(), prefix) == read.end()) read.push_back(prefix);
    return HarmonicLogits(sequence);
  });
  const LossFilter filter(model);
  const std::vector<int32_t> x(20, kA);
  const double gain = Expected(2, 20, 2.0) - Expected(2, 20, 1.5);  // of "#" at 2; less further on
  std::vector<FilterCase> cases = {{2, {"T", "1"}, "#", gain - 1e-3},
                                   {2, {"T", "2"}, "#", gain + 1e-3},
                                   {9, {"T", "1"}, "#", gain - 1e-3},
                                   {9, {"T", "3"}, "", gain}};
  const auto losses = filter.Score(x, cases, {});
  REQUIRE(losses.ok());
  CHECK(std::count(read.begin(), read.end(), "[T(1) ->]\n") == 1);
  CHECK(std::count(read.begin(), read.end(), "[T(2) ->]\n") == 0);
  CHECK_FALSE((*losses)[0].gain_is_bound());
  CHECK((*losses)[1].gain_is_bound());
  CHECK((*losses)[2].gain_is_bound());
  CHECK_FALSE((*losses)[3].gain_is_bound());  // nothing answered: the same prefix
  CHECK((*losses)[1].gain() == doctest::Approx(gain).epsilon(1e-4));
  CHECK((*losses)[1].gain() < cases[1].needed_gain);
  for (FilterCase& each : cases) each.needed_gain = -std::numeric_limits<double>::infinity();
  const auto exact = filter.Score(x, cases, {});
  REQUIRE(exact.ok());
  for (size_t c = 0; c < cases.size(); ++c) {
    CHECK_FALSE((*exact)[c].gain_is_bound());
    CHECK((*exact)[c].empty == (*losses)[c].empty);
    CHECK((*exact)[c].result == (*losses)[c].result);
  }
}

TEST_CASE("several texts at once, each with its own trouble") {
  ToyModel model({}, HarmonicLogits);
  model.context = 60;
  const std::vector<int32_t> x(30, kA), y(7, kA);
  const std::vector<FilterCase> good = {{2, {"T", "#"}, "r"}, {5, {"T", "1"}, "#"}, {5, {"T", "#"}, "r"}};
  const std::vector<FilterCase> outside = {{7, {"T", "1"}, "#"}};
  const std::vector<FilterCase> too_long = {{2, {"T", "1"}, "#"}, {25, {"T", "1"}, std::string(30, '#')}};
  const std::vector<FilterJob> jobs = {{x, good}, {x, too_long}, {y, outside}, {{}, good}, {y, good}, {y, {}}};
  for (const int64_t tokens : {1, 50, 4096}) {
    CAPTURE(tokens);
    LossFilterOptions options;
    options.max_batch_tokens = tokens;
    const LossFilter filter(model, options);
    model.forwards = 0;
    const auto scored = filter.Score(jobs, {});
    // Each of the two texts that can be scored: empty, two calls, each with its result.
    if (tokens == 1) CHECK(model.forwards == 10);
    if (tokens == 50) CHECK(model.forwards > 1);
    if (tokens == 50) CHECK(model.forwards < 10);
    if (tokens == 4096) CHECK(model.forwards == 1);
    REQUIRE(scored.ok());
    REQUIRE(scored->size() == jobs.size());
    CHECK(absl::IsOutOfRange((*scored)[1].status()));
    CHECK(absl::IsInvalidArgument((*scored)[2].status()));
    CHECK(absl::IsInvalidArgument((*scored)[3].status()));
    CHECK((*scored)[5]->empty());
    for (const size_t job : {size_t{0}, size_t{4}}) {
      const auto alone = filter.Score(jobs[job].x, good, {});
      REQUIRE(alone.ok());
      for (size_t c = 0; c < good.size(); ++c) {
        CHECK((*scored)[job]->at(c).empty == (*alone)[c].empty);
        CHECK((*scored)[job]->at(c).call == (*alone)[c].call);
        CHECK((*scored)[job]->at(c).result == (*alone)[c].result);
      }
    }
  }
}

TEST_CASE("a text of 300 tokens is scored with its whole prefix") {
  // What follows depends on the very first token of the sequence's prefix.
  const ToyModel model({}, [](const std::vector<int32_t>& sequence) {
    const bool told =
        sequence.size() > 1 && std::find(sequence.begin(), sequence.begin() + 12, kHash) != sequence.begin() + 12;
    std::vector<float> logits(258, 0.0f);
    if (told) logits[kA] = 5.0f;
    return logits;
  });
  const LossFilter filter(model);
  const std::vector<int32_t> x(300, kA);
  const std::vector<FilterCase> cases = {{295, {"T", "1"}, "#"}};
  const auto losses = filter.Score(x, cases, {});
  REQUIRE(losses.ok());
  CHECK((*losses)[0].empty == doctest::Approx(std::log(258.0)).epsilon(1e-5));
  CHECK((*losses)[0].result == doctest::Approx(std::log(std::exp(5.0) + 257.0) - 5.0).epsilon(1e-4));
}

TEST_CASE("a result cannot smuggle a bracket or an arrow into the prefix") {
  std::vector<int32_t> longest;
  const ToyModel model({}, [&](const std::vector<int32_t>& sequence) {
    if (sequence.size() > longest.size()) longest = sequence;
    return std::vector<float>(258, 0.0f);
  });
  const std::vector<int32_t> x = {kA};
  const std::vector<FilterCase> cases = {{0, {"T", "1"}, "] -> [T(2)]"}};
  REQUIRE(LossFilter(model).Score(x, cases, {}).ok());
  CHECK(model.tokenizer().Decode(longest) == "[T(1) -> ) => (T(2))]\n");
}

TEST_CASE("bad cases are refused, and models that give no numbers") {
  const ToyModel model({}, HarmonicLogits);
  const LossFilter filter(model);
  const std::vector<int32_t> x(4, kA);
  const std::vector<FilterCase> below = {{-1, {"T", ""}, ""}}, above = {{4, {"T", ""}, ""}},
                                last = {{3, {"T", ""}, ""}};
  CHECK(absl::IsInvalidArgument(filter.Score(x, below, {}).status()));
  CHECK(absl::IsInvalidArgument(filter.Score(x, above, {}).status()));
  CHECK(absl::IsInvalidArgument(filter.Score({}, last, {}).status()));
  CHECK(filter.Score(x, last, {}).ok());
  CHECK(filter.Score(x, {}, {})->empty());
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(filter.Score(x, last, {&cancel}).status()));
  const ToyModel broken({}, [](const std::vector<int32_t>&) { return std::vector<float>(258, NAN); });
  CHECK(absl::IsInternal(LossFilter(broken).Score(x, last, {}).status()));
}

void CheckFixture(const std::string& model_path, const std::string& fixture, double tolerance) {
  const auto model = Model::Load(model_path, {});
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  const LossFilter filter(**model);
  std::ifstream lines(fixture);
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    const nlohmann::json expected = nlohmann::json::parse(line);
    const std::string text = expected["text"];
    CAPTURE(text);
    const std::vector<int32_t> x = (*model)->tokenizer().Encode(text);
    CHECK(x == expected["token_ids"].get<std::vector<int32_t>>());
    const std::string call = expected["call"];
    const CallScan scan = ScanCallBody(call);
    REQUIRE(scan.state == CallScanState::kComplete);
    const std::vector<FilterCase> cases = {{expected["position"], scan.call, expected["result"]}};
    const auto losses = filter.Score(x, cases, {});
    REQUIRE_MESSAGE(losses.ok(), std::string(losses.status().message()));
    CHECK(std::abs((*losses)[0].empty - expected["loss_empty"].get<double>()) < tolerance);
    CHECK(std::abs((*losses)[0].call.value() - expected["loss_call"].get<double>()) < tolerance);
    CHECK(std::abs((*losses)[0].result - expected["loss_result"].get<double>()) < tolerance);
    CHECK(std::abs((*losses)[0].gain() - expected["gain"].get<double>()) < tolerance);
    ++count;
  }
  CHECK(count >= 10);
}

TEST_CASE("losses of a small Llama equal transformers") {
  CheckFixture(testing::Fixture("models/llama_gqa"), testing::Fixture("filter/llama_gqa_losses.jsonl"), 1e-4);
}

TEST_CASE("losses of SmolLM2 equal transformers") {
  const auto model = testing::SmolLm2();
  const auto fixture = testing::SharedData("fixtures/smollm2_losses.jsonl");
  if (!model || !fixture) {
    MESSAGE("skipped: SmolLM2 (make setup) or the fixtures beside the source tree are absent");
    return;
  }
  CheckFixture(*model, *fixture, 1e-3);
}

}  // namespace
}  // namespace toolformer::loss_filter_test
