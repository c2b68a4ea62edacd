// From annotated texts to what a model is fine-tuned on: C* of the paper (sections 2 and 4.1), of all tools together.
#ifndef TOOLFORMER_DATASET_MERGER_H_
#define TOOLFORMER_DATASET_MERGER_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/annotator.h"
#include "toolformer/document.h"
#include "toolformer/export.h"
#include "toolformer/tokenizer.h"
#include "toolformer/training_sequence.h"

namespace toolformer {

struct TOOLFORMER_API DatasetOptions {
  // Judges the calls of a tool again, with this tau_f in nats; tools that are not named keep their verdicts.
  std::map<std::string, double> tau_f;
  int64_t max_texts_per_tool = 25000;  // texts with calls of a tool; drawn at random where there are more
  double originals = 0.0;              // texts without calls, for each text with calls
  double development = 0.05;           // part of the texts that is held out
  bool mask_results = false;           // results are read, not learned: their tokens have weight 0
  bool without_calls = false;          // the same texts, as they were: what calls are compared with
  uint64_t seed = 0;
};

struct TOOLFORMER_API DatasetCounts {
  struct OfTool {
    int64_t texts = 0;                                           // with a call of the tool, in the dataset
    int64_t calls = 0;                                           // in them
    std::array<int64_t, kReportedThresholds.size()> texts_at{};  // of all texts: with a call of such a gain
  };
  std::map<std::string, OfTool> tools;
  int64_t texts = 0;             // that were added, each once
  int64_t texts_with_calls = 0;  // of them, after judging
  int64_t dropped = 0;           // of those, beyond max_texts_per_tool
  int64_t originals = 0;         // texts without calls in the dataset
};

struct TOOLFORMER_API Dataset {
  std::vector<TrainingSequence> training, development;
  DatasetCounts counts;
};

// Not safe for concurrent use. The tokenizer must outlive it, and be the one that the texts were annotated with.
class TOOLFORMER_API DatasetMerger {
 public:
  // kInvalidArgument: an option out of range.
  static absl::StatusOr<DatasetMerger> Create(const Tokenizer& tokenizer, DatasetOptions options);

  // Adds what a run has made of a text. The calls of a text that was added before, by a run with another tool, another
  // threshold or another proposer, are joined; equal ones count once. Skipped texts are not counted. kInvalidArgument:
  // an annotation that cannot be of this tokenizer (ids or positions that do not fit the text).
  absl::Status Add(AnnotatedDocument annotated);

  // A text that nobody annotated, to be learned as it is.
  absl::Status AddOriginal(const Document& document);

  // The dataset of all that was added. The same seed gives the same dataset, in whatever order texts were added.
  // kFailedPrecondition where no text has a call that is kept: says of how many calls and at which thresholds.
  absl::StatusOr<Dataset> Merge() const;

 private:
  DatasetMerger(const Tokenizer& tokenizer, DatasetOptions options);

  struct Text;
  struct Selection;
  void Judge(AnnotatedDocument* annotated) const;
  Selection Select() const;
  TrainingSequence SequenceOf(const AnnotatedDocument& annotated) const;

  const Tokenizer* tokenizer_;
  DatasetOptions options_;
  std::vector<AnnotatedDocument> texts_;
  std::unordered_map<std::string, size_t> index_;  // by text
};

}  // namespace toolformer

#endif  // TOOLFORMER_DATASET_MERGER_H_
