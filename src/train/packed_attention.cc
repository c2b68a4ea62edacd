#include "src/train/packed_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/split_with_sizes.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <optional>

namespace toolformer {

PackedAttention::PackedAttention(const TransformerSpec& spec, std::vector<int64_t> lengths, const at::Device& device)
    : spec_(spec), lengths_(std::move(lengths)), device_(device) {
  const std::vector<float> slopes = AlibiSlopes(spec);
  if (!slopes.empty()) slopes_ = at::tensor(slopes).to(device).view({-1, 1, 1});
}

const at::Tensor& PackedAttention::Bias(int64_t window, int64_t length) const {
  if (window >= length) window = 0;
  const auto [found, is_new] = biases_.try_emplace({window, length});
  at::Tensor& bias = found->second;
  if (!is_new || (!slopes_.defined() && window == 0 && spec_.attention_soft_cap == 0)) return bias;
  const at::Tensor positions = at::arange(length, at::TensorOptions(device_).dtype(at::kFloat));
  const at::Tensor behind = positions.unsqueeze(1) - positions.unsqueeze(0);  // how far a key lies behind a query
  at::Tensor hidden = behind < 0;
  if (window > 0) hidden = hidden.logical_or(behind >= window);
  bias = at::zeros({1, length, length}, positions.options());
  if (slopes_.defined()) bias = bias + slopes_ * positions;
  bias = bias.masked_fill(hidden, -std::numeric_limits<float>::infinity());
  return bias;
}

at::Tensor PackedAttention::Run(int64_t layer, const at::Tensor& query, const at::Tensor& key,
                                const at::Tensor& value) const {
  const LayerSpec& rule = spec_.layer[layer];
  const double scale = spec_.attention_scale * rule.score_factor;
  const int64_t group = spec_.heads / spec_.kv_heads;
  const auto repeated = [&](const at::Tensor& x) { return group == 1 ? x : x.repeat_interleave(group, 0); };
  // Split at once: the gradients of narrowed views would each be as large as the whole.
  const std::vector<at::Tensor> queries = at::split_with_sizes(query, lengths_, 0);
  const std::vector<at::Tensor> keys = at::split_with_sizes(key, lengths_, 0);
  const std::vector<at::Tensor> values = at::split_with_sizes(value, lengths_, 0);
  std::vector<at::Tensor> outputs;
  outputs.reserve(lengths_.size());
  for (size_t i = 0; i < lengths_.size(); ++i) {
    const int64_t length = lengths_[i];
    const at::Tensor q = queries[i].transpose(0, 1);
    const at::Tensor k = repeated(keys[i].transpose(0, 1)), v = repeated(values[i].transpose(0, 1));
    const at::Tensor& bias = Bias(rule.window, length);
    at::Tensor seen;
    if (spec_.attention_soft_cap > 0) {
      at::Tensor scores = at::matmul(q, k.transpose(1, 2)).to(at::kFloat) * (scale / spec_.attention_soft_cap);
      scores = scores.tanh() * spec_.attention_soft_cap + bias;
      seen = at::matmul(at::softmax(scores, -1).to(v.scalar_type()), v);
    } else {
      std::optional<at::Tensor> mask;
      if (bias.defined()) mask = bias.to(q.scalar_type()).expand({q.size(0), length, length}).unsqueeze(0);
      seen = at::scaled_dot_product_attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), mask, 0.0,
                                              !bias.defined(), scale)
                 .squeeze(0);
    }
    outputs.push_back(seen.transpose(0, 1).reshape({length, -1}));
  }
  return at::cat(outputs, 0);
}

}  // namespace toolformer
