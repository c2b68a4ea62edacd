// The paper's first-number rule, and predictions scored by it.
#include <algorithm>
#include <cmath>

#include "src/base/status.h"
#include "src/tools/decimal.h"
#include "toolformer/math_suite.h"

namespace toolformer {
namespace {

// Problems decoded between two reports of progress.
constexpr size_t kGroup = 256;

std::optional<double> FirstNumber(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsDecimalDigit(text[i]) && text[i] != '.') continue;
    const std::optional<Decimal> number = ReadDecimal(text.substr(i));
    if (!number || !std::isfinite(number->value)) continue;
    const bool negative = i > 0 && text[i - 1] == '-' && (i == 1 || !IsDecimalDigit(text[i - 2]));
    return negative ? -number->value : number->value;
  }
  return std::nullopt;
}

bool Same(double a, double b) { return std::abs(a - b) <= 1e-4 * std::max(1.0, std::abs(b)); }

}  // namespace

std::string MathPrompt(const MathProblem& problem) { return problem.text + " The answer is"; }

std::optional<double> PredictedNumber(std::string_view prediction) {
  const size_t equals = prediction.find('=');
  if (equals != std::string_view::npos) {
    if (const std::optional<double> number = FirstNumber(prediction.substr(equals + 1))) return number;
  }
  return FirstNumber(prediction);
}

absl::StatusOr<MathScore> ScoreMath(const AugmentingDecoder& decoder, std::span<const MathProblem> problems,
                                    const DecodeOptions& options,
                                    const std::function<void(const MathScore& so_far)>& progress) {
  MathScore score;
  for (size_t first = 0; first < problems.size(); first += kGroup) {
    const std::span<const MathProblem> group = problems.subspan(first, std::min(kGroup, problems.size() - first));
    std::vector<std::string> prompts;
    prompts.reserve(group.size());
    for (const MathProblem& problem : group) prompts.push_back(MathPrompt(problem));
    TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<Decoded>> decoded, decoder.DecodeBatch(prompts, options));
    for (size_t i = 0; i < group.size(); ++i) {
      MathPrediction& prediction = score.predictions.emplace_back();
      prediction.id = group[i].id;
      if (!decoded[i].ok()) {
        prediction.error = std::string(decoded[i].status().message());
        continue;
      }
      prediction.text = std::move(decoded[i]->text);
      prediction.calls = std::move(decoded[i]->calls);
      prediction.predicted = PredictedNumber(decoded[i]->plain_text);
      prediction.correct = prediction.predicted && Same(*prediction.predicted, group[i].answer);
      score.correct += prediction.correct ? 1 : 0;
      score.with_call += prediction.calls.empty() ? 0 : 1;
    }
    if (progress) progress(score);
  }
  return score;
}

}  // namespace toolformer
