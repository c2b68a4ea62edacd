// Ids of words that a thread has met lately. Text repeats itself: most words are looked up, not merged again.
#ifndef TOOLFORMER_SRC_TEXT_WORD_CACHE_H_
#define TOOLFORMER_SRC_TEXT_WORD_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace toolformer {

class WordCache {
 public:
  // Longer words, and those of more tokens, are not kept.
  static constexpr size_t kMaxBytes = 24;
  static constexpr size_t kMaxIds = 8;

  // The calling thread's, shared by all tokenizers: 1 MB from its first use to its end.
  static WordCache& OfThread();
  // A number that no other owner of words has or had.
  static uint32_t NewOwner();

  // A word as it is looked for.
  struct Key {
    std::array<uint64_t, kMaxBytes / 8> bytes{};  // zeros behind the word
    uint32_t owner = 0;
    uint32_t length = 0;
  };
  // `word` has at most kMaxBytes.
  static Key MakeKey(uint32_t owner, std::string_view word);

  // Appends the ids of the word; false where it is not known.
  bool Find(const Key& key, std::vector<int32_t>* ids);
  // Replaces the older of the words that have its places. More than kMaxIds are not kept.
  void Add(const Key& key, std::span<const int32_t> ids);

 private:
  // A line of a processor's cache.
  struct alignas(64) Entry {
    std::array<uint64_t, kMaxBytes / 8> bytes{};
    uint32_t owner = 0;
    uint8_t length = 0;
    uint8_t count = 0;
    std::array<int32_t, kMaxIds> ids;
  };
  static_assert(sizeof(Entry) == 64);
  using Places = std::array<Entry, 2>;  // the last that was added or found comes first
  static constexpr size_t kPlaces = 8192;
  static bool Holds(const Entry& entry, const Key& key);
  static size_t PlacesOf(const Key& key);

  std::vector<Places> entries_ = std::vector<Places>(kPlaces);
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_WORD_CACHE_H_
