// Steps of one token a row in tensors whose shapes and addresses do not change, so that a step can be recorded once and
// replayed: on a GPU, launching a small kernel costs more than running it.
//
// The rows of a step stand in groups that share a prefix, [groups, rows of a group]; groups, rows, prefix length and
// tail length are rounded up to powers of two, and each such bucket is recorded once. What differs between two steps of
// a bucket, a few numbers a row, is uploaded; masks are made from it on the device. A row attends to its group's copy
// of the shared segments, read once for all rows of the group (Hydragen; Juravsky et al., 2024), and to its own tail,
// under one softmax. Rows that join or leave change nothing but those numbers.
#ifndef TOOLFORMER_SRC_MODEL_STATIC_DECODE_H_
#define TOOLFORMER_SRC_MODEL_STATIC_DECODE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "src/model/static_decode_memory.h"
#include "src/model/step_graph.h"
#include "src/model/tensor_layers.h"
#include "src/model/token_batch.h"

namespace toolformer {

struct StaticDecodeSettings {
  CaptureStep capture = RunAgain;
  int64_t slots = 512;              // tails at a time, one of them nobody's
  int64_t slot_tokens = 128;        // of a tail; a power of two, at least 32. Longer ones become shared segments
  int64_t prefix_tokens = 1 << 16;  // copies of shared segments
  int64_t rows = 512;               // of a step, the ones that fill it up included; a power of two
  size_t graphs = 64;               // buckets kept, those that were used last

  // With as many slots and prefix tokens, at most those above, as fit into `bytes`; nullopt: too few.
  static std::optional<StaticDecodeSettings> Within(int64_t bytes, const TransformerSpec& spec, int64_t bytes_a_value);
};

// Those for a model with these weights, which are not on the device yet: recorded by the CUDA library, in a quarter of
// the memory that the weights leave. nullopt where steps cannot be recorded: the CPU, or no such library.
std::optional<StaticDecodeSettings> StaticDecodeOn(const at::Device& device, const TransformerSpec& spec,
                                                   TransformerWeights* weights);

// Safe from several threads; one step runs at a time.
class StaticDecoder {
 public:
  // Not where rotary angles depend on the length of the sequence.
  static bool Serves(const TransformerSpec& spec);

  // `layers` must outlive it.
  StaticDecoder(const TensorLayers& layers, const StaticDecodeSettings& settings);

  // CacheLayout::allocate of the caches.
  std::function<CacheSegment(int64_t tokens)> cache_allocator() const;

  // As Runner::Run. nullopt, with nothing written: not a step of one token a row, or it does not fit.
  std::optional<at::Tensor> Run(const TokenBatch& batch, std::span<const int32_t> vocabulary);

 private:
  struct Bucket {
    int64_t groups, rows, wanted;  // rows of a group
    int64_t prefix, tail;          // keys
    // The zero that clang-tidy sees is the compiler's. NOLINTNEXTLINE(modernize-use-nullptr)
    auto operator<=>(const Bucket&) const = default;
  };
  struct Recorded {
    std::unique_ptr<StepGraph> graph;
    uint64_t used = 0;
  };
  // The numbers of a step, on the device: views of inputs_.
  struct Numbers;
  // What all layers share: of each layer kind, what is added to the scores.
  struct Scores;

  bool HouseTails(const TokenBatch& batch) const;
  std::optional<Bucket> Arrange(const TokenBatch& batch, std::vector<int64_t>* places);
  void UploadNumbers(const TokenBatch& batch, const Bucket& bucket, std::span<const int64_t> places);
  Numbers NumbersOf(const Bucket& bucket) const;
  void Step(const Bucket& bucket);
  at::Tensor MaskOf(int64_t window, const Numbers& numbers, const at::Tensor& key_positions,
                    const at::Tensor& present) const;
  at::Tensor Attend(int64_t layer, const at::Tensor& query, const Numbers& numbers, const Scores& scores) const;
  void Replay(const Bucket& bucket);

  const TensorLayers& layers_;
  const StaticDecodeSettings settings_;
  const std::shared_ptr<TailArena> tails_;
  at::Tensor slopes_;  // of ALiBi, [heads] f32; undefined: none

  mutable std::mutex mutex_;
  bool works_ = true;
  PrefixArena prefixes_;
  uint64_t generation_ = 0;
  at::Tensor inputs_, output_;  // [kinds of numbers * rows] int64, [rows, hidden]
  std::map<Bucket, Recorded> recorded_;
  uint64_t now_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_STATIC_DECODE_H_
