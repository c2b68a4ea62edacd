// The one transformer with weights that learn.
#ifndef TOOLFORMER_SRC_TRAIN_TRAINABLE_TRANSFORMER_H_
#define TOOLFORMER_SRC_TRAIN_TRAINABLE_TRANSFORMER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "src/model/low_rank.h"
#include "src/model/tensor_layers.h"
#include "src/train/adamw.h"
#include "src/train/packed_attention.h"
#include "src/train/token_loss.h"
#include "src/train/trainable_operators.h"
#include "toolformer/fine_tuner.h"
#include "toolformer/training_sequence.h"

namespace toolformer {

// Not safe for concurrent use. Throws what libtorch throws.
class TrainableTransformer {
 public:
  struct Settings {
    at::Device device = at::kCPU;
    at::ScalarType type = at::kFloat;  // kBFloat16: of matrices and activations; what learns is f32 all the same
    // Each layer is computed again on the way back: half as much time again, and what a layer keeps only once.
    bool recompute_layers = false;
    int64_t logits_bytes = 256 << 20;  // TokenLossSettings::chunk_bytes
    // Where given, only adapters of the layers' linear maps learn; else all weights, but for norms that the family has
    // not.
    std::optional<LowRankOptions> low_rank;
    uint64_t seed = 0;  // of the adapters' first values
  };
  // `weights`, f32, become this object's own.
  TrainableTransformer(const Family& family, TransformerSpec spec, TransformerWeights weights,
                       const Settings& settings);

  TrainableTransformer(const TrainableTransformer&) = delete;
  TrainableTransformer& operator=(const TrainableTransformer&) = delete;

  const TransformerSpec& spec() const { return layers_.spec(); }

  // The weights that learn, in an order that depends on the specification only.
  const std::vector<TrainedParameter>& parameters() const { return parameters_; }
  // All weights as they are now, f32, on the CPU; not copied where they are there.
  TransformerWeights Masters() const;
  // As it is now; without parts where all weights learn.
  const LowRankAdapter& adapter() const { return adapter_; }

  // Runs the sequences as one pass and adds `scale` times the gradient of the returned sum to the parameters'.
  // Sum over their tokens of weight * -ln p, in nats.
  double Learn(std::span<const TrainingSequence* const> sequences, double scale);
  // The same sum, without gradients.
  double Evaluate(std::span<const TrainingSequence* const> sequences) const;

 private:
  struct Pass {
    LayerInputs inputs;
    TokenTargets targets;
    PackedAttention attention;
  };
  void CollectWeights();
  void CollectAdapter(const Family& family);
  Pass MakePass(std::span<const TrainingSequence* const> sequences) const;
  // What it records refers to the pass.
  TokenLosses Run(const Pass& pass) const;

  const Settings settings_;
  TrainableOperators operators_;
  TransformerWeights masters_;  // f32, on the device
  const TensorLayers layers_;
  LowRankAdapter adapter_;  // its matrices are the masters
  std::vector<TrainedParameter> parameters_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_TRAINABLE_TRANSFORMER_H_
