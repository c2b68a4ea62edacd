#include "src/model/transformer.h"

#include <utility>

namespace toolformer {

Transformer::Transformer(TransformerSpec spec, std::unique_ptr<Runner> runner)
    : spec_(std::move(spec)),
      runner_(std::move(runner)),
      cache_layout_{spec_.layers,
                    spec_.kv_heads,
                    spec_.head_dim,
                    runner_->cache_options(),
                    runner_.get(),
                    !spec_.rotary.empty() && spec_.rotary.front().changes_with_length(),
                    runner_->cache_allocator()} {}

TokenBatch Transformer::Pack(std::span<const ForwardRow> rows, int64_t length) {
  TokenBatch batch;
  for (const ForwardRow& row : rows) {
    auto* cache = static_cast<SegmentedCache*>(row.cache);
    const auto first = static_cast<int64_t>(batch.ids.size());
    const int64_t past = cache == nullptr ? 0 : cache->length();
    const auto tokens = static_cast<int64_t>(row.ids.size());
    for (int64_t i = 0; i < tokens; ++i) {
      batch.ids.push_back(row.ids[i]);
      batch.places.push_back({past + i, length > 0 ? length : past + tokens});
    }
    for (const int64_t index : row.wanted) batch.wanted.push_back(first + index);
    if (cache != nullptr) cache->Reserve(tokens);
    batch.rows.push_back({first, tokens, cache});
  }
  return batch;
}

void Transformer::MatchLengthKind(std::span<const ForwardRow> rows) const {
  for (const ForwardRow& row : rows) {
    auto* cache = static_cast<SegmentedCache*>(row.cache);
    if (cache == nullptr) continue;
    const int64_t length = cache->length() + static_cast<int64_t>(row.ids.size());
    const LengthKind kind = spec_.rotary.front().KindOf(length);
    if (cache->length_kind() != kind && cache->length() > 0) {
      SegmentedCache again(cache_layout_);
      const ForwardRow all{cache->ids(), &again, {}};
      Run({&all, 1}, Pack({&all, 1}, length), {});
      *cache = std::move(again);
    }
    cache->set_length_kind(kind);
  }
}

at::Tensor Transformer::Run(std::span<const ForwardRow> rows, const TokenBatch& batch,
                            std::span<const int32_t> vocabulary) const {
  at::Tensor logits = runner_->Run(batch, vocabulary);
  for (size_t r = 0; r < rows.size(); ++r) {
    if (batch.rows[r].cache != nullptr) batch.rows[r].cache->Commit(rows[r].ids);
  }
  return logits;
}

at::Tensor Transformer::Forward(std::span<const ForwardRow> rows, std::span<const int32_t> vocabulary) const {
  if (cache_layout_.keep_ids) MatchLengthKind(rows);
  return Run(rows, Pack(rows, 0), vocabulary);
}

}  // namespace toolformer
