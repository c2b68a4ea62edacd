// A hash table from 64-bit keys to small values in one block of memory: open addressing, at most half full.
#ifndef TOOLFORMER_SRC_TEXT_FLAT_MAP_H_
#define TOOLFORMER_SRC_TEXT_FLAT_MAP_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "src/base/random.h"

namespace toolformer {

// Keys are anything but ~0.
template <typename Value>
class FlatMap {
 public:
  explicit FlatMap(size_t expected = 0) : entries_(std::bit_ceil(std::max<size_t>(expected, 1) * 2)) {}

  bool empty() const { return size_ == 0; }

  // Null where there is no such key.
  const Value* Find(uint64_t key) const {
    const Entry& entry = entries_[SlotOf(key)];
    return entry.key == kFree ? nullptr : &entry.value;
  }

  // The value of `key`, which is `value` where the key is new, and whether it is.
  std::pair<Value*, bool> Insert(uint64_t key, const Value& value) {
    size_t slot = SlotOf(key);
    const bool is_new = entries_[slot].key == kFree;
    if (is_new) {
      if (++size_ * 2 > entries_.size()) {
        Grow();
        slot = SlotOf(key);
      }
      entries_[slot] = {key, value};
    }
    return {&entries_[slot].value, is_new};
  }

 private:
  static constexpr uint64_t kFree = ~uint64_t{0};
  struct Entry {
    uint64_t key = kFree;
    Value value = {};
  };

  size_t SlotOf(uint64_t key) const {
    const size_t mask = entries_.size() - 1;
    size_t slot = MixBits(key) & mask;
    while (entries_[slot].key != kFree && entries_[slot].key != key) slot = (slot + 1) & mask;
    return slot;
  }

  void Grow() {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.key != kFree) entries_[SlotOf(entry.key)] = entry;
    }
  }

  std::vector<Entry> entries_;
  size_t size_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_FLAT_MAP_H_
