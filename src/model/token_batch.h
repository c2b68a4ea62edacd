// The tokens that go through the model together.
#ifndef TOOLFORMER_SRC_MODEL_TOKEN_BATCH_H_
#define TOOLFORMER_SRC_MODEL_TOKEN_BATCH_H_

#include <cstdint>
#include <vector>

#include "src/model/kv_cache.h"
#include "src/model/rotary.h"

namespace toolformer {

// A row of a batch, and where its tokens stand among the batch's.
struct BatchRow {
  int64_t first_token = 0;
  int64_t tokens = 0;               // at least one
  SegmentedCache* cache = nullptr;  // with room for the tokens; null: the row's own keys and values are all there is
};

// The tokens of a batch, row after row.
struct TokenBatch {
  std::vector<BatchRow> rows;
  std::vector<int64_t> ids;
  std::vector<TokenPlace> places;
  std::vector<int64_t> wanted;  // tokens whose logits are wanted
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_TOKEN_BATCH_H_
