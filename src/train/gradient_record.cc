#include "src/train/gradient_record.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <memory>
#include <utility>

namespace toolformer {
namespace {

using torch::autograd::variable_list;

class Step : public torch::autograd::Node {
 public:
  Step(Backward backward, torch::autograd::edge_list edges)
      : torch::autograd::Node(std::move(edges)), backward_(std::move(backward)) {}

  variable_list apply(variable_list&& gradients) override {
    variable_list handed_on(num_outputs());
    if (!gradients[0].defined()) return handed_on;
    TORCH_CHECK(backward_ != nullptr, "what was recorded has been used up");
    at::Tensor gradient = backward_(gradients[0]);
    if (!handed_on.empty()) handed_on[0] = std::move(gradient);
    return handed_on;
  }
  void release_variables() override { backward_ = nullptr; }

 private:
  Backward backward_;
};

}  // namespace

bool RecordsGradients() { return at::GradMode::is_enabled(); }

at::Tensor Differentiable(const at::Tensor& input, const std::function<at::Tensor()>& forward, Backward backward) {
  at::Tensor value;
  {
    const at::NoGradGuard unrecorded;
    value = forward();
  }
  if (!RecordsGradients()) return value;
  torch::autograd::edge_list edges;
  if (input.defined()) edges = torch::autograd::collect_next_edges(input);
  torch::autograd::set_history(value, std::make_shared<Step>(std::move(backward), std::move(edges)));
  return value;
}

at::Tensor GradientOf(const at::Tensor& leaf) {
  if (!leaf.requires_grad()) return {};
  at::Tensor& gradient = leaf.mutable_grad();
  if (!gradient.defined()) gradient = at::zeros(leaf.sizes(), leaf.options().dtype(at::kFloat).requires_grad(false));
  return gradient;
}

void RunBackward(const at::Tensor& root, const at::Tensor& gradient) {
  torch::autograd::backward({root}, gradient.defined() ? variable_list{gradient} : variable_list{});
}

at::Tensor BackwardThrough(const std::function<at::Tensor(const at::Tensor&)>& function, const at::Tensor& input,
                           const at::Tensor& gradient) {
  const at::AutoGradMode recorded(true);
  const at::Tensor leaf = input.detach().requires_grad_();
  RunBackward(function(leaf), gradient);
  return leaf.grad();
}

}  // namespace toolformer
