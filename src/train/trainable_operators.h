// The operators of the layers with their way back.
#ifndef TOOLFORMER_SRC_TRAIN_TRAINABLE_OPERATORS_H_
#define TOOLFORMER_SRC_TRAIN_TRAINABLE_OPERATORS_H_

#include <unordered_map>
#include <vector>

#include "src/model/layer_operators.h"

namespace toolformer {

// y += scale (x down^T) up^T, added to the outputs `first` to `first + up.size(0)` of a linear map (Hu et al., 2021:
// LoRA; down is its A, up its B).
struct LowRank {
  at::Tensor down;  // [rank, in]
  at::Tensor up;    // [part of out, rank]
  int64_t first = 0;
  double scale = 1.0;
};

// Gradients of weights are added to the weights' own, so that no second copy of them is ever made.
class TrainableOperators : public LayerOperators {
 public:
  // Low-rank maps of a weight; `weight` is the tensor that the layers hold.
  void Adapt(const at::Tensor& weight, const LowRank& part) { adapters_[weight.unsafeGetTensorImpl()].push_back(part); }

  at::Tensor Lookup(const at::Tensor& table, const at::Tensor& ids) const override;
  at::Tensor Apply(const Linear& linear, const at::Tensor& x) const override;
  at::Tensor Normalize(const at::Tensor& x, const Norm& norm, NormKind kind, double epsilon) const override;
  at::Tensor Rotate(const at::Tensor& x, const RotaryAngles& angles) const override;
  at::Tensor Activate(const at::Tensor& x, Activation activation, bool gated) const override;

 private:
  std::unordered_map<const c10::TensorImpl*, std::vector<LowRank>> adapters_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_TRAINABLE_OPERATORS_H_
