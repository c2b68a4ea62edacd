// Perplexity against the logits that transformers computes, and its windows.
#include "toolformer/perplexity.h"

#include <cmath>
#include <vector>

#include "tests/model/fixture.h"
#include "tests/toy_model.h"

namespace toolformer::perplexity_test {
namespace {

using testing::Fixture;
using testing::LoadModel;

// -log p of ids[t + 1] by row t of logits of transformers.
double ExpectedNats(const std::string& folder, std::vector<int32_t>* ids) {
  const auto expected = testing::OpenWeights(folder + "/expected.safetensors");
  *ids = testing::ReadIds(*expected, "ids");
  const std::vector<float> logits = testing::ReadTensor(*expected, "logits");
  const size_t width = logits.size() / ids->size();
  double nats = 0.0;
  for (size_t t = 0; t + 1 < ids->size(); ++t) {
    double sum = 0.0;
    for (size_t v = 0; v < width; ++v) sum += std::exp(static_cast<double>(logits[t * width + v]));
    nats += std::log(sum) - logits[t * width + (*ids)[t + 1]];
  }
  return nats;
}

TEST_CASE("perplexity is that of transformers' logits") {
  for (const std::string name : {"gpt2_small", "llama_gqa", "gemma3_small"}) {
    CAPTURE(name);
    const std::string folder = Fixture("models/" + name);
    std::vector<int32_t> ids;
    const double nats = ExpectedNats(folder, &ids);
    const auto model = LoadModel(folder);
    REQUIRE(ids[0] == model->tokenizer().start_id());
    PerplexityOptions options;
    options.window = 64;
    const auto result = MeasurePerplexity(*model, std::span(ids).subspan(1), options);
    REQUIRE(result.ok());
    CHECK(result->total.all.tokens == std::ssize(ids) - 1);
    CHECK(result->total.all.nats == doctest::Approx(nats).epsilon(1e-5));
    CHECK(result->total.all.perplexity() == doctest::Approx(std::exp(nats / (ids.size() - 1.0))).epsilon(1e-5));
  }
}

TEST_CASE("windows do not see each other, and together hold every token") {
  const auto model = LoadModel(Fixture("models/llama_gqa"));
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 400; ++i) ids.push_back((i * 31 + 7) % 290);
  PerplexityOptions options;
  options.window = 151;  // beyond the rows that are projected at a time
  int calls = 0;
  options.on_window = [&](const TextLosses&) {
    ++calls;
    return absl::OkStatus();
  };
  const auto whole = MeasurePerplexity(*model, ids, options);
  REQUIRE(whole.ok());
  CHECK(calls == 3);
  REQUIRE(whole->windows.size() == 3);
  CHECK(whole->total.all.tokens == 400);
  double sum = 0.0;
  for (size_t w = 0; w < 3; ++w) {
    const auto part = std::span(ids).subspan(w * 150, std::min<size_t>(150, 400 - w * 150));
    const auto alone = MeasurePerplexity(*model, part, options);
    REQUIRE(alone.ok());
    CHECK(alone->total.all.nats == doctest::Approx(whole->windows[w].all.nats));
    sum += alone->total.all.nats;
  }
  CHECK(whole->total.all.nats == doctest::Approx(sum));
}

TEST_CASE("what cannot be measured is refused, and work can be cancelled") {
  const auto model = LoadModel(Fixture("models/llama_gqa"));
  const std::vector<int32_t> ids = {1, 2, 3};
  CHECK(MeasurePerplexity(*model, {}, {}).status().code() == absl::StatusCode::kInvalidArgument);
  PerplexityOptions options;
  for (const int64_t window : {int64_t{-1}, int64_t{1}, model->context_length() + 1}) {
    options.window = window;
    CHECK(MeasurePerplexity(*model, ids, options).status().code() == absl::StatusCode::kInvalidArgument);
  }
  options.window = 8;
  const std::vector<int32_t> wrong = {1, 100000, 1};
  CHECK(MeasurePerplexity(*model, wrong, options).status().code() == absl::StatusCode::kInvalidArgument);
  CancelToken cancel;
  cancel.Cancel();
  Interrupt interrupt;
  interrupt.cancel = &cancel;
  CHECK(MeasurePerplexity(*model, ids, options, interrupt).status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("with calls disabled the opening's probability goes to the other tokens") {
  // Everything is equally likely, but for the openings "[" and " [", which have three quarters together.
  const std::vector<std::string> merged = {" ["};
  const testing::ToyTokenizer tokenizer(merged);
  const std::vector<int32_t> openings = {tokenizer.Encode("[")[0], tokenizer.Encode(" [")[0]};
  const auto others = static_cast<float>(tokenizer.vocab_size() - 2);
  const testing::ToyModel model(merged, [&](const std::vector<int32_t>&) {
    std::vector<float> logits(tokenizer.vocab_size(), 0.0f);
    for (const int32_t id : openings) logits[id] = std::log(1.5f * others);
    return logits;
  });
  const auto measured = MeasurePerplexity(model, tokenizer.Encode("ab [c["), {});
  REQUIRE(measured.ok());
  CHECK(measured->total.all.tokens == 5);
  CHECK(measured->total.all.nats == doctest::Approx(3 * std::log(4 * others) + 2 * std::log(4.0 / 1.5)));
  CHECK(measured->total.calls_disabled.tokens == 3);
  CHECK(measured->total.calls_disabled.nats == doctest::Approx(3 * std::log(others)));
  CHECK(measured->total.calls_disabled.perplexity() == doctest::Approx(others));
}

TEST_CASE("what the callback returns ends the measurement") {
  const testing::ToyModel model({}, [](const std::vector<int32_t>&) { return testing::Peak(258, 5); });
  PerplexityOptions options;
  options.window = 3;
  int windows = 0;
  options.on_window = [&](const TextLosses&) {
    return ++windows == 2 ? absl::DataLossError("full") : absl::OkStatus();
  };
  const std::vector<int32_t> ids(9, 5);
  CHECK(MeasurePerplexity(model, ids, options).status() == absl::DataLossError("full"));
  CHECK(windows == 2);
}

}  // namespace
}  // namespace toolformer::perplexity_test
