// Reads texts behind a tool's prompt: P(x), x. Gives p_i, and the cache in which calls are sampled.
#ifndef TOOLFORMER_SRC_ANNOTATE_PROMPTED_TEXT_H_
#define TOOLFORMER_SRC_ANNOTATE_PROMPTED_TEXT_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/annotate/least_recently_used.h"
#include "toolformer/call_sampler.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"
#include "toolformer/tool.h"

namespace toolformer {

// What stands before the text in a tool's prompt.
struct PromptHead {
  std::vector<int32_t> ids;  // start token included
  std::mutex mutex;          // of the cache
  std::unique_ptr<KvCache> cache;
};

// Heads of prompts that were read before. Safe to call from several threads at once.
class KeptPrompts {
 public:
  KeptPrompts(const LanguageModel& model, int64_t capacity);

  // Null where heads are not kept, or where this one alone exceeds the context.
  absl::StatusOr<std::shared_ptr<PromptHead>> Head(const Tool& tool);

 private:
  const LanguageModel& model_;
  const int64_t capacity_;
  std::mutex mutex_;
  LeastRecentlyUsed<PromptHead> heads_;
};

// A text being read.
struct PromptedText {
  std::vector<int32_t> ids;  // start token, P(x), x
  int64_t head = 0;          // tokens before x
  // Holds the tokens that have been read. The last token of x is never read: nothing stands behind it.
  std::shared_ptr<KvCache> cache;
  std::vector<double> probabilities;  // p_i, as far as read

  int64_t tokens_to_read() const { return std::ssize(ids) - 1; }
};

// `head` as KeptPrompts gives it. kInvalidArgument (an empty text), kOutOfRange (longer than the context).
absl::StatusOr<PromptedText> OpenText(const LanguageModel& model, PromptHead* head, const std::string& prompt,
                                      std::span<const int32_t> x);

// Bounds of a batch.
struct ReadingLimits {
  int64_t tokens = 0;
  int64_t wanted = 0;  // rows of logits
};

// Reads the texts to their ends, several in a batch. A text is cut into pieces in the same way whichever texts it is
// read with.
absl::Status ReadTexts(const LanguageModel& model, std::span<const int32_t> opening_ids, const ReadingLimits& limits,
                       std::span<PromptedText* const> texts, const Interrupt& interrupt);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANNOTATE_PROMPTED_TEXT_H_
