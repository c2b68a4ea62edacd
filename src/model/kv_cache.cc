#include "src/model/kv_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr int64_t kMaxCopiedTail = 32;
constexpr int64_t kLeastCapacity = 16;

}  // namespace

absl::Status SegmentedCache::Truncate(int64_t length) {
  if (length < 0 || length > this->length()) {
    return OutOfRange("a cache of {} tokens cannot be cut to {}", this->length(), length);
  }
  tail_length_ = std::max<int64_t>(0, length - shared_length_);
  while (shared_length_ > length) {
    SegmentView& last = shared_.back();
    const int64_t excess = std::min(last.length, shared_length_ - length);
    last.length -= excess;
    shared_length_ -= excess;
    if (last.length == 0) shared_.pop_back();
  }
  if (layout_.keep_ids) ids_.resize(length);
  return absl::OkStatus();
}

std::unique_ptr<KvCache> SegmentedCache::Fork() {
  auto fork = std::make_unique<SegmentedCache>(layout_);
  // Every shared segment costs each later step a merge; a short tail costs less to copy.
  if (tail_length_ > kMaxCopiedTail) ShareTail();
  fork->shared_ = shared_;
  fork->shared_length_ = shared_length_;
  fork->ids_ = ids_;
  fork->length_kind_ = length_kind_;
  if (tail_length_ > 0) {
    fork->Reserve(tail_length_);
    fork->tail_.keys.narrow(1, 0, tail_length_).copy_(tail_.keys.narrow(1, 0, tail_length_));
    fork->tail_.values.narrow(1, 0, tail_length_).copy_(tail_.values.narrow(1, 0, tail_length_));
    fork->tail_length_ = tail_length_;
  }
  return fork;
}

void SegmentedCache::Commit(std::span<const int32_t> ids) {
  tail_length_ += static_cast<int64_t>(ids.size());
  if (layout_.keep_ids) ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void SegmentedCache::ShareTail() {
  shared_.push_back({std::make_shared<const CacheSegment>(tail_), tail_length_});
  tail_ = {};
  shared_length_ += std::exchange(tail_length_, 0);
}

CacheSegment SegmentedCache::CopyOfTail(int64_t capacity) const {
  CacheSegment copy;
  if (layout_.allocate) copy = layout_.allocate(capacity);
  if (!copy.keys.defined()) {
    const std::vector<int64_t> shape = {layout_.layers, capacity, layout_.kv_heads, layout_.head_dim};
    copy.keys = at::empty(shape, layout_.options);
    copy.values = at::empty(shape, layout_.options);
  }
  if (tail_length_ > 0) {
    copy.keys.narrow(1, 0, tail_length_).copy_(tail_.keys.narrow(1, 0, tail_length_));
    copy.values.narrow(1, 0, tail_length_).copy_(tail_.values.narrow(1, 0, tail_length_));
  }
  return copy;
}

void SegmentedCache::Reserve(int64_t count) {
  const int64_t needed = tail_length_ + count;
  const int64_t capacity = tail_.keys.defined() ? tail_.keys.size(1) : 0;
  if (needed <= capacity) return;
  // Doubling keeps the copies linear in the final length.
  tail_ = CopyOfTail(std::max({needed, 2 * capacity, kLeastCapacity}));
}

void SegmentedCache::Rehouse(int64_t count) {
  if (tail_length_ + count > kMaxCopiedTail) ShareTail();
  tail_ = CopyOfTail(std::max(tail_length_ + count, kLeastCapacity));
}

}  // namespace toolformer
