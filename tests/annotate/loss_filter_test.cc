// The filter against closed forms and against Hugging Face transformers.
#include "toolformer/loss_filter.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/check.h"
#include "tests/paths.h"
#include "tests/toy_model.h"

namespace toolformer {
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
    CHECK(loss.call == doctest::Approx(Expected(i, 9, 2.0)).epsilon(1e-5));
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
  CHECK((*losses)[0].empty > (*losses)[0].call);
  CHECK((*losses)[0].l_minus() == (*losses)[0].call);
  CHECK((*losses)[0].gain() == doctest::Approx(0.0));
  CHECK((*losses)[1].call == (*losses)[1].result);
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
    CHECK(std::abs((*losses)[0].call - expected["loss_call"].get<double>()) < tolerance);
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
}  // namespace toolformer
