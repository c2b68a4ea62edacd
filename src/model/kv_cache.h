// Keys and values of one sequence as a chain of segments. Forking shares what there is and gives each side a tail of
// its own; the shared segments are never written again.
#ifndef TOOLFORMER_SRC_MODEL_KV_CACHE_H_
#define TOOLFORMER_SRC_MODEL_KV_CACHE_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "src/model/rotary.h"
#include "toolformer/model.h"

namespace toolformer {

// keys and values [layers, capacity, kv_heads, head_dim], of any strides whose last is one.
struct CacheSegment {
  at::Tensor keys, values;
};

// Shape and place of the tensors of a cache.
struct CacheLayout {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  at::TensorOptions options;
  const void* model = nullptr;  // whose caches these are
  bool keep_ids = false;        // for models that must read a sequence again when it grows long
  // Memory for tails of at least so many tokens, from any thread; undefined tensors where it has none, and libtorch
  // gives it instead. Empty: always libtorch.
  std::function<CacheSegment(int64_t tokens)> allocate;
};

// The first `length` tokens of a segment.
struct SegmentView {
  std::shared_ptr<const CacheSegment> segment;
  int64_t length = 0;
};

class SegmentedCache : public KvCache {
 public:
  explicit SegmentedCache(const CacheLayout& layout) : layout_(layout) {}

  int64_t length() const override { return shared_length_ + tail_length_; }
  absl::Status Truncate(int64_t length) override;
  std::unique_ptr<KvCache> Fork() override;

  const void* model() const { return layout_.model; }
  const std::vector<SegmentView>& shared() const { return shared_; }
  int64_t shared_length() const { return shared_length_; }
  int64_t tail_length() const { return tail_length_; }

  // Makes room for `count` more tokens in the tail. Throws c10::Error without memory; the content stays as it was.
  void Reserve(int64_t count);
  // As Reserve, in new memory: a tail of more than a few tokens becomes a shared segment.
  void Rehouse(int64_t count);
  const CacheSegment& tail() const { return tail_; }
  // Keys and values of one layer's tail, [capacity, kv_heads, head_dim].
  at::Tensor tail_keys(int64_t layer) const { return tail_.keys.select(0, layer); }
  at::Tensor tail_values(int64_t layer) const { return tail_.values.select(0, layer); }
  // Counts the tokens `ids`, written behind the tail, as part of it.
  void Commit(std::span<const int32_t> ids);

  // Where the layout keeps ids: those of all tokens, and the kind of sequence that their keys were made for.
  const std::vector<int32_t>& ids() const { return ids_; }
  LengthKind length_kind() const { return length_kind_; }
  void set_length_kind(LengthKind kind) { length_kind_ = kind; }

 private:
  void ShareTail();
  CacheSegment CopyOfTail(int64_t capacity) const;

  CacheLayout layout_;
  std::vector<SegmentView> shared_;
  int64_t shared_length_ = 0;
  CacheSegment tail_;  // undefined tensors while empty
  int64_t tail_length_ = 0;
  std::vector<int32_t> ids_;
  LengthKind length_kind_ = LengthKind::kShort;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_KV_CACHE_H_
