// Word problems with a number for an answer, as the paper measures them (section 4.2.2, appendix C): ASDiv, SVAMP,
// MAWPS.
#ifndef TOOLFORMER_MATH_SUITE_H_
#define TOOLFORMER_MATH_SUITE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/augmenting_decoder.h"
#include "toolformer/export.h"

namespace toolformer {

struct TOOLFORMER_API MathProblem {
  std::string id;
  std::string text;  // the story and the question
  double answer = 0.0;
};

struct TOOLFORMER_API MathProblems {
  std::vector<MathProblem> problems;
  int64_t not_numbers = 0;  // left out: their answers are no numbers ("Yes", "3:30")
};

// Reads a file in the format in which a set is published: ASDiv (XML), SVAMP (a JSON list of Body, Question, Answer),
// MAWPS (a JSON list of problem, gold_answer). kNotFound, kUnavailable, kInvalidArgument (another format: names the
// entry and the field, and lists what is read).
TOOLFORMER_API absl::StatusOr<MathProblems> ReadMathProblems(const std::string& path);

// "x q The answer is" (appendix C).
TOOLFORMER_API std::string MathPrompt(const MathProblem& problem);

// The number that a prediction, calls left out, answers with: the first one, or where there is an equation the first
// one behind its "=" (footnote 7). "1,234.5" and "-3" are numbers. Nothing where there is none.
TOOLFORMER_API std::optional<double> PredictedNumber(std::string_view prediction);

struct TOOLFORMER_API MathPrediction {
  std::string id;
  std::string text;  // of the model, with calls and results
  std::optional<double> predicted;
  bool correct = false;
  std::vector<DecodedCall> calls;
  std::string error;  // why there is no prediction, as where the problem does not fit into the context
};

struct TOOLFORMER_API MathScore {
  std::vector<MathPrediction> predictions;  // in the order of the problems
  int64_t correct = 0;
  int64_t with_call = 0;  // predictions with at least one call

  double accuracy() const { return Share(correct); }
  double call_share() const { return Share(with_call); }

 private:
  double Share(int64_t count) const {
    return predictions.empty() ? 0.0 : static_cast<double>(count) / static_cast<double>(predictions.size());
  }
};

// Zero-shot: continues the prompt of each problem with `options`, as one batch. `progress` is called after each group
// of problems with the predictions so far; may be empty. Errors are the decoder's.
TOOLFORMER_API absl::StatusOr<MathScore> ScoreMath(const AugmentingDecoder& decoder,
                                                   std::span<const MathProblem> problems, const DecodeOptions& options,
                                                   const std::function<void(const MathScore& so_far)>& progress);

}  // namespace toolformer

#endif  // TOOLFORMER_MATH_SUITE_H_
