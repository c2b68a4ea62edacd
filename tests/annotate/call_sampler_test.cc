// Positions and sampled calls, on models with known probabilities.
#include "toolformer/call_sampler.h"

#include <cmath>
#include <map>

#include "tests/check.h"
#include "tests/toy_model.h"

namespace toolformer::call_sampler_test {
namespace {

using testing::ToyModel;
using testing::ToyTokenizer;

const std::vector<std::string> kMerged = {" [", ")]", "Calc("};

Tool Calc() {
  Tool tool;
  tool.name = "Calc";
  tool.instruction = "Add calls.";
  tool.input_characters = "0123456789+- ";
  tool.call = [](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> { return "1"; };
  return tool;
}

const ToyTokenizer& Pieces() {
  static const ToyTokenizer tokenizer(kMerged);
  return tokenizer;
}
int32_t Id(std::string_view piece) { return Pieces().Encode(piece)[0]; }

// Logits from named probabilities; what is not named shares the rest.
std::vector<float> Logits(const std::map<std::string, double>& named) {
  double rest = 1.0;
  for (const auto& [piece, p] : named) rest -= p;
  const auto vocab = static_cast<size_t>(Pieces().vocab_size());
  std::vector<float> logits(
      vocab, static_cast<float>(std::log(std::max(rest, 1e-9) / static_cast<double>(vocab - named.size()))));
  for (const auto& [piece, p] : named) logits[Id(piece)] = static_cast<float>(std::log(p));
  return logits;
}

// In the text: the opening has probability 0.1 before 'b' (half of it as "["), 0.3 before 'd', and 0.001 elsewhere.
// After an opening: a digit, then the end of the call.
std::vector<float> CalcLogits(const std::vector<int32_t>& sequence) {
  const std::string text = Pieces().Decode(sequence);
  if (text.ends_with("[Calc(")) return Logits({{"1", 0.5}, {"2", 0.3}, {"x", 0.2}});
  if (text.ends_with("[Calc(1") || text.ends_with("[Calc(2")) return Logits({{")]", 0.6}, {")", 0.2}, {"3", 0.2}});
  if (text.ends_with("[")) return Logits({{"Calc(", 0.9}, {"D", 0.05}, {"*", 0.05}});
  if (text.ends_with(")")) return Logits({{"]", 0.75}, {"q", 0.25}});
  if (text.ends_with("3")) return Logits({{"3", 0.999}});
  if (text.ends_with("Output:a")) return Logits({{" [", 0.05}, {"[", 0.05}});
  if (text.ends_with("Output:abc")) return Logits({{" [", 0.3}});
  return Logits({{" [", 0.001}});
}

SampledCalls Sample(const CallSamplerOptions& options, const AnnotationParameters& parameters,
                    std::string text = "abcd") {
  const ToyModel model(kMerged, CalcLogits);
  const std::vector<int32_t> x = model.tokenizer().Encode(text);
  const auto sampled = CallSampler(model, options).Sample(Calc(), parameters, text, x, 1, {});
  REQUIRE_MESSAGE(sampled.ok(), std::string(sampled.status().message()));
  return *sampled;
}

TEST_CASE("p_i sums both openings and stands at the token before which the call goes") {
  const ToyModel model(kMerged, CalcLogits);
  const std::vector<int32_t> x = model.tokenizer().Encode("abcd");
  const auto p = CallSampler(model, {}).OpeningProbabilities(Calc(), "abcd", x);
  REQUIRE(p.ok());
  REQUIRE(p->size() == 4);
  CHECK((*p)[1] == doctest::Approx(0.1).epsilon(1e-4));
  CHECK((*p)[3] ==
        doctest::Approx(0.3 + 0.7 / (Pieces().vocab_size() - 1)).epsilon(1e-4));  // "[" has its share of the rest
  CHECK((*p)[0] < 0.01);
  CHECK((*p)[2] < 0.01);
}

TEST_CASE("positions are those above tau_s, the k most probable, in the order of the text") {
  const std::vector<double> p = {0.2, 0.5, 0.05, 0.5, 0.1};
  const auto indices = [&](double tau_s, int64_t k) {
    std::vector<int64_t> out;
    for (const Position& position : SelectPositions(p, tau_s, k)) out.push_back(position.index);
    return out;
  };
  CHECK((indices(0.0, 10) == std::vector<int64_t>{0, 1, 2, 3, 4}));
  CHECK((indices(0.05, 10) == std::vector<int64_t>{0, 1, 3, 4}));  // strictly above
  CHECK((indices(0.0, 1) == std::vector<int64_t>{1}));             // the earlier of two equal ones
  CHECK((indices(0.0, 3) == std::vector<int64_t>{0, 1, 3}));
  CHECK(indices(0.9, 3).empty());
  CHECK(indices(0.0, 0).empty());
}

TEST_CASE("constrained sampling draws from the model's distribution over allowed inputs") {
  AnnotationParameters parameters;
  parameters.tau_s = 0.05;
  parameters.m = 600;
  CallSamplerOptions options;
  options.max_call_tokens = 8;
  const SampledCalls sampled = Sample(options, parameters);
  REQUIRE(sampled.positions.size() == 2);
  CHECK(sampled.positions[0].index == 1);
  CHECK(sampled.positions[1].index == 3);
  CHECK(sampled.counts.samples == 1200);
  std::map<std::string, int64_t> times;
  for (const CandidateCall& candidate : sampled.candidates) {
    CHECK(candidate.call.tool == "Calc");
    times[candidate.call.input] += candidate.times_sampled;
  }
  // 'x' is not among the tool's characters: 1 and 2 share its mass, 0.625 to 0.375. Then ")]" 0.6 or ")" 0.2 of 1.
  CHECK(times.size() == 2);
  CHECK(std::abs(static_cast<double>(times["1"]) - 1200 * 0.625 * 0.8) < 70);
  CHECK(std::abs(static_cast<double>(times["2"]) - 1200 * 0.375 * 0.8) < 70);
  CHECK(sampled.counts.not_closed > 150);  // those that wrote 3 after 3
  CHECK(sampled.counts.candidates == 4);
  CHECK(sampled.counts.samples == sampled.counts.candidates + sampled.counts.duplicates + sampled.counts.not_closed +
                                      sampled.counts.not_a_call + sampled.counts.other_tool);
}

TEST_CASE("free sampling also meets what is not a call of the tool") {
  AnnotationParameters parameters;
  parameters.tau_s = 0.05;
  parameters.m = 400;
  CallSamplerOptions options;
  options.constrain_syntax = false;
  options.max_call_tokens = 8;
  const SampledCalls sampled = Sample(options, parameters);
  CHECK(sampled.counts.not_a_call > 20);  // "[*", and ")q"
  bool with_letter = false;
  for (const CandidateCall& candidate : sampled.candidates) with_letter |= candidate.call.input == "x";
  CHECK_FALSE(with_letter);  // the model writes nothing after "x" that closes
  CHECK(sampled.counts.candidates >= 4);
}

TEST_CASE("samples depend on the seed and on nothing else") {
  AnnotationParameters parameters;
  parameters.tau_s = 0.0;
  parameters.m = 20;
  CallSamplerOptions options;
  const auto summary = [](const SampledCalls& sampled) {
    std::string out;
    for (const CandidateCall& c : sampled.candidates) {
      out += std::to_string(c.position) + c.call.input + "x" + std::to_string(c.times_sampled) + " ";
    }
    return out;
  };
  const std::string first = summary(Sample(options, parameters));
  CHECK(first == summary(Sample(options, parameters)));
  options.max_batch_rows = 1;
  CHECK(first == summary(Sample(options, parameters)));
  options.max_batch_rows = 1000;
  CHECK(first == summary(Sample(options, parameters)));
  options.seed = 1;
  CHECK(first != summary(Sample(options, parameters)));
}

TEST_CASE("a tool without input needs no sampling") {
  const ToyModel model(kMerged, CalcLogits);
  Tool tool = Calc();
  tool.takes_input = false;
  AnnotationParameters parameters;
  const std::vector<int32_t> x = model.tokenizer().Encode("abcd");
  const auto sampled = CallSampler(model, {}).Sample(tool, parameters, "abcd", x, 1, {});
  REQUIRE(sampled.ok());
  REQUIRE(sampled->candidates.size() == 2);
  CHECK((sampled->candidates[0].call == Call{"Calc", ""}));
  CHECK(sampled->candidates[0].times_sampled == parameters.m);
  CHECK(sampled->counts.samples == 2 * parameters.m);
}

TEST_CASE("no call is placed inside a code point") {
  // The byte tokens of a two-byte letter: the second cannot take an opening.
  const ToyModel model(kMerged, [](const std::vector<int32_t>&) { return Logits({{" [", 0.5}}); });
  const std::string text = "\xc3\xa9z";
  const std::vector<int32_t> x = model.tokenizer().Encode(text);
  REQUIRE(x.size() == 3);
  Tool tool = Calc();
  tool.takes_input = false;
  const auto sampled = CallSampler(model, {}).Sample(tool, {}, text, x, 1, {});
  REQUIRE(sampled.ok());
  REQUIRE(sampled->positions.size() == 2);
  CHECK(sampled->positions[0].index == 0);
  CHECK(sampled->positions[1].index == 2);
}

TEST_CASE("texts sampled together have results, or trouble, of their own") {
  ToyModel model(kMerged, CalcLogits);
  const std::string roomy = "abcd", tight = "abcdzzzz";
  const std::vector<int32_t> x = model.tokenizer().Encode(roomy), y = model.tokenizer().Encode(tight);
  // Prompt and text just fit; a call that goes on and on behind "abc" does not.
  model.context = 1 + std::ssize(model.tokenizer().Encode(SamplingPrompt(Calc(), tight))) + std::ssize(y);
  CallSamplerOptions options;
  options.max_call_tokens = 6;
  AnnotationParameters parameters;
  parameters.m = 50;
  const CallSampler sampler(model, options);
  const std::vector<SamplingText> texts = {{tight, y, 1}, {roomy, x, 1}, {"", {}, 1}};
  const auto sampled = sampler.Sample(Calc(), parameters, texts, {});
  REQUIRE_MESSAGE(sampled.ok(), std::string(sampled.status().message()));
  REQUIRE(sampled->size() == 3);
  CHECK(absl::IsOutOfRange((*sampled)[0].status()));
  REQUIRE((*sampled)[1].ok());
  CHECK((*sampled)[1]->counts.samples == 100);
  CHECK((*sampled)[1]->counts.not_closed > 0);
  CHECK(absl::IsInvalidArgument((*sampled)[2].status()));
  CHECK(sampler.Sample(Calc(), parameters, {}, {})->empty());
}

TEST_CASE("bad input is refused") {
  const ToyModel model(kMerged, CalcLogits);
  const std::vector<int32_t> x = model.tokenizer().Encode("abcd");
  CallSamplerOptions options;
  CHECK(absl::IsInvalidArgument(CallSampler(model, options).Sample(Calc(), {}, "", {}, 1, {}).status()));
  options.temperature = 0.0;
  CHECK(absl::IsInvalidArgument(CallSampler(model, options).Sample(Calc(), {}, "abcd", x, 1, {}).status()));
  options.temperature = NAN;
  CHECK(absl::IsInvalidArgument(CallSampler(model, options).Sample(Calc(), {}, "abcd", x, 1, {}).status()));
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(CallSampler(model, {}).Sample(Calc(), {}, "abcd", x, 1, {&cancel}).status()));
  ToyModel narrow(kMerged, CalcLogits);
  narrow.context = 20;
  CHECK(absl::IsOutOfRange(CallSampler(narrow, {}).Sample(Calc(), {}, "abcd", x, 1, {}).status()));
}

}  // namespace
}  // namespace toolformer::call_sampler_test
