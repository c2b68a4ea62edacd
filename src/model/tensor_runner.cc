#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>

#include <map>
#include <utility>

#include "src/model/attention.h"
#include "src/model/kernels.h"
#include "src/model/runner.h"

namespace toolformer {
namespace {

at::Tensor Apply(const Linear& linear, const at::Tensor& x) {
  return at::linear(x, linear.weight, linear.bias.defined() ? std::optional(linear.bias) : std::nullopt);
}

class TensorRunner : public Runner {
 public:
  TensorRunner(TransformerSpec spec, TransformerWeights weights, const at::Device& device);

  at::Tensor Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const override;
  at::TensorOptions cache_options() const override { return weights_.embedding.options(); }
  TransformerWeights Weights() const override { return weights_; }

 private:
  // What all layers need of a batch.
  struct Inputs {
    at::Tensor ids, positions, wanted;  // [tokens], [tokens], [wanted tokens] int64
    std::vector<RotaryAngles> angles;   // of each rotary table
  };

  Inputs MakeInputs(const TokenBatch& batch) const;
  at::Tensor Embed(const Inputs& inputs) const;
  at::Tensor Attend(int64_t layer, const at::Tensor& x, const TokenBatch& batch, const Inputs& inputs,
                    const AttentionPlan& plan) const;
  at::Tensor Project(const at::Tensor& x, std::span<const int32_t> vocabulary) const;

  const TransformerSpec spec_;
  TransformerWeights weights_;
  const at::Device device_;
  std::vector<float> alibi_slopes_;
};

at::Tensor TensorRunner::Embed(const Inputs& inputs) const {
  at::Tensor x = at::embedding(weights_.embedding, inputs.ids);
  // Rounded to the weights' type first, as the models were trained.
  if (spec_.embedding_scale != 1.0) x = x * at::full({1}, spec_.embedding_scale, x.options());
  if (weights_.embedding_in.weight.defined()) x = Apply(weights_.embedding_in, x);
  if (spec_.position == PositionKind::kLearned) x = x + at::embedding(weights_.position_embedding, inputs.positions);
  if (spec_.embedding_norm) x = Normalize(x, weights_.embedding_norm, spec_.norm, spec_.norm_epsilon);
  return x;
}

// Logits of the last block's output.
at::Tensor TensorRunner::Project(const at::Tensor& x, std::span<const int32_t> vocabulary) const {
  at::Tensor h = spec_.final_norm ? Normalize(x, weights_.final_norm, spec_.norm, spec_.norm_epsilon) : x;
  if (weights_.embedding_out.weight.defined()) h = Apply(weights_.embedding_out, h);
  Linear output = weights_.output;
  if (!vocabulary.empty()) {
    const std::vector<int64_t> ids(vocabulary.begin(), vocabulary.end());
    const at::Tensor rows = at::tensor(ids).to(device_);
    output.weight = output.weight.index_select(0, rows);
    if (output.bias.defined()) output.bias = output.bias.index_select(0, rows);
  }
  at::Tensor logits = Apply(output, h).to(at::kFloat);
  if (spec_.logit_soft_cap > 0) logits = (logits / spec_.logit_soft_cap).tanh_().mul_(spec_.logit_soft_cap);
  return logits.cpu();
}

at::Tensor TensorRunner::Attend(int64_t layer, const at::Tensor& x, const TokenBatch& batch, const Inputs& inputs,
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
    const RotaryAngles& angles = inputs.angles[spec_.layer[layer].rotary_table];
    Rotate(query, angles);
    Rotate(key, angles);
  }
  for (const BatchRow& row : batch.rows) {
    if (row.cache == nullptr) continue;
    const int64_t behind = row.cache->tail_length();
    row.cache->tail_keys(layer).narrow(0, behind, row.tokens).copy_(key.narrow(0, row.first_token, row.tokens));
    row.cache->tail_values(layer).narrow(0, behind, row.tokens).copy_(value.narrow(0, row.first_token, row.tokens));
  }
  return Apply(weights.attention_out, plan.Run(layer, query, key, value));
}

TensorRunner::TensorRunner(TransformerSpec spec, TransformerWeights weights, const at::Device& device)
    : spec_(std::move(spec)), weights_(std::move(weights)), device_(device) {
  ForEachTensor(&weights_, [&](at::Tensor* tensor) { *tensor = tensor->to(device); });
  if (spec_.tied_output) weights_.output.weight = weights_.embedding;
  if (spec_.position == PositionKind::kAlibi) alibi_slopes_ = AlibiSlopes(spec_.heads);
}

TensorRunner::Inputs TensorRunner::MakeInputs(const TokenBatch& batch) const {
  std::vector<int64_t> positions;
  for (const TokenPlace& place : batch.places) positions.push_back(spec_.position_offset + place.position);
  Inputs inputs;
  inputs.ids = at::tensor(batch.ids).to(device_);
  inputs.positions = at::tensor(positions).to(device_);
  inputs.wanted = at::tensor(batch.wanted, at::kLong).to(device_);
  for (const RotarySpec& rotary : spec_.rotary)
    inputs.angles.push_back(MakeRotaryAngles(rotary, batch.places, device_));
  return inputs;
}

at::Tensor TensorRunner::Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const {
  const Inputs inputs = MakeInputs(batch);
  const auto key = [](const LayerSpec& layer) { return std::pair(layer.window, layer.score_factor); };
  std::map<std::pair<int64_t, double>, AttentionPlan> plans;
  for (const LayerSpec& layer : spec_.layer) {
    if (plans.count(key(layer)) != 0) continue;
    AttentionPlan::Settings settings;
    settings.window = layer.window;
    settings.scores = {spec_.attention_scale * layer.score_factor, spec_.attention_soft_cap, alibi_slopes_};
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
  at::Tensor x = Embed(inputs);
  for (int64_t i = 0; i < spec_.layers; ++i) {
    const LayerWeights& weights = weights_.layers[i];
    const at::Tensor input = normalize_if(before, x, weights.attention_norm);
    if (on_residual) x = input;
    at::Tensor h = Attend(i, input, batch, inputs, plans.at(key(spec_.layer[i])));
    if (i + 1 == spec_.layers) {
      // Nothing after the last attention looks at another token: only the wanted ones go on.
      h = h.index_select(0, inputs.wanted);
      x = x.index_select(0, inputs.wanted);
    }
    at::Tensor sum = x + normalize_if(on_branch, h, weights.post_attention_norm);
    sum = normalize_if(on_sum, sum, weights.attention_norm);
    const at::Tensor mlp_input = normalize_if(before, spec_.parallel_residual ? x : sum, weights.mlp_norm);
    if (on_residual) sum = mlp_input;
    h = Apply(weights.down, Activate(Apply(weights.up, mlp_input), spec_.activation, spec_.gated_mlp));
    x = normalize_if(on_sum, sum + normalize_if(on_branch, h, weights.post_mlp_norm), weights.mlp_norm);
  }
  return Project(x, vocabulary);
}

}  // namespace

std::unique_ptr<Runner> MakeTensorRunner(const TransformerSpec& spec, TransformerWeights weights,
                                         const at::Device& device) {
  return std::make_unique<TensorRunner>(spec, std::move(weights), device);
}

}  // namespace toolformer
