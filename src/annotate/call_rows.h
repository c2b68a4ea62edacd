// Samples the bodies of calls in one rolling batch: rows end at different times and leave, waiting starts of any text
// join as soon as there is room.
#ifndef TOOLFORMER_SRC_ANNOTATE_CALL_ROWS_H_
#define TOOLFORMER_SRC_ANNOTATE_CALL_ROWS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/random.h"
#include "toolformer/call_syntax.h"
#include "toolformer/model.h"

namespace toolformer {

struct CallRowSettings {
  double temperature = 1.0;
  int64_t max_tokens = 64;
  std::string forced;  // text after the opening that is fed, not sampled
  // The ids that may be sampled, ascending; null: all.
  std::shared_ptr<const std::vector<int32_t>> allowed;
  int64_t max_rows = 64;             // of a step
  bool share_equal_rows = true;      // samples that have written the same are one row
  bool project_allowed_only = true;  // asks the model for the logits of `allowed` only
};

enum class CallRowOutcome { kCall, kNotACall, kNotClosed };

// A finished sample.
struct CallRow {
  CallRowOutcome outcome = CallRowOutcome::kNotClosed;
  Call call;  // where the outcome is one
};

// Samples to be drawn at one position of a text, one a seed.
struct CallStart {
  size_t text = 0;
  std::shared_ptr<KvCache> cache;  // of the text; its first `length` tokens stand before the opening
  int64_t length = 0;
  std::vector<int32_t> opening;
  std::vector<uint64_t> seeds;
  CallRow* results = nullptr;  // [seeds]; must stay where it is until the text has ended
};

class CallRows {
 public:
  CallRows(const LanguageModel& model, const CallRowSettings& settings);

  void Add(CallStart start);

  // Nothing waits or runs.
  bool empty() const { return starts_.empty() && rows_.empty(); }
  // Further starts could join the next step.
  bool has_room() const;

  // What a step brought to an end.
  struct Ended {
    std::vector<size_t> samples;   // the text of each sample whose result has been filled in
    std::vector<size_t> too_long;  // texts whose calls exceed the context; all that they had here is gone
  };
  // Draws one token for every row: one pass of the model for the running rows and the starts that join them.
  absl::StatusOr<Ended> Step();

 private:
  // A sample of a row.
  struct Sample {
    CallRow* result = nullptr;
    RandomStream random;
  };
  // Samples of one position that have written the same so far.
  struct Row {
    size_t text = 0;
    std::unique_ptr<KvCache> cache;
    std::vector<int32_t> next;  // to be read
    std::string written;        // after the opening
    int64_t tokens = 0;         // sampled
    std::vector<Sample> samples;
  };

  absl::Status Join();
  void DropTooLong(Ended* ended);
  absl::StatusOr<std::vector<int32_t>> Draw(std::span<Row> rows) const;
  void Advance(Row row, std::span<const int32_t> tokens, std::vector<Row>* rows, Ended* ended) const;
  bool Write(int32_t token, Row* row, CallRow* result) const;

  const LanguageModel& model_;
  const CallRowSettings settings_;
  const std::vector<int32_t> forced_;
  std::deque<CallStart> starts_;
  std::vector<Row> rows_;  // the first of them run, the others wait for room
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANNOTATE_CALL_ROWS_H_
