// Keys and values at addresses that stay: what decoding in fixed shapes reads and writes.
#ifndef TOOLFORMER_SRC_MODEL_STATIC_DECODE_MEMORY_H_
#define TOOLFORMER_SRC_MODEL_STATIC_DECODE_MEMORY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "src/model/kv_cache.h"

namespace toolformer {

// Keys and values of `blocks` sequences of up to `tokens` tokens: [layers, blocks, kv_heads, tokens, head_dim], zero at
// first: attention gives hidden keys the weight zero, which only finite values survive.
struct KvBlocks {
  static KvBlocks Make(const CacheLayout& layout, int64_t blocks, int64_t tokens);

  // Tokens [first, first + count) of a block, as a segment [layers, count, kv_heads, head_dim].
  CacheSegment View(int64_t block, int64_t first, int64_t count) const;

  at::Tensor keys, values;
};

// The caches' tails themselves, as slots of one block of memory: a step finds a tail by its address, any other call on
// the cache needs to know nothing of this. Slots free themselves with the tails; safe from several threads.
class TailArena : public std::enable_shared_from_this<TailArena> {
 public:
  struct Size {
    int64_t slots = 0, slot_tokens = 0;
  };
  TailArena(const CacheLayout& layout, const Size& size) : layout_(layout), size_(size) {}

  // Memory for a tail; undefined tensors where `tokens` exceed a slot or none is free. Memory is taken at the first
  // call; where there is none, the arena has no slots.
  CacheSegment Allocate(int64_t tokens);

  // The slot whose memory a tail is; -1: of none.
  int64_t SlotOf(const CacheSegment& tail) const;
  int64_t free_slots() const;
  const Size& size() const { return size_; }

  // A slot that no tail has, for rows that are there to fill up a step.
  static constexpr int64_t kNobody = 0;
  // After the first Allocate.
  const KvBlocks& blocks() const { return blocks_; }

 private:
  struct Slot;

  const CacheLayout layout_;
  const Size size_;
  mutable std::mutex mutex_;
  bool made_ = false;
  KvBlocks blocks_;            // undefined where there was no memory
  std::vector<int64_t> free_;  // the lowest last
};

// Copies of the segments that rows share, one chain of segments a group. Not for several threads at once.
class PrefixArena {
 public:
  // `tokens` over all groups.
  PrefixArena(const CacheLayout& layout, int64_t tokens) : layout_(layout), budget_(tokens) {}

  // Copies the shared segments of the caches where they are not there yet, and names each cache's group; -1 for what
  // shares nothing. The group may hold more than a cache's shared_length(). nullopt: they do not fit.
  std::optional<std::vector<int64_t>> Place(std::span<const SegmentedCache* const> caches);

  int64_t groups() const { return static_cast<int64_t>(groups_.size()); }
  int64_t tokens() const { return tokens_; }  // of a group
  // Changes when Place moves the memory.
  uint64_t generation() const { return generation_; }
  uint64_t tokens_copied() const { return tokens_copied_; }
  const KvBlocks& blocks() const { return blocks_; }

 private:
  struct Part {
    std::weak_ptr<const CacheSegment> segment;
    int64_t length = 0;
  };
  struct Group {
    std::vector<Part> chain;
    uint64_t used = 0;
  };

  static bool Fits(const Group& group, const SegmentedCache& cache);
  // The group to take for a cache, emptied where it held something else; -1: all are taken.
  int64_t Choose(const SegmentedCache& cache);
  void Append(int64_t group, const SegmentedCache& cache);
  bool Resize(int64_t groups, int64_t tokens);

  const CacheLayout layout_;
  const int64_t budget_;
  KvBlocks blocks_;
  std::vector<Group> groups_;
  int64_t tokens_ = 0;
  uint64_t now_ = 0, generation_ = 0, tokens_copied_ = 0;
};

// The next power of two, at least `least`, which is one.
int64_t RoundUp(int64_t count, int64_t least);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_STATIC_DECODE_MEMORY_H_
