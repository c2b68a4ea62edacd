// Attention of a batch on the CPU in float32, over caches that share segments. Keys are taken in blocks, and a query's
// softmax goes on from block to block, so a segment that many rows share is read once for all of them and the parts of
// a row need no merging.
#ifndef TOOLFORMER_SRC_MODEL_CPU_CPU_ATTENTION_H_
#define TOOLFORMER_SRC_MODEL_CPU_CPU_ATTENTION_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "src/model/attention_kernels.h"
#include "src/model/cpu/simd.h"
#include "src/model/token_batch.h"

namespace toolformer {

// Queries, keys and values of a batch as one layer's projection gives them: [tokens][heads + 2 kv_heads][head_dim].
struct HeadLayout {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  int64_t stride() const { return (heads + 2 * kv_heads) * head_dim; }
};

// What one layer window of one batch needs; the same for all layers with that window.
class CpuAttention {
 public:
  struct Settings {
    const simd::Kernels* kernels = nullptr;
    HeadLayout layout;
    int64_t window = 0;  // as in LayerSpec
    ScoreSettings scores;
  };
  CpuAttention(const TokenBatch& batch, Settings settings);

  // out [tokens][heads * head_dim]. Keys and values of rows with a cache must already stand behind its tail.
  void Run(int64_t layer, const float* projected, float* out) const;

 private:
  // Keys that follow each other in memory: a shared segment, a row's tail, or a row's own in the batch.
  struct Stretch {
    std::shared_ptr<const CacheSegment> segment;
    const SegmentedCache* tail = nullptr;
    int64_t first_token = 0;  // of the batch, where it has neither
    int64_t first_position = 0;
  };
  // The keys of a stretch that some neighbouring tokens of a chunk see.
  struct Use {
    size_t stretch = 0;
    int64_t first_token = 0;                        // of the chunk
    std::vector<std::pair<int64_t, int64_t>> keys;  // [begin, end) of each of the tokens
  };
  // Neighbouring tokens of the batch, whose stretches are read once for all of them.
  struct Chunk {
    int64_t first_token = 0, tokens = 0;
    std::vector<Use> uses;  // every token's in the order of its sequence
  };
  struct Pointers {
    const float *keys, *values;
    int64_t stride;
  };
  struct Task {
    int64_t layer, kv_head;
    const float* projected;
    float* out;
  };
  class Scratch;

  static void See(size_t stretch, std::pair<int64_t, int64_t> keys, Chunk* chunk);
  Pointers Locate(const Stretch& stretch, int64_t layer, const float* projected, int64_t kv_head) const;
  void RunChunk(const Chunk& chunk, const Task& task, Scratch* scratch) const;

  Settings settings_;
  std::vector<Stretch> stretches_;
  std::vector<Chunk> chunks_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_CPU_ATTENTION_H_
