#include "src/text/word_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>

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
  std::memcpy(key.bytes.data(), word.data(), word.size());
  return key;
}

size_t WordCache::SlotOf(const Key& key) {
  const uint64_t tail = MixBits(key.bytes[1] ^ MixBits(key.bytes[2] ^ (uint64_t{key.owner} << 8 | key.length)));
  return MixBits(key.bytes[0] ^ tail) % kEntries;
}

bool WordCache::Find(const Key& key, std::vector<int32_t>* ids) const {
  const Entry& entry = entries_[SlotOf(key)];
  if (entry.key != key) return false;
  ids->insert(ids->end(), entry.ids.begin(), entry.ids.begin() + entry.count);
  return true;
}

void WordCache::Add(const Key& key, std::span<const int32_t> ids) {
  if (ids.size() > kMaxIds) return;
  Entry& entry = entries_[SlotOf(key)];
  entry.key = key;
  entry.count = static_cast<uint32_t>(ids.size());
  std::copy(ids.begin(), ids.end(), entry.ids.begin());
}

}  // namespace toolformer
