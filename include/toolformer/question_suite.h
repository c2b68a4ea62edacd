// Sets of questions as the paper asks them (section 4.2, appendix C): zero-shot, greedily, each suite with its prompt
// and its rule for what counts as an answer.
#ifndef TOOLFORMER_QUESTION_SUITE_H_
#define TOOLFORMER_QUESTION_SUITE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/augmenting_decoder.h"
#include "toolformer/export.h"

namespace toolformer {

// A number, where that is what is asked for, or words; of a question also the words any of which are right.
using Answer = std::variant<double, std::string, std::vector<std::string>>;
TOOLFORMER_API std::string PrintAnswer(const Answer& answer);

struct TOOLFORMER_API Question {
  std::string id;
  std::string text;  // a story and its question; a statement up to where its last words are missing
  Answer answer;
};

struct TOOLFORMER_API QuestionSet {
  std::string name;
  std::vector<Question> questions;
  int64_t left_out = 0;  // entries of the file that the suite does not ask
};

// A suite is a table: what it reads, asks and takes for an answer.
struct TOOLFORMER_API QuestionSuite {
  std::string_view name;      // "math"
  std::string_view formats;   // what is read, for people
  std::string_view left_out;  // what QuestionSet::left_out counts, for people

  // Whether a file that begins so can only be of this suite.
  bool (*recognises)(std::string_view content);
  // The questions of a file with this content; none is no error where entries were left out. kInvalidArgument for
  // another format: names path, entry and field, and what is read.
  absl::StatusOr<QuestionSet> (*read)(const std::string& path, std::string_view content);
  std::string (*prompt)(const Question& question);
  // What a prediction, its calls left out, answers with.
  std::optional<Answer> (*predicted)(std::string_view prediction);
  bool (*is_right)(const Answer& predicted, const Answer& answer);
  // A stricter rule that is told beside the other: whether a prediction, its calls left out, is the answer and nothing
  // else. Null: the suite has none.
  bool (*is_exact)(std::string_view prediction, const Answer& answer) = nullptr;
};

// ASDiv (XML), SVAMP, MAWPS (JSON): "x q The answer is"; the first number, or where there is an equation the first one
// behind its "=" (footnote 7). Sets are named after their files.
TOOLFORMER_API const QuestionSuite& MathSuite();
// LAMA's SQuAD, Google-RE and T-REx (JSON lines; T-REx takes the templates of the file relations.jsonl beside its own
// or in the folder above): statements whose missing words are the last; right where the answer is among the first five
// words.
TOOLFORMER_API const QuestionSuite& LamaSuite();
// NQ-open (JSON lines), WebQuestions (a JSON list), TriviaQA (lines of question, tab and a list of answers): "Answer
// the following question: q?"; right where one of the answers is among the first 20 words. Exact where the first line
// is an answer. Both are compared as SQuAD's evaluation does: without case, ASCII punctuation and articles.
TOOLFORMER_API const QuestionSuite& QaSuite();
TOOLFORMER_API std::span<const QuestionSuite* const> QuestionSuites();

// The content of a file of a set or a text, unpacked where it is gzipped. At most 256 MiB. kNotFound, kUnavailable,
// kInvalidArgument (a folder, damaged gzip), kResourceExhausted.
TOOLFORMER_API absl::StatusOr<std::string> ReadDataFile(const std::string& path);

struct TOOLFORMER_API Prediction {
  std::string text;  // of the model, with calls and results
  std::vector<DecodedCall> calls;
  double opening_probability = 0.0;  // Decoded::opening_probability
  std::optional<Answer> predicted;
  bool correct = false;
  bool exact = false;           // QuestionSuite::is_exact
  bool result_correct = false;  // the result of a call would have been right
  std::string error;            // why there is no prediction, as where the question does not fit into the context

  // At least one call, and at least one without a result.
  bool called() const { return !calls.empty(); }
  bool call_failed() const;
};

// Continues the prompts of the questions with `options`, as one batch; what comes out does not depend on which are
// together. Errors are the decoder's.
TOOLFORMER_API absl::StatusOr<std::vector<Prediction>> AnswerQuestions(const QuestionSuite& suite,
                                                                       const AugmentingDecoder& decoder,
                                                                       std::span<const Question> questions,
                                                                       const DecodeOptions& options);

// Asks the tool itself, one question after the other: its answer is the prediction, and the only call of it; an error
// of the tool is a call that failed. For suites whose questions are questions by themselves. The interrupt's status.
TOOLFORMER_API absl::StatusOr<std::vector<Prediction>> AskTool(const QuestionSuite& suite, const Tool& tool,
                                                               std::span<const Question> questions,
                                                               const Interrupt& interrupt);

// One JSON object, one line, without the line break: the question and its prediction. ParsePrediction reads the
// prediction back to an equal value.
TOOLFORMER_API std::string FormatPrediction(const Question& question, const Prediction& prediction);
TOOLFORMER_API absl::StatusOr<Prediction> ParsePrediction(std::string_view json_line);

// Predictions whose probability of calling is from `from` on, below the next one's.
struct TOOLFORMER_API CalibrationBin {
  double from = 0.0;
  int64_t predictions = 0, correct = 0;
  int64_t with_call = 0, with_call_correct = 0;
  int64_t results_correct = 0;  // of those with a call
};
inline constexpr std::array<double, 10> kCalibrationBins = {0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9};

struct TOOLFORMER_API PredictionCounts {
  int64_t predictions = 0, correct = 0, exact = 0;
  int64_t with_call = 0, call_failed = 0;  // predictions
  std::vector<CalibrationBin> calibration;

  double accuracy() const { return Share(correct); }
  double exact_share() const { return Share(exact); }
  double call_share() const { return Share(with_call); }

 private:
  double Share(int64_t count) const {
    return predictions == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(predictions);
  }
};
TOOLFORMER_API PredictionCounts CountPredictions(std::span<const Prediction> predictions);

}  // namespace toolformer

#endif  // TOOLFORMER_QUESTION_SUITE_H_
