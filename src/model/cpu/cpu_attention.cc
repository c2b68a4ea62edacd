#include "src/model/cpu/cpu_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "src/model/cpu/parallel.h"

namespace toolformer {
namespace {

using simd::kKeyBlock;

// Queries of one head of keys that a task takes: enough to make reading the keys cheap.
constexpr int64_t kChunkQueries = 96;
// Tasks a thread, so that none waits long for the last.
constexpr int64_t kTasksAThread = 3;

int64_t ChunkTokens(int64_t tokens, const HeadLayout& layout, int64_t tile_rows) {
  const int64_t groups = layout.heads / layout.kv_heads;
  const int64_t chunks = (kTasksAThread * at::get_num_threads() + layout.kv_heads - 1) / layout.kv_heads;
  const int64_t most = std::max<int64_t>(1, kChunkQueries / groups);
  const int64_t least = std::min(most, (tile_rows + groups - 1) / groups);
  return std::clamp((tokens + chunks - 1) / chunks, least, most);
}

}  // namespace

// The running softmax of a chunk, and room for the kernels.
class CpuAttention::Scratch {
 public:
  Scratch(int64_t rows, const HeadLayout& layout, const simd::Kernels& kernels)
      : kernels_(kernels),
        head_dim_(layout.head_dim),
        width_(simd::PaddedWidth(layout.head_dim)),
        queries_(rows * head_dim_),
        packed_(rows * head_dim_),
        most_(rows),
        sum_(rows),
        values_(rows * width_),
        kernel_scratch_(simd::AttendScratch(head_dim_)),
        begin_(rows),
        end_(rows),
        slopes_(rows) {}

  void Reset() {
    std::fill(most_.begin(), most_.end(), -std::numeric_limits<float>::infinity());
    std::fill(sum_.begin(), sum_.end(), 0.0f);
    std::fill(values_.begin(), values_.end(), 0.0f);
  }
  float* query(int64_t row) { return queries_.data() + row * head_dim_; }
  float* slopes() { return slopes_.data(); }
  int32_t* begin() { return begin_.data(); }
  int32_t* end() { return end_.data(); }

  // Rows [first, first + rows) with their queries packed.
  simd::QueryBlock Block(int64_t first, int64_t rows) {
    const simd::Tiling tiling(rows, kernels_.tile_rows);
    for (int64_t t = 0; t < tiling.tiles; ++t) {
      kernels_.transpose({query(first + tiling.First(t)), head_dim_, tiling.Rows(t), head_dim_},
                         packed_.data() + tiling.First(t) * head_dim_, tiling.Rows(t));
    }
    simd::QueryBlock block;
    block.queries = packed_.data();
    block.rows = rows;
    block.head_dim = head_dim_;
    block.most = most_.data() + first;
    block.sum = sum_.data() + first;
    block.values = values_.data() + first * width_;
    block.scratch = kernel_scratch_.data();
    return block;
  }
  void Finish(int64_t row, float* out) const {
    const float* values = values_.data() + row * width_;
    const float scale = 1.0f / sum_[row];
    for (int64_t i = 0; i < head_dim_; ++i) out[i] = values[i] * scale;
  }

 private:
  const simd::Kernels& kernels_;
  const int64_t head_dim_, width_;
  std::vector<float> queries_, packed_, most_, sum_, values_, kernel_scratch_;
  std::vector<int32_t> begin_, end_;
  std::vector<float> slopes_;
};

CpuAttention::CpuAttention(const TokenBatch& batch, Settings settings) : settings_(std::move(settings)) {
  const int64_t chunk_tokens = ChunkTokens(std::ssize(batch.ids), settings_.layout, settings_.kernels->tile_rows);
  std::map<const CacheSegment*, size_t> known;
  for (const BatchRow& row : batch.rows) {
    // The row's stretches in the order of its sequence, with the keys of each that are its own to see.
    std::vector<std::pair<size_t, int64_t>> sequence;
    int64_t position = 0;
    if (row.cache != nullptr) {
      for (const SegmentView& view : row.cache->shared()) {
        const auto [entry, added] = known.try_emplace(view.segment.get(), stretches_.size());
        if (added) stretches_.push_back({view.segment, nullptr, 0, position});
        sequence.emplace_back(entry->second, view.length);
        position += view.length;
      }
    }
    const int64_t past = row.cache == nullptr ? 0 : row.cache->length();
    sequence.emplace_back(stretches_.size(), past - position + row.tokens);
    stretches_.push_back({nullptr, row.cache, row.first_token, position});

    for (int64_t t = 0; t < row.tokens; ++t) {
      if (chunks_.empty() || chunks_.back().tokens == chunk_tokens) chunks_.push_back({row.first_token + t, 0, {}});
      Chunk& chunk = chunks_.back();
      for (const auto& [stretch, length] : sequence) {
        const int64_t first = stretches_[stretch].first_position, end = past + t + 1 - first;
        const int64_t begin = settings_.window == 0 ? 0 : std::max<int64_t>(0, end - settings_.window);
        See(stretch, {begin, std::min(length, end)}, &chunk);
      }
      ++chunk.tokens;
    }
  }
}

// Lets the chunk's next token see the keys [begin, end) of a stretch.
void CpuAttention::See(size_t stretch, std::pair<int64_t, int64_t> keys, Chunk* chunk) {
  if (keys.first >= keys.second) return;
  auto use = std::find_if(chunk->uses.begin(), chunk->uses.end(), [&](const Use& u) { return u.stretch == stretch; });
  if (use == chunk->uses.end()) use = chunk->uses.insert(use, {stretch, chunk->tokens, {}});
  // Tokens between those that see it do not.
  use->keys.resize(chunk->tokens - use->first_token);
  use->keys.push_back(keys);
}

CpuAttention::Pointers CpuAttention::Locate(const Stretch& stretch, int64_t layer, const float* projected,
                                            int64_t kv_head) const {
  const HeadLayout& layout = settings_.layout;
  const int64_t head = kv_head * layout.head_dim;
  if (stretch.segment == nullptr && stretch.tail == nullptr) {
    const float* first = projected + stretch.first_token * layout.stride() + layout.heads * layout.head_dim + head;
    return {first, first + layout.kv_heads * layout.head_dim, layout.stride()};
  }
  const CacheSegment& segment = stretch.segment != nullptr ? *stretch.segment : stretch.tail->tail();
  const int64_t offset = layer * segment.keys.stride(0) + head;
  return {segment.keys.const_data_ptr<float>() + offset, segment.values.const_data_ptr<float>() + offset,
          segment.keys.stride(1)};
}

void CpuAttention::RunChunk(const Chunk& chunk, const Task& task, Scratch* scratch) const {
  const HeadLayout& layout = settings_.layout;
  const int64_t groups = layout.heads / layout.kv_heads;
  scratch->Reset();
  for (int64_t row = 0; row < chunk.tokens * groups; ++row) {
    const int64_t head = task.kv_head * groups + row % groups;
    const float* query = task.projected + (chunk.first_token + row / groups) * layout.stride() + head * layout.head_dim;
    std::copy_n(query, layout.head_dim, scratch->query(row));
    if (!settings_.scores.slopes.empty()) scratch->slopes()[row] = settings_.scores.slopes[head];
  }
  for (const Use& use : chunk.uses) {
    const Stretch& stretch = stretches_[use.stretch];
    const Pointers at = Locate(stretch, task.layer, task.projected, task.kv_head);
    const int64_t first_row = use.first_token * groups, rows = std::ssize(use.keys) * groups;
    const simd::QueryBlock queries = scratch->Block(first_row, rows);
    simd::ScoreRule rule;
    rule.scale = static_cast<float>(settings_.scores.scale);
    rule.soft_cap = static_cast<float>(settings_.scores.soft_cap);
    if (!settings_.scores.slopes.empty()) rule.slopes = scratch->slopes() + first_row;
    int64_t begin = std::numeric_limits<int64_t>::max(), end = 0;
    for (const auto& [from, to] : use.keys) {
      if (from < to) begin = std::min(begin, from);
      end = std::max(end, to);
    }
    // Blocks start at multiples of their size, whoever looks: a row's sums do not depend on the others.
    for (int64_t first = begin / kKeyBlock * kKeyBlock; first < end; first += kKeyBlock) {
      simd::KeyBlock keys;
      keys.keys = at.keys + first * at.stride;
      keys.values = at.values + first * at.stride;
      keys.stride = at.stride;
      keys.keys_count = std::min(kKeyBlock, end - first);
      keys.first_position = stretch.first_position + first;
      keys.visible_begin = scratch->begin();
      keys.visible_end = scratch->end();
      for (int64_t row = 0; row < rows; ++row) {
        const auto& [from, to] = use.keys[row / groups];
        scratch->begin()[row] = static_cast<int32_t>(std::clamp<int64_t>(from - first, 0, keys.keys_count));
        scratch->end()[row] = static_cast<int32_t>(std::clamp<int64_t>(to - first, 0, keys.keys_count));
      }
      settings_.kernels->attend(queries, keys, rule);
    }
  }
  for (int64_t row = 0; row < chunk.tokens * groups; ++row) {
    const int64_t head = task.kv_head * groups + row % groups;
    scratch->Finish(row, task.out + ((chunk.first_token + row / groups) * layout.heads + head) * layout.head_dim);
  }
}

void CpuAttention::Run(int64_t layer, const float* projected, float* out) const {
  const HeadLayout& layout = settings_.layout;
  int64_t most_tokens = 0;
  for (const Chunk& chunk : chunks_) most_tokens = std::max(most_tokens, chunk.tokens);
  const int64_t groups = layout.heads / layout.kv_heads;
  ForRanges(std::ssize(chunks_) * layout.kv_heads, 1, [&](int64_t first, int64_t last) {
    Scratch scratch(most_tokens * groups, layout, *settings_.kernels);
    for (int64_t i = first; i < last; ++i) {
      RunChunk(chunks_[i / layout.kv_heads], {layer, i % layout.kv_heads, projected, out}, &scratch);
    }
  });
}

}  // namespace toolformer
