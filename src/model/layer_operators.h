// What the layers of a transformer are made of, attention apart. Inference and training each have their own.
#ifndef TOOLFORMER_SRC_MODEL_LAYER_OPERATORS_H_
#define TOOLFORMER_SRC_MODEL_LAYER_OPERATORS_H_

#include <ATen/core/Tensor.h>

#include "src/model/kernels.h"
#include "src/model/spec.h"
#include "src/model/weights.h"

namespace toolformer {

// Shapes and types as in kernels.h. Const calls are concurrent.
class LayerOperators {
 public:
  virtual ~LayerOperators() = default;

  // Rows `ids` [tokens] int64 of a table [n, width] -> [tokens, width].
  virtual at::Tensor Lookup(const at::Tensor& table, const at::Tensor& ids) const = 0;
  // x [rows, in] -> [rows, out].
  virtual at::Tensor Apply(const Linear& linear, const at::Tensor& x) const = 0;
  virtual at::Tensor Normalize(const at::Tensor& x, const Norm& norm, NormKind kind, double epsilon) const = 0;
  // x is not used afterwards: it may be rotated in place.
  virtual at::Tensor Rotate(const at::Tensor& x, const RotaryAngles& angles) const = 0;
  virtual at::Tensor Activate(const at::Tensor& x, Activation activation, bool gated) const = 0;
};

// For inference: nothing is remembered.
const LayerOperators& PlainOperators();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_LAYER_OPERATORS_H_
