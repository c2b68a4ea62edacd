// Which tokens a tool's input may be written with.
#ifndef TOOLFORMER_SRC_ANNOTATE_ALLOWED_TOKENS_H_
#define TOOLFORMER_SRC_ANNOTATE_ALLOWED_TOKENS_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "src/annotate/least_recently_used.h"
#include "toolformer/model.h"
#include "toolformer/tool.h"

namespace toolformer {

// Goes through the vocabulary once for each set of characters and keeps what it found for the last few. Safe to call
// from several threads at once.
class AllowedTokens {
 public:
  explicit AllowedTokens(const LanguageModel& model);

  // Ids, ascending, of the tokens that may stand in an input of the tool or close its call; null: no restriction.
  std::shared_ptr<const std::vector<int32_t>> For(const Tool& tool);

 private:
  const LanguageModel& model_;
  std::mutex mutex_;
  LeastRecentlyUsed<const std::vector<int32_t>> lists_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANNOTATE_ALLOWED_TOKENS_H_
