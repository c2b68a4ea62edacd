// Elementwise work of the forward pass. Each has a plain CPU float32 loop, where libtorch is slow, and a composition of
// libtorch operators for every other device and type.
#ifndef TOOLFORMER_SRC_MODEL_KERNELS_H_
#define TOOLFORMER_SRC_MODEL_KERNELS_H_

#include <ATen/core/Tensor.h>

#include <span>

#include "src/model/spec.h"
#include "src/model/weights.h"

namespace toolformer {

// x [..., n] -> same shape and type; statistics in float32.
at::Tensor Normalize(const at::Tensor& x, const Norm& norm, NormKind kind, double epsilon);

// cos and sin [tokens, dims / 2] f32 of the angles of a batch's tokens.
struct RotaryAngles {
  at::Tensor cosines, sines;
};
RotaryAngles MakeRotaryAngles(const RotarySpec& spec, std::span<const TokenPlace> places, const at::Device& device);

// Rotates x [tokens, heads, head_dim] in place: the pairs (j, j + dims / 2) of each token by its angle j. `x` may be a
// strided view whose last two dimensions are dense.
void Rotate(const at::Tensor& x, const RotaryAngles& angles);

// activation(gate) * up for x = [gate, up] [rows, 2n]; activation(x) where not gated.
at::Tensor Activate(const at::Tensor& x, Activation activation, bool gated);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_KERNELS_H_
