// eval of math, lama and qa: questions to answers.
#include <algorithm>
#include <span>
#include <utility>

#include "eval_task.h"
#include "failure.h"
#include "jsonl.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

// Questions asked together: enough to keep the rows of a batch busy, few enough that little is lost where a run is
// killed.
constexpr int64_t kFewestTogether = 64;

class QuestionTask : public EvalTask {
 public:
  explicit QuestionTask(const QuestionSuite& suite) : suite_(suite) {}

  absl::Status AddFile(const DataFile& file);
  // No more files.
  absl::Status Finish(int64_t limit);

  absl::Status Prepare(const Model&) override { return absl::OkStatus(); }
  int64_t items() const override;
  nlohmann::ordered_json Fingerprint() const override;
  bool IsItem(std::string_view line) const override { return ParsePrediction(line).ok(); }
  absl::Status Run(int64_t first, const Means& means, const Done& done) override;
  absl::Status Take(std::string_view item) override;
  std::string Progress() const override;
  nlohmann::ordered_json Scores() const override;
  std::string Table() const override;
  void AddTo(Evaluation* evaluation) const override { evaluation->sets = sets_; }

 private:
  const QuestionSuite& suite_;
  std::vector<EvaluatedSet> sets_;
  size_t current_ = 0;  // of the set that takes the next item
  int64_t correct_ = 0;
};

absl::Status QuestionTask::AddFile(const DataFile& file) {
  CLI_ASSIGN_OR_RETURN(QuestionSet read, suite_.read(file.path, file.content));
  const auto same = std::find_if(sets_.begin(), sets_.end(),
                                 [&](const EvaluatedSet& evaluated) { return evaluated.set.name == read.name; });
  if (same == sets_.end()) {
    sets_.push_back({std::move(read), {}});
    return absl::OkStatus();
  }
  same->set.left_out += read.left_out;
  std::vector<Question>& questions = same->set.questions;
  std::move(read.questions.begin(), read.questions.end(), std::back_inserter(questions));
  return absl::OkStatus();
}

absl::Status QuestionTask::Finish(int64_t limit) {
  for (EvaluatedSet& evaluated : sets_) {
    QuestionSet& set = evaluated.set;
    if (set.questions.empty()) {
      return Failure("{}: nothing to ask: all {} entries are {}", set.name, set.left_out, suite_.left_out);
    }
    if (limit > 0 && limit < std::ssize(set.questions)) set.questions.resize(limit);
  }
  return absl::OkStatus();
}

int64_t QuestionTask::items() const {
  int64_t count = 0;
  for (const EvaluatedSet& evaluated : sets_) count += std::ssize(evaluated.set.questions);
  return count;
}

nlohmann::ordered_json QuestionTask::Fingerprint() const {
  nlohmann::ordered_json json;
  for (const EvaluatedSet& evaluated : sets_) {
    uint64_t hash = HashBytes("");
    for (const Question& question : evaluated.set.questions) {
      // A byte that no text holds keeps the parts apart.
      for (const std::string& part : {question.id, suite_.prompt(question), PrintAnswer(question.answer)}) {
        hash = HashBytes("\xff", HashBytes(part, hash));
      }
    }
    json[evaluated.set.name] = {{"problems", evaluated.set.questions.size()}, {"hash", Hex(hash)}};
  }
  return json;
}

absl::Status QuestionTask::Run(int64_t first, const Means& means, const Done& done) {
  const DecodeOptions& options = means.options;
  // A tool is asked one by one.
  const int64_t together = means.asked != nullptr ? 1 : std::max(kFewestTogether, 2 * options.max_batch_rows);
  for (const EvaluatedSet& evaluated : sets_) {
    std::span<const Question> questions = evaluated.set.questions;
    const int64_t skipped = std::min(first, std::ssize(questions));
    first -= skipped;
    questions = questions.subspan(skipped);
    while (!questions.empty()) {
      const std::span<const Question> group = questions.first(std::min(together, std::ssize(questions)));
      CLI_ASSIGN_OR_RETURN(const std::vector<Prediction> predictions,
                           means.asked != nullptr ? AskTool(suite_, *means.asked, group, options.interrupt)
                                                  : AnswerQuestions(suite_, means.decoder, group, options));
      for (size_t i = 0; i < group.size(); ++i) {
        CLI_RETURN_IF_ERROR(done(FormatPrediction(group[i], predictions[i])));
      }
      questions = questions.subspan(group.size());
    }
  }
  return absl::OkStatus();
}

absl::Status QuestionTask::Take(std::string_view item) {
  CLI_ASSIGN_OR_RETURN(Prediction prediction, ParsePrediction(item));
  while (current_ < sets_.size() && sets_[current_].predictions.size() == sets_[current_].set.questions.size()) {
    ++current_;
    correct_ = 0;
  }
  if (current_ == sets_.size()) return Failure("more predictions than problems");
  correct_ += prediction.correct ? 1 : 0;
  sets_[current_].predictions.push_back(std::move(prediction));
  return absl::OkStatus();
}

std::string QuestionTask::Progress() const {
  const EvaluatedSet& evaluated = sets_[current_];
  return fmt::format("{}: {}/{} problems, {} correct", PrintableLine(evaluated.set.name), evaluated.predictions.size(),
                     evaluated.set.questions.size(), correct_);
}

nlohmann::ordered_json QuestionTask::Scores() const {
  nlohmann::ordered_json json;
  for (const EvaluatedSet& evaluated : sets_) {
    const PredictionCounts counts = CountPredictions(evaluated.predictions);
    nlohmann::ordered_json& of_set = json[evaluated.set.name];
    of_set["problems"] = counts.predictions;
    of_set["left_out"] = evaluated.set.left_out;
    of_set["correct"] = counts.correct;
    of_set["accuracy"] = counts.accuracy();
    if (suite_.is_exact != nullptr) {
      of_set["exact"] = counts.exact;
      of_set["exact_share"] = counts.exact_share();
    }
    of_set["call_share"] = counts.call_share();
    of_set["with_call"] = counts.with_call;
    of_set["call_failed"] = counts.call_failed;
    of_set["calibration"] = nlohmann::ordered_json::array();
    for (const CalibrationBin& bin : counts.calibration) {
      of_set["calibration"].push_back({{"from", bin.from},
                                       {"problems", bin.predictions},
                                       {"correct", bin.correct},
                                       {"with_call", bin.with_call},
                                       {"with_call_correct", bin.with_call_correct},
                                       {"results_correct", bin.results_correct}});
    }
    of_set["predictions"] = nlohmann::ordered_json::array();
    for (size_t i = 0; i < evaluated.predictions.size(); ++i) {
      of_set["predictions"].push_back(nlohmann::ordered_json::parse(
          FormatPrediction(evaluated.set.questions[i], evaluated.predictions[i]), nullptr, /*allow_exceptions=*/false));
    }
  }
  return json;
}

std::string QuestionTask::Table() const {
  const bool exact = suite_.is_exact != nullptr;
  std::string table = fmt::format("  {:28}{:>10}{:>10}{:>10}{}{:>13}{:>13}\n", "", "problems", "correct", "percent",
                                  exact ? "     exact" : "", "with a call", "call failed");
  for (const EvaluatedSet& evaluated : sets_) {
    const PredictionCounts counts = CountPredictions(evaluated.predictions);
    table += fmt::format("  {:28}{:>10}{:>10}{:>10.1f}{}{:>12.1f}%{:>13}\n", PrintableLine(evaluated.set.name),
                         counts.predictions, counts.correct, 100 * counts.accuracy(),
                         exact ? fmt::format("{:>10.1f}", 100 * counts.exact_share()) : "", 100 * counts.call_share(),
                         counts.call_failed);
    if (evaluated.set.left_out > 0) {
      table += fmt::format("    left out: {} {}\n", evaluated.set.left_out, suite_.left_out);
    }
  }
  return table;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EvalTask>> MakeQuestionTask(const QuestionSuite& suite,
                                                           const std::vector<DataFile>& files,
                                                           const TaskOptions& options) {
  auto task = std::make_unique<QuestionTask>(suite);
  for (const DataFile& file : files) CLI_RETURN_IF_ERROR(task->AddFile(file));
  CLI_RETURN_IF_ERROR(task->Finish(options.limit));
  return task;
}

}  // namespace toolformer::cli
