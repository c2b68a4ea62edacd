#include "src/text/word_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "src/base/random.h"

namespace toolformer {

WordCache& WordCache::OfThread() {
  thread_local WordCache cache;
  return cache;
}

uint32_t WordCache::NewOwner() {
  // 0 is the owner of empty entries.
  static std::atomic<uint32_t> last = 0;
  return ++last;
}

WordCache::Key WordCache::MakeKey(uint32_t owner, std::string_view word) {
  Key key;
  key.owner = owner;
  key.length = static_cast<uint32_t>(word.size());
  // Copies of fixed sizes need no call.
  char* to = reinterpret_cast<char*>(key.bytes.data());
  const char* from = word.data();
  for (size_t eights = word.size() / 8; eights > 0; --eights, to += 8, from += 8) std::memcpy(to, from, 8);
  if ((word.size() & 4) != 0) std::memcpy(to, from, 4), to += 4, from += 4;
  if ((word.size() & 2) != 0) std::memcpy(to, from, 2), to += 2, from += 2;
  if ((word.size() & 1) != 0) *to = *from;
  return key;
}

size_t WordCache::PlacesOf(const Key& key) {
  const uint64_t head = key.bytes[0] ^ (uint64_t{key.owner} << 8 | key.length) * 0xd6e8feb86659fd93ull;
  const uint64_t tail = key.bytes[1] * 0x9e3779b97f4a7c15ull ^ key.bytes[2] * 0xc2b2ae3d27d4eb4full;
  return MixBits(head ^ tail) % kPlaces;
}

bool WordCache::Holds(const Entry& entry, const Key& key) {
  uint64_t difference = (entry.owner ^ key.owner) | (entry.length ^ key.length);
  for (size_t i = 0; i < key.bytes.size(); ++i) difference |= entry.bytes[i] ^ key.bytes[i];
  return difference == 0;
}

bool WordCache::Find(const Key& key, std::vector<int32_t>* ids) {
  Places& places = entries_[PlacesOf(key)];
  if (!Holds(places[0], key)) {
    if (!Holds(places[1], key)) return false;
    std::swap(places[0], places[1]);
  }
  for (size_t i = 0; i < places[0].count; ++i) ids->push_back(places[0].ids[i]);
  return true;
}

void WordCache::Add(const Key& key, std::span<const int32_t> ids) {
  if (ids.size() > kMaxIds) return;
  Places& places = entries_[PlacesOf(key)];
  places[1] = places[0];
  Entry& entry = places[0];
  entry.bytes = key.bytes;
  entry.owner = key.owner;
  entry.length = static_cast<uint8_t>(key.length);
  entry.count = static_cast<uint8_t>(ids.size());
  std::copy(ids.begin(), ids.end(), entry.ids.begin());
}

}  // namespace toolformer
