// A picture of a training run: one self-contained HTML page.
#ifndef TOOLFORMER_TRAINING_REPORT_H_
#define TOOLFORMER_TRAINING_REPORT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/dataset_merger.h"
#include "toolformer/export.h"
#include "toolformer/fine_tuner.h"

namespace toolformer {

// The steps of the run in a folder of FineTuner's so far, those before an interruption included; `steps` and `seconds`
// are 0, which the log does not hold. kNotFound (no run there), kUnavailable, kInvalidArgument (not such a log: names
// the line).
TOOLFORMER_API absl::StatusOr<std::vector<FineTuneProgress>> ReadTrainingLog(const std::string& folder);

struct TOOLFORMER_API TrainingReport {
  std::vector<FineTuneProgress> steps = {};                          // ascending
  std::optional<double> first_development_loss = {};                 // of the model as it was, nats a token
  std::optional<DatasetCounts> dataset = {};                         // what was learned from
  std::vector<std::pair<std::string, std::string>> parameters = {};  // of the run, as given (name, value)
};

// The page: loss of each step and smoothed, perplexity on the development texts with the best step marked, gradient
// norm, learning rate, the dataset's counts as in the paper's table 2, the parameters. No script, no network; numbers
// that are not finite are left out.
TOOLFORMER_API std::string RenderTrainingReport(const TrainingReport& report);

}  // namespace toolformer

#endif  // TOOLFORMER_TRAINING_REPORT_H_
