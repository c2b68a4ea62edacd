#include "src/model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>

#include <map>
#include <utility>

namespace toolformer {
namespace {

void MoveTo(const at::Device& device, at::Tensor* tensor) {
  if (tensor->defined()) *tensor = tensor->to(device);
}
void MoveTo(const at::Device& device, Norm* norm) {
  MoveTo(device, &norm->weight);
  MoveTo(device, &norm->bias);
}
void MoveTo(const at::Device& device, Linear* linear) {
  MoveTo(device, &linear->weight);
  MoveTo(device, &linear->bias);
}

at::Tensor Apply(const Linear& linear, const at::Tensor& x) {
  return at::linear(x, linear.weight, linear.bias.defined() ? std::optional(linear.bias) : std::nullopt);
}

}  // namespace

Transformer::Transformer(TransformerSpec spec, TransformerWeights weights, const at::Device& device)
    : spec_(std::move(spec)), weights_(std::move(weights)), device_(device) {
  attention_kernel_ = device.is_cpu() ? AttentionKernel::kFlashCpu : AttentionKernel::kPlain;
  MoveTo(device, &weights_.embedding);
  MoveTo(device, &weights_.position_embedding);
  MoveTo(device, &weights_.final_norm);
  if (spec_.tied_output) {
    weights_.output.weight = weights_.embedding;
  } else {
    MoveTo(device, &weights_.output);
  }
  for (LayerWeights& layer : weights_.layers) {
    for (Norm* norm : {&layer.attention_norm, &layer.post_attention_norm, &layer.mlp_norm, &layer.post_mlp_norm,
                       &layer.query_norm, &layer.key_norm}) {
      MoveTo(device, norm);
    }
    for (Linear* linear : {&layer.query_key_value, &layer.attention_out, &layer.up, &layer.down})
      MoveTo(device, linear);
  }
  if (spec_.position == PositionKind::kRotary) {
    for (const RotarySpec& rotary : spec_.rotary) {
      rotary_.push_back(MakeRotaryTable(rotary, spec_.context_length, device));
    }
  }
}

CacheLayout Transformer::cache_layout() const {
  return {spec_.layers, spec_.kv_heads, spec_.head_dim, weights_.embedding.options(), this};
}

Transformer::Batch Transformer::Pack(std::span<const ForwardRow> rows) const {
  Batch batch;
  std::vector<int64_t> ids, positions, wanted;
  for (const ForwardRow& row : rows) {
    auto* cache = static_cast<SegmentedCache*>(row.cache);
    const auto first = static_cast<int64_t>(ids.size());
    const int64_t past = cache == nullptr ? 0 : cache->length();
    const auto tokens = static_cast<int64_t>(row.ids.size());
    for (int64_t i = 0; i < tokens; ++i) {
      ids.push_back(row.ids[i]);
      positions.push_back(past + i);
    }
    for (const int64_t index : row.wanted) wanted.push_back(first + index);
    if (cache != nullptr) cache->Reserve(tokens);
    batch.rows.push_back({first, tokens, cache});
  }
  batch.ids = at::tensor(ids).to(device_);
  batch.positions = at::tensor(positions).to(device_);
  batch.wanted = at::tensor(wanted, at::kLong).to(device_);
  return batch;
}

at::Tensor Transformer::Embed(const Batch& batch) const {
  at::Tensor x = at::embedding(weights_.embedding, batch.ids);
  if (spec_.embedding_scale != 1.0) x = x * spec_.embedding_scale;
  if (spec_.position == PositionKind::kLearned) x = x + at::embedding(weights_.position_embedding, batch.positions);
  return x;
}

at::Tensor Transformer::Attend(int64_t layer, const at::Tensor& x, const Batch& batch,
                               const AttentionPlan& plan) const {
  const LayerWeights& weights = weights_.layers[layer];
  const at::Tensor joined = Apply(weights.query_key_value, x).view({x.size(0), -1, spec_.head_dim});
  at::Tensor query = joined.narrow(1, 0, spec_.heads);
  at::Tensor key = joined.narrow(1, spec_.heads, spec_.kv_heads);
  const at::Tensor value = joined.narrow(1, spec_.heads + spec_.kv_heads, spec_.kv_heads);
  if (spec_.query_key_norms) {
    query = Normalize(query.contiguous(), weights.query_norm, spec_.norm, spec_.norm_epsilon);
    key = Normalize(key.contiguous(), weights.key_norm, spec_.norm, spec_.norm_epsilon);
  }
  if (spec_.position == PositionKind::kRotary) {
    const RotaryTable& table = rotary_[spec_.layer[layer].rotary_table];
    Rotate(query, table, batch.positions);
    Rotate(key, table, batch.positions);
  }
  for (const AttentionRow& row : batch.rows) {
    if (row.cache == nullptr) continue;
    const int64_t behind = row.cache->tail_length();
    row.cache->tail_keys(layer).narrow(0, behind, row.tokens).copy_(key.narrow(0, row.first_token, row.tokens));
    row.cache->tail_values(layer).narrow(0, behind, row.tokens).copy_(value.narrow(0, row.first_token, row.tokens));
  }
  return Apply(weights.attention_out, plan.Run(layer, query, key, value));
}

at::Tensor Transformer::Forward(std::span<const ForwardRow> rows) const {
  const Batch batch = Pack(rows);
  std::map<int64_t, AttentionPlan> plans;  // by window
  for (const LayerSpec& layer : spec_.layer) {
    if (plans.count(layer.window) != 0) continue;
    plans.emplace(layer.window,
                  AttentionPlan(batch.rows, {layer.window, spec_.attention_scale, attention_kernel_, device_}));
  }
  at::Tensor x = Embed(batch);
  const auto normalize = [&](const at::Tensor& h, const Norm& norm) {
    return Normalize(h, norm, spec_.norm, spec_.norm_epsilon);
  };
  for (int64_t i = 0; i < spec_.layers; ++i) {
    const LayerWeights& weights = weights_.layers[i];
    at::Tensor h = Attend(i, normalize(x, weights.attention_norm), batch, plans.at(spec_.layer[i].window));
    if (i + 1 == spec_.layers) {
      // Nothing after the last attention looks at another token: only the wanted ones go on.
      h = h.index_select(0, batch.wanted);
      x = x.index_select(0, batch.wanted);
    }
    x = x + (spec_.sandwich_norms ? normalize(h, weights.post_attention_norm) : h);
    const at::Tensor up = Apply(weights.up, normalize(x, weights.mlp_norm));
    h = Apply(weights.down, Activate(up, spec_.activation, spec_.gated_mlp));
    x = x + (spec_.sandwich_norms ? normalize(h, weights.post_mlp_norm) : h);
  }
  at::Tensor logits = Apply(weights_.output, normalize(x, weights_.final_norm)).to(at::kFloat).cpu();
  for (const AttentionRow& row : batch.rows) {
    if (row.cache != nullptr) row.cache->Commit(row.tokens);
  }
  return logits;
}

}  // namespace toolformer
