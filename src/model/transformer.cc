#include "src/model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>

#include <map>
#include <utility>

namespace toolformer {
namespace {

at::Tensor Apply(const Linear& linear, const at::Tensor& x) {
  return at::linear(x, linear.weight, linear.bias.defined() ? std::optional(linear.bias) : std::nullopt);
}

}  // namespace

Transformer::Transformer(TransformerSpec spec, TransformerWeights weights, const at::Device& device)
    : spec_(std::move(spec)), weights_(std::move(weights)), device_(device) {
  attention_kernel_ = device.is_cpu() ? AttentionKernel::kFlashCpu : AttentionKernel::kPlain;
  ForEachTensor(&weights_, [&](at::Tensor* tensor) { *tensor = tensor->to(device); });
  if (spec_.tied_output) weights_.output.weight = weights_.embedding;
  if (spec_.position == PositionKind::kAlibi) alibi_slopes_ = AlibiSlopes(spec_.heads);
}

CacheLayout Transformer::cache_layout() const {
  const bool keep_ids = !spec_.rotary.empty() && spec_.rotary.front().changes_with_length();
  return {spec_.layers, spec_.kv_heads, spec_.head_dim, weights_.embedding.options(), this, keep_ids};
}

Transformer::Batch Transformer::Pack(std::span<const ForwardRow> rows, int64_t length) const {
  Batch batch;
  std::vector<int64_t> ids, positions, wanted;
  std::vector<TokenPlace> places;
  for (const ForwardRow& row : rows) {
    auto* cache = static_cast<SegmentedCache*>(row.cache);
    const auto first = static_cast<int64_t>(ids.size());
    const int64_t past = cache == nullptr ? 0 : cache->length();
    const auto tokens = static_cast<int64_t>(row.ids.size());
    for (int64_t i = 0; i < tokens; ++i) {
      ids.push_back(row.ids[i]);
      positions.push_back(spec_.position_offset + past + i);
      places.push_back({past + i, length > 0 ? length : past + tokens});
    }
    for (const int64_t index : row.wanted) wanted.push_back(first + index);
    if (cache != nullptr) cache->Reserve(tokens);
    batch.rows.push_back({first, tokens, cache});
  }
  batch.ids = at::tensor(ids).to(device_);
  batch.positions = at::tensor(positions).to(device_);
  batch.wanted = at::tensor(wanted, at::kLong).to(device_);
  for (const RotarySpec& rotary : spec_.rotary) batch.angles.push_back(MakeRotaryAngles(rotary, places, device_));
  return batch;
}

at::Tensor Transformer::Embed(const Batch& batch) const {
  at::Tensor x = at::embedding(weights_.embedding, batch.ids);
  // Rounded to the weights' type first, as the models were trained.
  if (spec_.embedding_scale != 1.0) x = x * at::full({1}, spec_.embedding_scale, x.options());
  if (weights_.embedding_in.weight.defined()) x = Apply(weights_.embedding_in, x);
  if (spec_.position == PositionKind::kLearned) x = x + at::embedding(weights_.position_embedding, batch.positions);
  if (spec_.embedding_norm) x = Normalize(x, weights_.embedding_norm, spec_.norm, spec_.norm_epsilon);
  return x;
}

// Logits of the last block's output.
at::Tensor Transformer::Project(const at::Tensor& x) const {
  at::Tensor h = spec_.final_norm ? Normalize(x, weights_.final_norm, spec_.norm, spec_.norm_epsilon) : x;
  if (weights_.embedding_out.weight.defined()) h = Apply(weights_.embedding_out, h);
  at::Tensor logits = Apply(weights_.output, h).to(at::kFloat);
  if (spec_.logit_soft_cap > 0) logits = (logits / spec_.logit_soft_cap).tanh_().mul_(spec_.logit_soft_cap);
  return logits.cpu();
}

at::Tensor Transformer::Attend(int64_t layer, const at::Tensor& x, const Batch& batch,
                               const AttentionPlan& plan) const {
  const LayerWeights& weights = weights_.layers[layer];
  const at::Tensor joined = Apply(weights.query_key_value, x).view({x.size(0), -1, spec_.head_dim});
  at::Tensor query = joined.narrow(1, 0, spec_.heads);
  at::Tensor key = joined.narrow(1, spec_.heads, spec_.kv_heads);
  const at::Tensor value = joined.narrow(1, spec_.heads + spec_.kv_heads, spec_.kv_heads);
  if (spec_.query_key_norm != QueryKeyNorm::kNone) {
    const auto normalize = [&](const at::Tensor& heads, const Norm& norm) {
      const at::Tensor dense =
          spec_.query_key_norm == QueryKeyNorm::kHead ? heads.contiguous() : heads.flatten(1).contiguous();
      return Normalize(dense, norm, spec_.norm, spec_.norm_epsilon).view(heads.sizes());
    };
    query = normalize(query, weights.query_norm);
    key = normalize(key, weights.key_norm);
  }
  if (spec_.position == PositionKind::kRotary && spec_.layer[layer].rotary_table != kNoRotary) {
    const RotaryAngles& angles = batch.angles[spec_.layer[layer].rotary_table];
    Rotate(query, angles);
    Rotate(key, angles);
  }
  for (const AttentionRow& row : batch.rows) {
    if (row.cache == nullptr) continue;
    const int64_t behind = row.cache->tail_length();
    row.cache->tail_keys(layer).narrow(0, behind, row.tokens).copy_(key.narrow(0, row.first_token, row.tokens));
    row.cache->tail_values(layer).narrow(0, behind, row.tokens).copy_(value.narrow(0, row.first_token, row.tokens));
  }
  return Apply(weights.attention_out, plan.Run(layer, query, key, value));
}

void Transformer::MatchLengthKind(std::span<const ForwardRow> rows) const {
  for (const ForwardRow& row : rows) {
    auto* cache = static_cast<SegmentedCache*>(row.cache);
    if (cache == nullptr) continue;
    const int64_t length = cache->length() + static_cast<int64_t>(row.ids.size());
    const LengthKind kind = spec_.rotary.front().KindOf(length);
    if (cache->length_kind() != kind && cache->length() > 0) {
      SegmentedCache again(cache_layout());
      const ForwardRow all{cache->ids(), &again, {}};
      Forward({&all, 1}, length);
      *cache = std::move(again);
    }
    cache->set_length_kind(kind);
  }
}

at::Tensor Transformer::Forward(std::span<const ForwardRow> rows) const {
  if (cache_layout().keep_ids) MatchLengthKind(rows);
  return Forward(rows, 0);
}

at::Tensor Transformer::Forward(std::span<const ForwardRow> rows, int64_t length) const {
  const Batch batch = Pack(rows, length);
  const auto key = [](const LayerSpec& layer) { return std::pair(layer.window, layer.score_factor); };
  std::map<std::pair<int64_t, double>, AttentionPlan> plans;
  for (const LayerSpec& layer : spec_.layer) {
    if (plans.count(key(layer)) != 0) continue;
    AttentionPlan::Settings settings;
    settings.window = layer.window;
    settings.scores = {spec_.attention_scale * layer.score_factor, spec_.attention_soft_cap, alibi_slopes_};
    settings.kernel = attention_kernel_;
    settings.device = device_;
    plans.emplace(key(layer), AttentionPlan(batch.rows, settings));
  }
  const NormPlace place = spec_.norm_place;
  const bool on_residual = place == NormPlace::kNormedResidual, on_sum = place == NormPlace::kAfterSum;
  const bool before = on_residual || place == NormPlace::kBefore || place == NormPlace::kSandwich;
  const bool on_branch = place == NormPlace::kBranch || place == NormPlace::kSandwich;
  const auto normalize_if = [&](const bool& wanted, const at::Tensor& h, const Norm& norm) {
    return wanted ? Normalize(h, norm, spec_.norm, spec_.norm_epsilon) : h;
  };
  at::Tensor x = Embed(batch);
  for (int64_t i = 0; i < spec_.layers; ++i) {
    const LayerWeights& weights = weights_.layers[i];
    const at::Tensor input = normalize_if(before, x, weights.attention_norm);
    if (on_residual) x = input;
    at::Tensor h = Attend(i, input, batch, plans.at(key(spec_.layer[i])));
    if (i + 1 == spec_.layers) {
      // Nothing after the last attention looks at another token: only the wanted ones go on.
      h = h.index_select(0, batch.wanted);
      x = x.index_select(0, batch.wanted);
    }
    at::Tensor sum = x + normalize_if(on_branch, h, weights.post_attention_norm);
    sum = normalize_if(on_sum, sum, weights.attention_norm);
    const at::Tensor mlp_input = normalize_if(before, spec_.parallel_residual ? x : sum, weights.mlp_norm);
    if (on_residual) sum = mlp_input;
    h = Apply(weights.down, Activate(Apply(weights.up, mlp_input), spec_.activation, spec_.gated_mlp));
    x = normalize_if(on_sum, sum + normalize_if(on_branch, h, weights.post_mlp_norm), weights.mlp_norm);
  }
  at::Tensor logits = Project(x);
  for (size_t r = 0; r < rows.size(); ++r) {
    if (batch.rows[r].cache != nullptr) batch.rows[r].cache->Commit(rows[r].ids);
  }
  return logits;
}

}  // namespace toolformer
