#include "src/train/adamw.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <optional>

namespace toolformer {
namespace {

at::TensorOptions FloatOn(const at::Tensor& parameter) {
  return at::TensorOptions(parameter.device()).dtype(at::kFloat).requires_grad(false);
}

}  // namespace

AdamW::AdamW(const std::vector<TrainedParameter>& parameters, const AdamWSettings& settings)
    : settings_(settings), groups_(2) {
  groups_[0].weight_decay = settings.weight_decay;
  for (const TrainedParameter& parameter : parameters) {
    Group& group = groups_[parameter.leaf.dim() > 1 ? 0 : 1];
    const at::TensorOptions options = FloatOn(parameter.leaf);
    group.leaves.push_back(parameter.leaf);
    group.masters.push_back(parameter.master);
    group.first_moments.push_back(at::zeros(parameter.leaf.sizes(), options));
    group.second_moments.push_back(at::zeros(parameter.leaf.sizes(), options));
    group.steps.push_back(at::zeros({}, options));
  }
}

double AdamW::GradientNorm() const {
  std::vector<at::Tensor> norms;
  for (const Group& group : groups_) {
    for (const at::Tensor& leaf : group.leaves) {
      if (leaf.grad().defined()) norms.push_back(at::linalg_vector_norm(leaf.grad()));
    }
  }
  if (norms.empty()) return 0.0;
  return at::linalg_vector_norm(at::stack(norms).to(at::kDouble)).item<double>();
}

void AdamW::Step(double learning_rate, double gradient_factor) {
  const at::NoGradGuard unrecorded;
  for (const Group& group : groups_) {
    std::vector<at::Tensor> masters, gradients, first, second, steps;
    for (size_t i = 0; i < group.leaves.size(); ++i) {
      const at::Tensor& gradient = group.leaves[i].grad();
      if (!gradient.defined()) continue;
      masters.push_back(group.masters[i]);
      gradients.push_back(gradient);
      first.push_back(group.first_moments[i]);
      second.push_back(group.second_moments[i]);
      steps.push_back(group.steps[i]);
      steps.back().add_(1);
    }
    if (masters.empty()) continue;
    // The kernel divides gradients by this as it reads them.
    std::optional<at::Tensor> divisor;
    if (gradient_factor != 1.0) divisor = at::full({}, 1.0 / gradient_factor, FloatOn(masters[0]));
    at::_fused_adamw_(masters, gradients, first, second, {}, steps, learning_rate, settings_.beta1, settings_.beta2,
                      group.weight_decay, settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false, divisor);
  }
  CopyMasters();
}

void AdamW::CopyMasters() {
  const at::NoGradGuard unrecorded;
  for (const Group& group : groups_) {
    for (size_t i = 0; i < group.leaves.size(); ++i) {
      if (group.leaves[i].scalar_type() != at::kFloat) group.leaves[i].copy_(group.masters[i]);
    }
  }
}

void AdamW::ClearGradients() {
  for (const Group& group : groups_) {
    for (const at::Tensor& leaf : group.leaves) {
      if (leaf.grad().defined()) leaf.mutable_grad().zero_();
    }
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::State() const {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    for (size_t i = 0; i < group.leaves.size(); ++i) {
      const std::string name = fmt::format("{}.{}", g == 0 ? "matrix" : "vector", i);
      state.emplace_back(name + ".value", group.masters[i]);
      state.emplace_back(name + ".first_moment", group.first_moments[i]);
      state.emplace_back(name + ".second_moment", group.second_moments[i]);
      state.emplace_back(name + ".steps", group.steps[i]);
    }
  }
  return state;
}

}  // namespace toolformer
