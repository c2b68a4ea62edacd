#include "src/model/attention_kernels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/triu.h>

#include <cmath>
#include <limits>
#include <vector>

namespace toolformer {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

AttentionOutput FlashCpu(const AttentionInput& input) {
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  std::optional<at::Tensor> mask;
  if (input.mask.defined()) mask = input.mask;
  if (input.bias.defined()) {
    // One row for all queries where there is no mask.
    mask = mask ? *mask + input.bias.unsqueeze(1) : input.bias.unsqueeze(1).repeat({1, input.query.size(0), 1});
    mask = mask->unsqueeze(0);
  }
  if (mask) mask = mask->to(input.query.scalar_type());
  const auto [values, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
      heads_first(input.query), heads_first(input.key), heads_first(input.value), /*dropout_p=*/0.0, input.causal, mask,
      input.scale);
  return {values.squeeze(0).transpose(0, 1), lse.squeeze(0).transpose(0, 1)};
}

AttentionOutput Plain(const AttentionInput& input) {
  const int64_t groups = input.query.size(1) / input.key.size(1);
  const auto heads_first = [](const at::Tensor& x) { return x.to(at::kFloat).transpose(0, 1); };
  const at::Tensor query = heads_first(input.query);
  const at::Tensor key = heads_first(input.key).repeat_interleave(groups, 0);
  const at::Tensor value = heads_first(input.value).repeat_interleave(groups, 0);
  at::Tensor scores = at::matmul(query, key.transpose(1, 2)) * input.scale;
  if (input.soft_cap > 0) scores = (scores / input.soft_cap).tanh_().mul_(input.soft_cap);
  if (input.bias.defined()) scores = scores + input.bias.unsqueeze(1);
  if (input.causal) {
    scores = scores + at::triu(at::full({query.size(1), key.size(1)}, kMinusInfinity, scores.options()), 1);
  }
  if (input.mask.defined()) scores = scores + input.mask;
  const at::Tensor lse = at::logsumexp(scores, {-1}, /*keepdim=*/true);
  const at::Tensor values = at::matmul((scores - lse).exp(), value);
  return {values.transpose(0, 1).to(input.query.scalar_type()), lse.squeeze(-1).transpose(0, 1)};
}

}  // namespace

AttentionOutput SoftmaxAttention(const AttentionInput& input) {
  // The fused kernel knows no soft caps, and takes biases in the queries' type only: too coarse for distant keys.
  const bool coarse = input.bias.defined() && input.query.scalar_type() != at::kFloat;
  const bool fused = input.query.is_cpu() && input.soft_cap == 0 && !coarse;
  return fused ? FlashCpu(input) : Plain(input);
}

AttentionOutput MergeAttention(const AttentionOutput& a, const AttentionOutput& b) {
  const at::Tensor lse = at::logaddexp(a.lse, b.lse);
  const auto weighted = [&](const AttentionOutput& part) {
    return part.values.to(at::kFloat) * (part.lse - lse).exp().unsqueeze(-1);
  };
  return {(weighted(a) + weighted(b)).to(a.values.scalar_type()), lse};
}

}  // namespace toolformer
