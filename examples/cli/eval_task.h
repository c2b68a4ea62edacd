// What `eval` measures.
#ifndef TOOLFORMER_CLI_EVAL_TASK_H_
#define TOOLFORMER_CLI_EVAL_TASK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toolformer/augmenting_decoder.h"
#include "toolformer/evaluation_report.h"
#include "toolformer/model.h"
#include "toolformer/question_suite.h"

namespace toolformer::cli {

struct DataFile {
  std::string path, content;
};

// What answers.
struct Means {
  const AugmentingDecoder& decoder;
  const DecodeOptions& options;
  const Tool* asked = nullptr;  // null: the model is asked
};

// Items in a fixed order, each of which comes out as one line of JSON by itself. Whatever is told of them at the end is
// made of these lines, so that a run that was interrupted ends like any other.
class EvalTask {
 public:
  virtual ~EvalTask() = default;

  // Before all that follows.
  virtual absl::Status Prepare(const Model& model) = 0;
  virtual int64_t items() const = 0;
  // Everything of the input that determines the items.
  virtual nlohmann::ordered_json Fingerprint() const = 0;
  virtual bool IsItem(std::string_view line) const = 0;

  // Makes the items from `first` on, until all are made or `done` fails.
  using Done = std::function<absl::Status(const std::string& item)>;
  virtual absl::Status Run(int64_t first, const Means& means, const Done& done) = 0;

  // Takes the next item in.
  virtual absl::Status Take(std::string_view item) = 0;

  // Of the items taken in.
  virtual std::string Progress() const = 0;
  virtual nlohmann::ordered_json Scores() const = 0;
  virtual std::string Table() const = 0;
  virtual void AddTo(Evaluation* evaluation) const = 0;
};

struct TaskOptions {
  int64_t limit = 0;      // most problems of a set, or windows of a text; 0: all
  int64_t window = 1024;  // tokens of a window of a text
};

// Questions of a suite; files whose sets have the same name make one set. Fails for a set without questions.
absl::StatusOr<std::unique_ptr<EvalTask>> MakeQuestionTask(const QuestionSuite& suite,
                                                           const std::vector<DataFile>& files,
                                                           const TaskOptions& options);

// Perplexity of texts; an item is a window.
absl::StatusOr<std::unique_ptr<EvalTask>> MakeTextTask(std::vector<DataFile> files, const TaskOptions& options);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_EVAL_TASK_H_
