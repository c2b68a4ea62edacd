#include "src/search/posting_cursor.h"

#include <algorithm>

namespace toolformer {
namespace {

// The next varint of at most 33 bits; false where the bytes end or it is longer.
bool ReadVarint(const uint8_t** at, const uint8_t* end, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 35 && *at < end; shift += 7) {
    const uint8_t byte = *(*at)++;
    result |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return false;
}

}  // namespace

PostingCursor::PostingCursor(const TermPostings& postings, uint32_t passages)
    : postings_(postings), passages_(passages), blocks_(std::max<size_t>(1, postings.blocks.size())) {
  Load(0);
}

void PostingCursor::Load(size_t block) {
  block_ = block;
  at_ = count_ = 0;
  passage_ = kEnd;
  if (damaged_ || block >= blocks_) return;
  size_t begin = 0, end = postings_.bytes.size();
  uint64_t last = 0;  // passage before the block
  if (!postings_.blocks.empty()) {
    if (block > 0) {
      begin = postings_.blocks[block - 1].end;
      last = postings_.blocks[block - 1].last_passage;
    }
    end = postings_.blocks[block].end;
  }
  damaged_ = true;  // until it was read
  if (begin > end || end > postings_.bytes.size()) return;
  const uint8_t* at = postings_.bytes.data() + begin;
  const uint8_t* const bytes_end = postings_.bytes.data() + end;
  const size_t count = std::min(kBlockPostings, postings_.passages - block * kBlockPostings);
  for (size_t i = 0; i < count; ++i) {
    uint64_t distance, times = 1;
    if (!ReadVarint(&at, bytes_end, &distance)) return;
    if ((distance & 1) != 0 && !ReadVarint(&at, bytes_end, &times)) return;
    last += distance >> 1;
    // Ascending, inside the part: whoever reads lengths by these numbers may rely on it.
    if (last >= passages_ || (i > 0 && distance < 2) || times == 0 || times > UINT32_MAX) return;
    numbers_[i] = static_cast<uint32_t>(last);
    times_[i] = static_cast<uint32_t>(times);
  }
  if (!postings_.blocks.empty() && postings_.blocks[block].last_passage != last) return;
  damaged_ = false;
  count_ = count;
  passage_ = numbers_[0];
}

void PostingCursor::Next() {
  if (++at_ < count_) {
    passage_ = numbers_[at_];
  } else {
    Load(block_ + 1);
  }
}

const BlockHeader* PostingCursor::BlockAt(uint32_t passage) {
  const std::span<const BlockHeader> blocks = postings_.blocks;
  hint_ = std::max(hint_, block_);
  if (blocks.empty() || hint_ >= blocks.size()) return nullptr;
  if (blocks[hint_].last_passage >= passage) {
    // Back to where the cursor is, should the hint have run ahead of an earlier question.
    if (hint_ == block_ || blocks[hint_ - 1].last_passage < passage) return &blocks[hint_];
    hint_ = block_;
  }
  hint_ = std::lower_bound(blocks.begin() + static_cast<ptrdiff_t>(hint_), blocks.end(), passage,
                           [](const BlockHeader& block, uint32_t wanted) { return block.last_passage < wanted; }) -
          blocks.begin();
  return hint_ < blocks.size() ? &blocks[hint_] : nullptr;
}

void PostingCursor::SeekTo(uint32_t passage) {
  if (passage_ >= passage) return;  // kEnd too
  if (!postings_.blocks.empty() && postings_.blocks[block_].last_passage < passage) {
    const BlockHeader* block = BlockAt(passage);
    Load(block != nullptr ? static_cast<size_t>(block - postings_.blocks.data()) : blocks_);
    if (passage_ >= passage) return;
  }
  const auto found = std::lower_bound(numbers_.begin() + static_cast<ptrdiff_t>(at_),
                                      numbers_.begin() + static_cast<ptrdiff_t>(count_), passage);
  at_ = static_cast<size_t>(found - numbers_.begin());
  if (at_ < count_) {
    passage_ = numbers_[at_];
  } else {
    Load(block_ + 1);
  }
}

}  // namespace toolformer
