// Samples the bodies of calls as a batch of rows that start from caches and end at different times.
#ifndef TOOLFORMER_SRC_ANNOTATE_CALL_ROWS_H_
#define TOOLFORMER_SRC_ANNOTATE_CALL_ROWS_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/random.h"
#include "toolformer/call_sampler.h"
#include "toolformer/call_syntax.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"

namespace toolformer {

struct CallRowSettings {
  double temperature = 1.0;
  int64_t max_tokens = 64;
  std::string forced;  // text after the opening that is fed, not sampled
  at::Tensor allowed;  // as in SampleTokens
};

enum class CallRowOutcome { kCall, kNotACall, kNotClosed };

// A finished sample.
struct CallRow {
  Position position;
  CallRowOutcome outcome = CallRowOutcome::kNotClosed;
  Call call;  // where the outcome is one
};

class CallRows {
 public:
  CallRows(const LanguageModel& model, const CallRowSettings& settings);

  // Samples to be drawn at a position, one a seed; `cache` holds what stands before the opening.
  void Add(const Position& position, std::unique_ptr<KvCache> cache, std::span<const int32_t> opening,
           std::span<const uint64_t> seeds);

  // Draws all that was added, in the order of Add and of the seeds, and forgets them.
  absl::StatusOr<std::vector<CallRow>> Run(const Interrupt& interrupt);

 private:
  struct Start {
    Position position;
    std::unique_ptr<KvCache> cache;
    std::vector<int32_t> ids;  // opening and forced text
    std::vector<uint64_t> seeds;
  };
  // A row that is still being written.
  struct Open {
    size_t result;  // index of its CallRow
    std::unique_ptr<KvCache> cache;
    RandomStream random;
    std::string text;  // after the opening
    int64_t tokens = 0;
    int32_t last = 0;
  };

  absl::StatusOr<at::Tensor> Begin(std::vector<CallRow>* results, std::vector<Open>* open);
  bool Extend(int32_t token, Open* row, CallRow* result) const;

  const LanguageModel& model_;
  const CallRowSettings settings_;
  std::vector<Start> starts_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANNOTATE_CALL_ROWS_H_
