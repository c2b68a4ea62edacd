#include "src/model/attention_kernels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_efficient_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/triu.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "src/model/minus_infinity.h"

namespace toolformer {
namespace {

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

// Not for masks and biases: those of the efficient kernel want alignments that a segment's length does not have.
bool HasCudaKernel(const AttentionInput& input) {
  const at::ScalarType type = input.query.scalar_type();
  const int64_t dim = input.query.size(2);
  return input.query.is_cuda() && !input.mask.defined() && !input.bias.defined() && dim % 8 == 0 && dim <= 256 &&
         (type == at::kBFloat16 || type == at::kFloat);
}

// Flash attention for bfloat16; for float32, which it does not take, the memory-efficient kernel.
AttentionOutput FusedCuda(const AttentionInput& input) {
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  const at::Tensor query = heads_first(input.query), key = heads_first(input.key), value = heads_first(input.value);
  at::Tensor values, lse;
  if (input.query.scalar_type() == at::kBFloat16) {
    const auto result = at::_scaled_dot_product_flash_attention(query, key, value, /*dropout_p=*/0.0, input.causal,
                                                                /*return_debug_mask=*/false, input.scale);
    values = std::get<0>(result);
    lse = std::get<1>(result);
  } else {
    const int64_t groups = input.query.size(1) / input.key.size(1);
    const auto repeated = [&](const at::Tensor& x) { return groups == 1 ? x : x.repeat_interleave(groups, 1); };
    const auto result = at::_scaled_dot_product_efficient_attention(query, repeated(key), repeated(value), std::nullopt,
                                                                    /*compute_log_sumexp=*/true, /*dropout_p=*/0.0,
                                                                    input.causal, input.scale);
    values = std::get<0>(result);
    lse = std::get<1>(result);
  }
  // [1, heads, queries], in the efficient kernel rounded up to whole tiles of queries.
  lse = lse.squeeze(0).narrow(1, 0, input.query.size(0)).to(at::kFloat);
  return {values.squeeze(0).transpose(0, 1), lse.transpose(0, 1)};
}

// Whether the GPU has the kernels: learnt at the first call.
std::atomic<bool> cuda_kernels_work{true};

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
  // The fused kernels know no soft caps, and the CPU's takes biases in the queries' type only: too coarse for distant
  // keys.
  if (input.soft_cap > 0) return Plain(input);
  const bool coarse = input.bias.defined() && input.query.scalar_type() != at::kFloat;
  if (input.query.is_cpu()) return coarse ? Plain(input) : FlashCpu(input);
  if (HasCudaKernel(input) && cuda_kernels_work) {
    try {
      return FusedCuda(input);
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error&) {
      cuda_kernels_work = false;
    }
  }
  return Plain(input);
}

AttentionOutput MergeAttention(const AttentionOutput& a, const AttentionOutput& b) {
  const at::Tensor lse = at::logaddexp(a.lse, b.lse);
  const auto weighted = [&](const AttentionOutput& part) {
    return part.values.to(at::kFloat) * (part.lse - lse).exp().unsqueeze(-1);
  };
  return {(weighted(a) + weighted(b)).to(a.values.scalar_type()), lse};
}

}  // namespace toolformer
