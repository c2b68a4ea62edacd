#include "src/model/layer_operators.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include <optional>

namespace toolformer {
namespace {

class PlainLayerOperators : public LayerOperators {
 public:
  at::Tensor Lookup(const at::Tensor& table, const at::Tensor& ids) const override { return at::embedding(table, ids); }
  at::Tensor Apply(const Linear& linear, const at::Tensor& x) const override {
    return at::linear(x, linear.weight, linear.bias.defined() ? std::optional(linear.bias) : std::nullopt);
  }
  at::Tensor Normalize(const at::Tensor& x, const Norm& norm, NormKind kind, double epsilon) const override {
    return toolformer::Normalize(x, norm, kind, epsilon);
  }
  at::Tensor Rotate(const at::Tensor& x, const RotaryAngles& angles) const override {
    toolformer::Rotate(x, angles);
    return x;
  }
  at::Tensor Activate(const at::Tensor& x, Activation activation, bool gated) const override {
    return toolformer::Activate(x, activation, gated);
  }
};

}  // namespace

const LayerOperators& PlainOperators() {
  static const PlainLayerOperators operators;
  return operators;
}

}  // namespace toolformer
