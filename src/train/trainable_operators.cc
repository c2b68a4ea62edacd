#include "src/train/trainable_operators.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/threshold_backward.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/model/cpu/parallel.h"
#include "src/train/gradient_record.h"
#include "src/train/products.h"

namespace toolformer {
namespace {

// Rows of a task.
constexpr int64_t kRowsATask = 16;

// Gradients of RMSNorm over rows of n: x and gradient [rows][n]; adds to weight_gradient [n] where there is one.
struct RmsRows {
  const float* x;
  const float* weight;
  const float* gradient;
  float* x_gradient;
  int64_t n;
  float epsilon;

  void Run(int64_t first, int64_t last, float* weight_gradient) const {
    for (int64_t r = first; r < last; ++r) {
      const float* in = x + r * n;
      const float* g = gradient + r * n;
      float* out = x_gradient + r * n;
      float squares = 0.0f, along = 0.0f;
#pragma omp simd reduction(+ : squares, along)
      for (int64_t i = 0; i < n; ++i) {
        squares += in[i] * in[i];
        along += g[i] * weight[i] * in[i];
      }
      const float scale = 1.0f / std::sqrt(squares / static_cast<float>(n) + epsilon);
      const float pull = scale * scale * scale * along / static_cast<float>(n);
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) out[i] = scale * g[i] * weight[i] - pull * in[i];
      if (weight_gradient == nullptr) continue;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) weight_gradient[i] += g[i] * in[i] * scale;
    }
  }
};

at::Tensor RmsNormBackward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& gradient) {
  const at::Tensor dense = gradient.contiguous();
  at::Tensor out = at::empty_like(x);
  const int64_t n = weight.numel(), rows = x.numel() / n;
  const RmsRows work{x.const_data_ptr<float>(),
                     weight.const_data_ptr<float>(),
                     dense.const_data_ptr<float>(),
                     out.data_ptr<float>(),
                     n,
                     static_cast<float>(epsilon)};
  const at::Tensor weight_gradient = GradientOf(weight);
  // A sum for each task, added up in their order: the same however many threads there are.
  const int64_t tasks = (rows + kRowsATask - 1) / kRowsATask;
  const at::Tensor sums = weight_gradient.defined() ? at::zeros({tasks, n}, at::kFloat) : at::zeros({0, n}, at::kFloat);
  ForRanges(tasks, 1, [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) {
      work.Run(t * kRowsATask, std::min(rows, (t + 1) * kRowsATask),
               weight_gradient.defined() ? sums.data_ptr<float>() + t * n : nullptr);
    }
  });
  if (weight_gradient.defined()) weight_gradient.add_(sums.sum(0));
  return out;
}

at::Tensor Activated(const at::Tensor& gate, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(gate);
    case Activation::kGeluTanh:
      return at::gelu(gate, "tanh");
    case Activation::kGelu:
      return at::gelu(gate);
    case Activation::kRelu:
      return at::relu(gate);
  }
  return gate;
}

at::Tensor ActivatedBackward(const at::Tensor& gradient, const at::Tensor& gate, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu_backward(gradient, gate);
    case Activation::kGeluTanh:
      return at::gelu_backward(gradient, gate, "tanh");
    case Activation::kGelu:
      return at::gelu_backward(gradient, gate);
    case Activation::kRelu:
      return at::threshold_backward(gradient, gate, 0);
  }
  return gradient;
}

// What a linear map remembers. The parts that adapt its rows are computed together: x is read once for all of them.
struct LinearRecord {
  Linear linear;
  std::vector<LowRank> parts;
  at::Tensor x;
  at::Tensor down;  // [sum of the parts' ranks, columns of x]: theirs, one below the other
  at::Tensor low;   // x down^T, each part's columns times its scale
};

at::Tensor JoinedDown(const std::vector<LowRank>& parts) {
  if (parts.size() == 1) return parts[0].down;
  std::vector<at::Tensor> downs;
  downs.reserve(parts.size());
  for (const LowRank& part : parts) downs.push_back(part.down);
  return at::cat(downs);
}

at::Tensor LinearForward(LinearRecord* record) {
  at::Tensor y = TimesTranspose(record->x, record->linear.weight, record->linear.bias);
  if (record->parts.empty()) return y;
  record->down = JoinedDown(record->parts);
  record->low = TimesTranspose(record->x, record->down, {});
  int64_t column = 0;
  for (const LowRank& part : record->parts) {
    const int64_t rank = part.down.size(0);
    const at::Tensor low = record->low.narrow(1, column, rank).mul_(part.scale);
    AddProduct(low, part.up.t(), y.narrow(1, part.first, part.up.size(0)));
    column += rank;
  }
  return y;
}

at::Tensor LinearBackward(const LinearRecord& record, const at::Tensor& gradient, const bool& wants_input) {
  const at::Tensor g = gradient.contiguous();
  if (const at::Tensor to = GradientOf(record.linear.weight); to.defined()) AddProduct(g.t(), record.x, to);
  if (record.linear.bias.defined()) {
    if (const at::Tensor to = GradientOf(record.linear.bias); to.defined()) to.add_(g.sum(0));
  }
  at::Tensor x_gradient;
  if (wants_input) x_gradient = Times(g, record.linear.weight);
  if (record.parts.empty()) return x_gradient;
  const at::Tensor low_gradient = at::empty_like(record.low);
  int64_t column = 0;
  for (const LowRank& part : record.parts) {
    const int64_t rank = part.down.size(0);
    const at::Tensor of_part = g.narrow(1, part.first, part.up.size(0));
    AddProduct(of_part.t(), record.low.narrow(1, column, rank), GradientOf(part.up));
    const at::Tensor to = low_gradient.narrow(1, column, rank);
    ProductInto(of_part, part.up, to);
    to.mul_(part.scale);
    column += rank;
  }
  const at::Tensor down_gradient = Times(low_gradient.t(), record.x);
  column = 0;
  for (const LowRank& part : record.parts) {
    const int64_t rank = part.down.size(0);
    GradientOf(part.down).add_(down_gradient.narrow(0, column, rank));
    column += rank;
  }
  if (wants_input) AddProduct(low_gradient, record.down, x_gradient);
  return x_gradient;
}

}  // namespace

at::Tensor TrainableOperators::Lookup(const at::Tensor& table, const at::Tensor& ids) const {
  if (!table.requires_grad()) return at::embedding(table, ids);
  return Differentiable(
      {}, [&] { return at::embedding(table, ids); },
      [table, ids](const at::Tensor& gradient) -> at::Tensor {
        const at::Tensor to = GradientOf(table);
        if (to.defined()) to.index_add_(0, ids, gradient.to(at::kFloat));
        return {};
      });
}

at::Tensor TrainableOperators::Apply(const Linear& linear, const at::Tensor& x) const {
  const auto record = std::make_shared<LinearRecord>();
  record->linear = linear;
  record->x = x.contiguous();
  const auto found = adapters_.find(linear.weight.unsafeGetTensorImpl());
  if (found != adapters_.end()) record->parts = found->second;
  return Differentiable(
      x, [&] { return LinearForward(record.get()); },
      [record, wants_input = x.requires_grad()](const at::Tensor& gradient) {
        return LinearBackward(*record, gradient, wants_input);
      });
}

at::Tensor TrainableOperators::Normalize(const at::Tensor& x, const Norm& norm, NormKind kind, double epsilon) const {
  if (kind == NormKind::kLayer) {
    return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, norm.weight, norm.bias, epsilon).to(x.scalar_type());
  }
  if (!x.device().is_cpu() || x.scalar_type() != at::kFloat) {
    return std::get<0>(at::_fused_rms_norm(x.to(at::kFloat), {x.size(-1)}, norm.weight, epsilon)).to(x.scalar_type());
  }
  const at::Tensor dense = x.contiguous();
  return Differentiable(
      x, [&] { return toolformer::Normalize(dense, norm, kind, epsilon); },
      [dense = dense.detach(), weight = norm.weight, epsilon](const at::Tensor& gradient) {
        return RmsNormBackward(dense, weight, epsilon, gradient);
      });
}

at::Tensor TrainableOperators::Rotate(const at::Tensor& x, const RotaryAngles& angles) const {
  const auto rotated = [](const at::Tensor& from, const RotaryAngles& by) {
    at::Tensor to = from.clone(at::MemoryFormat::Contiguous);
    toolformer::Rotate(to, by);
    return to;
  };
  return Differentiable(
      x, [&] { return rotated(x, angles); },
      [rotated, angles](const at::Tensor& gradient) {
        return rotated(gradient, {angles.cosines, angles.sines.neg()});
      });
}

at::Tensor TrainableOperators::Activate(const at::Tensor& x, Activation activation, bool gated) const {
  return Differentiable(
      x, [&] { return toolformer::Activate(x, activation, gated); },
      [x = x.detach(), activation, gated](const at::Tensor& gradient) {
        if (!gated) return ActivatedBackward(gradient, x, activation);
        const int64_t half = x.size(-1) / 2;
        const at::Tensor gate = x.narrow(-1, 0, half), up = x.narrow(-1, half, half);
        at::Tensor x_gradient = at::empty_like(x);
        x_gradient.narrow(-1, 0, half).copy_(ActivatedBackward(gradient * up, gate, activation));
        at::Tensor up_gradient = x_gradient.narrow(-1, half, half);
        at::mul_out(up_gradient, gradient, Activated(gate, activation));
        return x_gradient;
      });
}

}  // namespace toolformer
