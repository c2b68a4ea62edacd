#include "naive.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace toolformer::bench {
namespace {

// Where the time is composed: steps of decoding that are timed, and how often each part is, the best of which counts.
constexpr int64_t kTimedSteps = 8;
constexpr int kRepeats = 3;

struct Sample {
  int64_t prefix = 0;  // tokens of prompt, text before the position and opening
  int64_t tokens = 0;  // generated
};

// The passes of one text.
struct Plan {
  std::vector<int32_t> prompted;  // start token, prompt and text: what lengths are cut from
  std::vector<int64_t> text;      // indices of the text's tokens in `prompted`, but for the last
  std::vector<Sample> samples;
  std::vector<int64_t> judged;  // lengths of the filter's passes
};

absl::StatusOr<Plan> MakePlan(const LanguageModel& model, const Json& command) {
  const auto text = command.at("text").get<std::string>();
  const Tool tool = BenchCalculator();
  const Tokenizer& tokenizer = model.tokenizer();
  const std::vector<int32_t> x = tokenizer.Encode(text);
  CallSamplerOptions options;
  options.max_call_tokens = kMaxCallTokens;
  const AnnotationParameters parameters{
      .tau_s = 0.0, .k = command.at("k").get<int64_t>(), .m = command.at("m").get<int64_t>()};
  const CallSampler sampler(model, options);
  const absl::StatusOr<SampledCalls> sampled = sampler.Sample(tool, parameters, text, x, 1, Interrupt());
  if (!sampled.ok()) return sampled.status();

  Plan plan;
  plan.prompted = tokenizer.Encode(SamplingPrompt(tool, text));
  plan.prompted.insert(plan.prompted.begin(), tokenizer.start_id());
  const auto head = std::ssize(plan.prompted);
  plan.prompted.insert(plan.prompted.end(), x.begin(), x.end());
  plan.text.resize(x.size());
  std::iota(plan.text.begin(), plan.text.end(), head - 1);

  const CallPieces pieces(tokenizer);
  int64_t called = 0;
  for (const CandidateCall& candidate : sampled->candidates) {
    // The name and the parenthesis are fed with the opening: only the rest is generated.
    const auto generated = std::ssize(tokenizer.EncodeContinuation(candidate.call.input + ")]"));
    for (int64_t s = 0; s < candidate.times_sampled; ++s) {
      plan.samples.push_back({head + candidate.position + 1, generated});
      ++called;
    }
    const absl::StatusOr<std::string> result = Calculate(candidate.call.input);
    if (!result.ok()) continue;
    plan.judged.push_back(1 + std::ssize(x));
    plan.judged.push_back(1 + std::ssize(pieces.Prefix(candidate.call, "")) + std::ssize(x));
    plan.judged.push_back(1 + std::ssize(pieces.Prefix(candidate.call, *result)) + std::ssize(x));
  }
  // Samples that came to no call; how long they were is not known, so the shortest is counted, or the limit where that
  // is what ended them.
  const int64_t middle = head + std::ssize(x) / 2;
  for (int64_t s = called; s < sampled->counts.samples; ++s) {
    const bool ran_out = s - called < sampled->counts.not_closed;
    plan.samples.push_back({middle, ran_out ? kMaxCallTokens : 1});
  }
  return plan;
}

// Seconds of one pass over `length` tokens without a cache, with logits of the indices `wanted`.
absl::StatusOr<double> TimePass(const LanguageModel& model, const Plan& plan, int64_t length,
                                const std::vector<int64_t>& wanted) {
  const Stopwatch stopwatch;
  const ForwardRow row{std::span(plan.prompted).first(length), nullptr, wanted};
  const absl::StatusOr<at::Tensor> logits = model.Forward({&row, 1});
  if (!logits.ok()) return logits.status();
  return stopwatch.seconds();
}

// Seconds of a prefill and of `tokens` further steps of one row.
absl::StatusOr<std::pair<double, double>> TimeSample(const LanguageModel& model, const Plan& plan,
                                                     const Sample& sample) {
  const Stopwatch stopwatch;
  const std::unique_ptr<KvCache> cache = model.NewCache();
  const std::vector<int64_t> last = {sample.prefix - 1};
  const ForwardRow whole{std::span(plan.prompted).first(sample.prefix), cache.get(), last};
  if (absl::StatusOr<at::Tensor> logits = model.Forward({&whole, 1}); !logits.ok()) return logits.status();
  const double prefill = stopwatch.seconds();
  const std::vector<int64_t> only = {0};
  // The first token comes of the prefill.
  for (int64_t t = 1; t < sample.tokens; ++t) {
    const ForwardRow step{std::span(plan.prompted).subspan(t, 1), cache.get(), only};
    if (absl::StatusOr<at::Tensor> logits = model.Forward({&step, 1}); !logits.ok()) return logits.status();
  }
  return std::pair{prefill, stopwatch.seconds() - prefill};
}

// The best of several calls of `time`, which gives the seconds of one.
template <typename Time>
absl::StatusOr<double> Best(const Time& time) {
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const absl::StatusOr<double> seconds = time();
    if (!seconds.ok()) return seconds;
    best = std::min(best, *seconds);
  }
  return best;
}

std::vector<int64_t> Weighted(int64_t length) {
  std::vector<int64_t> wanted(std::min<int64_t>(length, std::ssize(kLossWeights)));
  std::iota(wanted.begin(), wanted.end(), length - std::ssize(wanted));
  return wanted;
}

// Runs all of it.
absl::StatusOr<double> TimeWhole(const LanguageModel& model, const Plan& plan) {
  absl::StatusOr<double> first = TimePass(model, plan, std::ssize(plan.prompted), plan.text);
  if (!first.ok()) return first;
  double seconds = *first;
  for (const Sample& sample : plan.samples) {
    const absl::StatusOr<std::pair<double, double>> timed = TimeSample(model, plan, sample);
    if (!timed.ok()) return timed.status();
    seconds += timed->first + timed->second;
  }
  for (const int64_t length : plan.judged) {
    const absl::StatusOr<double> timed = TimePass(model, plan, length, Weighted(length));
    if (!timed.ok()) return timed.status();
    seconds += *timed;
  }
  return seconds;
}

}  // namespace

absl::StatusOr<Json> Naive(const LanguageModel& model, const Json& command) {
  const absl::StatusOr<Plan> plan = MakePlan(model, command);
  if (!plan.ok()) return plan.status();
  const auto samples = std::ssize(plan->samples), judged = std::ssize(plan->judged);
  int64_t prefix_tokens = 0, generated = 0, steps = 0;
  for (const Sample& sample : plan->samples) {
    prefix_tokens += sample.prefix;
    generated += sample.tokens;
    steps += sample.tokens - 1;
  }
  const int64_t judged_tokens = std::accumulate(plan->judged.begin(), plan->judged.end(), int64_t{0});
  Json answer = {{"samples", samples},
                 {"generated_tokens", generated},
                 {"filter_passes", judged},
                 {"processed_tokens", std::ssize(plan->prompted) + prefix_tokens + steps + judged_tokens}};
  if (command.at("whole").get<bool>()) {
    const absl::StatusOr<double> seconds = TimeWhole(model, *plan);
    if (!seconds.ok()) return seconds.status();
    answer["seconds"] = *seconds;
    return answer;
  }
  const absl::StatusOr<double> first =
      Best([&] { return TimePass(model, *plan, std::ssize(plan->prompted), plan->text); });
  if (!first.ok()) return first.status();
  Json parts = {{"first_pass_seconds", *first}};
  double total = *first;
  if (samples > 0) {
    const Sample mean{prefix_tokens / samples, 1 + kTimedSteps};
    double prefill = std::numeric_limits<double>::infinity();
    const absl::StatusOr<double> stepping = Best([&]() -> absl::StatusOr<double> {
      const absl::StatusOr<std::pair<double, double>> timed = TimeSample(model, *plan, mean);
      if (!timed.ok()) return timed.status();
      prefill = std::min(prefill, timed->first);
      return timed->second;
    });
    if (!stepping.ok()) return stepping.status();
    const double step = *stepping / kTimedSteps;
    parts["prefill_seconds"] = prefill;
    parts["step_seconds"] = step;
    total += prefill * static_cast<double>(samples) + step * static_cast<double>(steps);
  }
  if (judged > 0) {
    const int64_t mean = judged_tokens / judged;
    const absl::StatusOr<double> pass = Best([&] { return TimePass(model, *plan, mean, Weighted(mean)); });
    if (!pass.ok()) return pass.status();
    parts["filter_pass_seconds"] = *pass;
    total += *pass * static_cast<double>(judged);
  }
  answer["seconds"] = total;
  answer["composed_of"] = std::move(parts);
  return answer;
}

}  // namespace toolformer::bench
