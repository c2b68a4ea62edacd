// The layers of a transformer as libtorch's operators, without what keeps keys and values and attends to them.
#ifndef TOOLFORMER_SRC_MODEL_TENSOR_LAYERS_H_
#define TOOLFORMER_SRC_MODEL_TENSOR_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "src/model/kernels.h"
#include "src/model/layer_operators.h"
#include "src/model/spec.h"
#include "src/model/weights.h"

namespace toolformer {

// What all layers need of a batch, on the model's device.
struct LayerInputs {
  at::Tensor ids;                    // [tokens] int64
  at::Tensor positions;              // [tokens] int64, rows of the learned position table
  at::Tensor wanted;                 // [wanted tokens] int64
  std::vector<RotaryAngles> angles;  // of each rotary table
};

class TensorLayers {
 public:
  // Query [tokens, heads, head_dim], key and value [tokens, kv_heads, head_dim] of a layer -> [tokens, heads head_dim].
  // Keeps the keys and values.
  using Attend =
      std::function<at::Tensor(int64_t layer, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value)>;

  // Weights that are not on the device are copied to it. `operators` must outlive the layers.
  TensorLayers(TransformerSpec spec, TransformerWeights weights, const at::Device& device,
               const LayerOperators& operators = PlainOperators());

  const TransformerSpec& spec() const { return spec_; }
  const TransformerWeights& weights() const { return weights_; }
  const at::Device& device() const { return device_; }

  // What the last layer leaves of the wanted tokens, [wanted, hidden]: Embed, then RunLayer with each layer.
  at::Tensor Run(const LayerInputs& inputs, const Attend& attend) const;
  // [tokens, hidden].
  at::Tensor Embed(const LayerInputs& inputs) const;
  // x [tokens, hidden] -> the same; of the last layer [wanted, hidden].
  at::Tensor RunLayer(int64_t layer, const at::Tensor& x, const LayerInputs& inputs, const Attend& attend) const;

  // What the output weights are multiplied with, [wanted, embedding width].
  at::Tensor Finish(const at::Tensor& x) const;
  // Logits of what Run returned, as Runner::Run returns them. The only place that waits for the device.
  at::Tensor Project(const at::Tensor& x, std::span<const int32_t> vocabulary) const;

  // Of tokens at `positions` [tokens] int64 on the device, without work of the host. For tables whose angles do not
  // depend on the length of the sequence.
  RotaryAngles AnglesAt(size_t table, const at::Tensor& positions) const;

 private:
  at::Tensor RunAttention(int64_t layer, const at::Tensor& x, const LayerInputs& inputs, const Attend& attend) const;

  const TransformerSpec spec_;
  TransformerWeights weights_;
  const at::Device device_;
  const LayerOperators& operators_;
  std::vector<at::Tensor> frequencies_;  // of each rotary table, [dims / 2] f32; undefined where they depend on lengths
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_TENSOR_LAYERS_H_
