#include "src/model/static_decode_memory.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace toolformer {
namespace {

constexpr int64_t kLeastPrefix = 64;
constexpr int64_t kFirstGroups = 4;

}  // namespace

int64_t RoundUp(int64_t count, int64_t least) {
  int64_t bucket = least;
  while (bucket < count) bucket *= 2;
  return bucket;
}

KvBlocks KvBlocks::Make(const CacheLayout& layout, int64_t blocks, int64_t tokens) {
  const std::vector<int64_t> shape = {layout.layers, blocks, layout.kv_heads, tokens, layout.head_dim};
  return {at::zeros(shape, layout.options), at::zeros(shape, layout.options)};
}

CacheSegment KvBlocks::View(int64_t block, int64_t first, int64_t count) const {
  const auto view = [&](const at::Tensor& x) { return x.select(1, block).narrow(2, first, count).transpose(1, 2); };
  return {view(keys), view(values)};
}

// Held by the tensors of a tail.
struct TailArena::Slot {
  Slot(std::shared_ptr<TailArena> owner, int64_t number) : arena(std::move(owner)), index(number) {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    const std::lock_guard lock(arena->mutex_);
    // The lowest next: kept sorted. Never grows over the capacity it was made with.
    const auto place = std::lower_bound(arena->free_.begin(), arena->free_.end(), index, std::greater<>());
    arena->free_.insert(place, index);
  }

  const std::shared_ptr<TailArena> arena;
  const int64_t index;
};

CacheSegment TailArena::Allocate(int64_t tokens) {
  if (tokens > size_.slot_tokens) return {};
  int64_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!made_) {
      made_ = true;
      try {
        blocks_ = KvBlocks::Make(layout_, size_.slots, size_.slot_tokens);
        for (int64_t slot = size_.slots - 1; slot > kNobody; --slot) free_.push_back(slot);
      } catch (const c10::Error&) {
        blocks_ = {};  // out of memory: ordinary tails
      }
    }
    if (free_.empty()) return {};
    index = free_.back();
    free_.pop_back();
  }
  const auto slot = std::make_shared<const Slot>(shared_from_this(), index);
  const CacheSegment view = blocks_.View(index, 0, size_.slot_tokens);
  const auto own = [&](const at::Tensor& x) {
    at::Tensor tail = at::from_blob(
        x.data_ptr(), x.sizes(), x.strides(), [slot](void*) {}, x.options(), x.device());
    tail.zero_();  // what its last owner left may not be finite
    return tail;
  };
  return {own(view.keys), own(view.values)};
}

int64_t TailArena::SlotOf(const CacheSegment& tail) const {
  const std::lock_guard lock(mutex_);
  if (!tail.keys.defined() || !blocks_.keys.defined()) return -1;
  const auto* address = static_cast<const char*>(tail.keys.const_data_ptr());
  const auto* begin = static_cast<const char*>(blocks_.keys.const_data_ptr());
  const int64_t stride = blocks_.keys.stride(1) * static_cast<int64_t>(blocks_.keys.element_size());
  const bool inside = !std::less<>()(address, begin) && std::less<>()(address, begin + stride * size_.slots);
  return inside ? (address - begin) / stride : -1;
}

int64_t TailArena::free_slots() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(free_.size());
}

// Whether a group holds the begin of what the cache shares, or all of it and more.
bool PrefixArena::Fits(const Group& group, const SegmentedCache& cache) {
  const std::vector<SegmentView>& shared = cache.shared();
  for (size_t i = 0; i < std::min(shared.size(), group.chain.size()); ++i) {
    const Part& part = group.chain[i];
    if (part.segment.lock() != shared[i].segment) return false;
    const bool cache_ends = i + 1 == shared.size(), group_ends = i + 1 == group.chain.size();
    if (part.length < shared[i].length && !group_ends) return false;
    if (part.length > shared[i].length && !cache_ends) return false;
  }
  return !group.chain.empty();
}

int64_t PrefixArena::Choose(const SegmentedCache& cache) {
  const auto fits = [&](const Group& group) { return Fits(group, cache); };
  const auto older = [](const Group& a, const Group& b) {
    return std::pair(!a.chain.empty(), a.used) < std::pair(!b.chain.empty(), b.used);
  };
  auto group = std::find_if(groups_.begin(), groups_.end(), fits);
  if (group == groups_.end()) {
    // An empty one, else the one that was used longest ago.
    group = std::min_element(groups_.begin(), groups_.end(), older);
    if (group == groups_.end() || (group->used == now_ && !group->chain.empty())) return -1;
    group->chain.clear();
    blocks_.keys.select(1, group - groups_.begin()).zero_();
    blocks_.values.select(1, group - groups_.begin()).zero_();
  }
  group->used = now_;
  return group - groups_.begin();
}

void PrefixArena::Append(int64_t group, const SegmentedCache& cache) {
  std::vector<Part>& chain = groups_[group].chain;
  int64_t begin = 0;
  for (size_t i = 0; i < cache.shared().size(); ++i) {
    const SegmentView& view = cache.shared()[i];
    if (i == chain.size()) chain.push_back({view.segment, 0});
    const int64_t present = chain[i].length;
    if (present < view.length) {
      const int64_t count = view.length - present;
      const CacheSegment to = blocks_.View(group, begin + present, count);
      to.keys.copy_(view.segment->keys.narrow(1, present, count));
      to.values.copy_(view.segment->values.narrow(1, present, count));
      chain[i].length = view.length;
      tokens_copied_ += static_cast<uint64_t>(count);
    }
    begin += view.length;
  }
}

bool PrefixArena::Resize(int64_t groups, int64_t tokens) {
  if (groups == 0 || groups > budget_ / tokens) return false;
  groups_.clear();
  tokens_ = 0;
  blocks_ = {};  // before the new ones are made
  ++generation_;
  blocks_ = KvBlocks::Make(layout_, groups, tokens);
  groups_.resize(groups);
  tokens_ = tokens;
  return true;
}

std::optional<std::vector<int64_t>> PrefixArena::Place(std::span<const SegmentedCache* const> caches) {
  int64_t longest = 0;
  for (const SegmentedCache* cache : caches) longest = std::max(longest, cache->shared_length());
  if (longest == 0) return std::vector<int64_t>(caches.size(), -1);
  const int64_t tokens = RoundUp(longest, kLeastPrefix);
  if (tokens > tokens_ && !Resize(std::min(std::max(groups(), kFirstGroups), budget_ / tokens), tokens)) {
    return std::nullopt;
  }
  for (Group& group : groups_) {
    const auto gone = [](const Part& part) { return part.segment.expired(); };
    if (std::any_of(group.chain.begin(), group.chain.end(), gone)) group.chain.clear();
  }
  ++now_;
  std::vector<int64_t> places;
  while (places.size() < caches.size()) {
    const SegmentedCache& cache = *caches[places.size()];
    int64_t group = -1;
    if (cache.shared_length() > 0) {
      group = Choose(cache);
      if (group < 0) {
        // Twice as many groups, and from the start. Shorter ones where that makes room.
        if (!Resize(2 * groups(), tokens_) && !Resize(2 * groups(), tokens)) return std::nullopt;
        places.clear();
        continue;
      }
      Append(group, cache);
    }
    places.push_back(group);
  }
  return places;
}

}  // namespace toolformer
