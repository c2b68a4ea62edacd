// Questions asked, predictions judged and counted.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "src/base/status.h"
#include "toolformer/question_suite.h"

namespace toolformer {
namespace {

void Judge(const QuestionSuite& suite, const Question& question, std::string_view plain_text, Prediction* prediction) {
  const auto is_right = [&](const std::optional<Answer>& answer) {
    return answer.has_value() && suite.is_right(*answer, question.answer);
  };
  prediction->predicted = suite.predicted(plain_text);
  prediction->correct = is_right(prediction->predicted);
  prediction->exact = suite.is_exact != nullptr && suite.is_exact(plain_text, question.answer);
  prediction->result_correct =
      std::any_of(prediction->calls.begin(), prediction->calls.end(),
                  [&](const DecodedCall& call) { return call.result && is_right(suite.predicted(*call.result)); });
}

Prediction Predicted(const QuestionSuite& suite, const Question& question, absl::StatusOr<Decoded> decoded) {
  Prediction prediction;
  if (!decoded.ok()) {
    prediction.error = std::string(decoded.status().message());
    return prediction;
  }
  prediction.text = std::move(decoded->text);
  prediction.calls = std::move(decoded->calls);
  prediction.opening_probability = decoded->opening_probability;
  Judge(suite, question, decoded->plain_text, &prediction);
  return prediction;
}

// A text as the argument of a call. One that begins with a quote would be taken for a quoted one.
std::string Argument(std::string_view text) {
  if (!text.starts_with('"')) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string PrintAnswer(const Answer& answer) {
  if (const auto* any_of = std::get_if<std::vector<std::string>>(&answer)) {
    return fmt::format("{}", fmt::join(*any_of, " / "));
  }
  if (const double* number = std::get_if<double>(&answer)) return fmt::format("{}", *number);
  return std::get<std::string>(answer);
}

std::span<const QuestionSuite* const> QuestionSuites() {
  static const std::array<const QuestionSuite*, 3> suites = {&MathSuite(), &LamaSuite(), &QaSuite()};
  return suites;
}

bool Prediction::call_failed() const {
  return std::any_of(calls.begin(), calls.end(), [](const DecodedCall& call) { return !call.result; });
}

absl::StatusOr<std::vector<Prediction>> AnswerQuestions(const QuestionSuite& suite, const AugmentingDecoder& decoder,
                                                        std::span<const Question> questions,
                                                        const DecodeOptions& options) {
  std::vector<std::string> prompts;
  prompts.reserve(questions.size());
  for (const Question& question : questions) prompts.push_back(suite.prompt(question));
  TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<Decoded>> decoded, decoder.DecodeBatch(prompts, options));
  std::vector<Prediction> predictions;
  predictions.reserve(questions.size());
  for (size_t i = 0; i < questions.size(); ++i) {
    predictions.push_back(Predicted(suite, questions[i], std::move(decoded[i])));
  }
  return predictions;
}

absl::StatusOr<std::vector<Prediction>> AskTool(const QuestionSuite& suite, const Tool& tool,
                                                std::span<const Question> questions, const Interrupt& interrupt) {
  std::vector<Prediction> predictions;
  predictions.reserve(questions.size());
  ToolContext context;
  context.interrupt = interrupt;
  for (const Question& question : questions) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    const absl::StatusOr<std::string> answer = tool.call(Argument(question.text), context);
    TF_RETURN_IF_ERROR(interrupt.Check());
    Prediction prediction;
    DecodedCall call;
    call.call = {.tool = tool.name, .input = Argument(question.text)};
    call.byte_offset = -1;  // it stands nowhere in the answer
    if (answer.ok()) {
      call.result = prediction.text = *answer;
    } else {
      call.error = std::string(answer.status().message());
    }
    prediction.calls.push_back(std::move(call));
    Judge(suite, question, prediction.text, &prediction);
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

PredictionCounts CountPredictions(std::span<const Prediction> predictions) {
  PredictionCounts counts;
  for (const double from : kCalibrationBins) counts.calibration.push_back({.from = from});
  for (const Prediction& prediction : predictions) {
    const auto above =
        std::upper_bound(kCalibrationBins.begin() + 1, kCalibrationBins.end(), prediction.opening_probability);
    CalibrationBin& bin = counts.calibration[above - kCalibrationBins.begin() - 1];
    ++counts.predictions;
    ++bin.predictions;
    counts.correct += prediction.correct ? 1 : 0;
    bin.correct += prediction.correct ? 1 : 0;
    counts.exact += prediction.exact ? 1 : 0;
    if (!prediction.called()) continue;
    ++counts.with_call;
    ++bin.with_call;
    counts.call_failed += prediction.call_failed() ? 1 : 0;
    bin.with_call_correct += prediction.correct ? 1 : 0;
    bin.results_correct += prediction.result_correct ? 1 : 0;
  }
  return counts;
}

}  // namespace toolformer
