#include "src/train/token_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/logsumexp.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "src/model/cpu/parallel.h"
#include "src/model/cpu/simd.h"
#include "src/train/gradient_record.h"
#include "src/train/products.h"

namespace toolformer {
namespace {

// Some rows of the hidden states.
struct Chunk {
  at::Tensor hidden, ids, weights, nats;
};

// nats from logits [rows, vocab] f32; where `gradients` the logits become the gradient of the weighted sum by them.
void FinishRowsOnCpu(const Chunk& chunk, const at::Tensor& logits, const bool& gradients) {
  const simd::Kernels& kernels = simd::Best();
  const int64_t vocab = logits.size(1);
  float* const values = logits.data_ptr<float>();
  const int64_t* const ids = chunk.ids.const_data_ptr<int64_t>();
  const float* const weights = chunk.weights.const_data_ptr<float>();
  float* const nats = chunk.nats.data_ptr<float>();
  ForRanges(logits.size(0), 1, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      float* const row = values + r * vocab;
      const float most = kernels.most(row, vocab);
      const double log_sum = most + std::log(kernels.sum_exp(row, vocab, most, 1.0f));
      nats[r] = static_cast<float>(log_sum - row[ids[r]]);
      if (!gradients) continue;
      kernels.scale_exp(row, vocab, static_cast<float>(log_sum), weights[r]);
      row[ids[r]] -= weights[r];
    }
  });
}

void FinishRows(const Chunk& chunk, const at::Tensor& logits, const bool& gradients) {
  if (logits.device().is_cpu()) {
    FinishRowsOnCpu(chunk, logits, gradients);
    return;
  }
  const at::Tensor log_sums = at::logsumexp(logits, {1}, true);
  const at::Tensor targets = chunk.ids.unsqueeze(1);
  chunk.nats.copy_((log_sums - logits.gather(1, targets)).squeeze(1));
  if (!gradients) return;
  const at::Tensor weights = chunk.weights.unsqueeze(1);
  logits.sub_(log_sums).exp_().mul_(weights);
  logits.scatter_add_(1, targets, weights.neg());
}

// Fills chunk.nats; returns the gradient of the hidden states where gradients are wanted.
at::Tensor RunChunk(const Chunk& chunk, const Linear& output, double soft_cap, const bool& gradients) {
  at::Tensor logits = TimesTranspose(chunk.hidden, output.weight, output.bias).to(at::kFloat);
  at::Tensor slope;
  if (soft_cap > 0) {
    logits.div_(soft_cap).tanh_();
    if (gradients) slope = 1 - logits.square();
    logits.mul_(soft_cap);
  }
  FinishRows(chunk, logits, gradients);
  if (!gradients) return {};
  if (slope.defined()) logits.mul_(slope);
  const at::Tensor gradient = logits.to(chunk.hidden.scalar_type());
  if (const at::Tensor to = GradientOf(output.weight); to.defined()) AddProduct(gradient.t(), chunk.hidden, to);
  if (output.bias.defined()) {
    if (const at::Tensor to = GradientOf(output.bias); to.defined()) to.add_(logits.sum(0));
  }
  return Times(gradient, output.weight);
}

}  // namespace

TokenLosses ComputeTokenLosses(const at::Tensor& hidden, const Linear& output, const TokenTargets& targets,
                               const TokenLossSettings& settings) {
  const int64_t rows = hidden.size(0), vocab = output.weight.size(0);
  const int64_t step = std::max<int64_t>(1, settings.chunk_bytes / (vocab * 4));
  const bool gradients = RecordsGradients();
  TokenLosses losses;
  losses.nats = at::empty({rows}, hidden.options().dtype(at::kFloat).requires_grad(false));
  const auto hidden_gradient = std::make_shared<at::Tensor>();  // known as soon as the losses are
  const auto forward = [&] {
    const at::Tensor dense = hidden.contiguous();
    if (gradients) *hidden_gradient = at::empty_like(dense);
    for (int64_t first = 0; first < rows; first += step) {
      const auto part = [&](const at::Tensor& x) { return x.narrow(0, first, std::min(step, rows - first)); };
      const Chunk chunk{part(dense), part(targets.ids), part(targets.weights), part(losses.nats)};
      const at::Tensor gradient = RunChunk(chunk, output, settings.soft_cap, gradients);
      if (gradients) part(*hidden_gradient).copy_(gradient);
    }
    return (losses.nats * targets.weights).sum();
  };
  losses.sum = Differentiable(hidden, forward, [hidden_gradient](const at::Tensor&) { return *hidden_gradient; });
  return losses;
}

}  // namespace toolformer
