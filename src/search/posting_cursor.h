// Walks the postings of a term, ascending by passage.
#ifndef TOOLFORMER_SRC_SEARCH_POSTING_CURSOR_H_
#define TOOLFORMER_SRC_SEARCH_POSTING_CURSOR_H_

#include <array>
#include <cstdint>

#include "src/search/index_part.h"
#include "src/search/part_format.h"

namespace toolformer {

class PostingCursor {
 public:
  static constexpr uint32_t kEnd = UINT32_MAX;

  // On the first posting. `passages` is the number of passages of the part.
  PostingCursor(const TermPostings& postings, uint32_t passages);

  // kEnd behind the last one, or where postings are damaged.
  uint32_t passage() const { return passage_; }
  uint32_t times() const { return times_[at_]; }
  bool damaged() const { return damaged_; }

  void Next();
  // To the first posting of `passage` or later.
  void SeekTo(uint32_t passage);
  // The headers of the block that holds the first posting of `passage` or later, without unpacking it; null at the end
  // and where there is a single block.
  const BlockHeader* BlockAt(uint32_t passage);

 private:
  void Load(size_t block);

  const TermPostings postings_;
  const uint32_t passages_;
  std::array<uint32_t, kBlockPostings> numbers_, times_;
  size_t block_ = 0, blocks_ = 1;
  size_t hint_ = 0;  // block of BlockAt
  size_t at_ = 0, count_ = 0;
  uint32_t passage_ = kEnd;
  bool damaged_ = false;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_POSTING_CURSOR_H_
