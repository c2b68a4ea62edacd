#include "src/model/tensor_layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/split_with_sizes.h>
#include <ATen/ops/tensor.h>

#include <utility>

#include "src/model/device.h"

namespace toolformer {
TensorLayers::TensorLayers(TransformerSpec spec, TransformerWeights weights, const at::Device& device,
                           const LayerOperators& operators)
    : spec_(std::move(spec)), weights_(std::move(weights)), device_(device), operators_(operators) {
  ForEachTensor(&weights_, [&](at::Tensor* tensor) { *tensor = tensor->to(device); });
  if (spec_.tied_output) weights_.output.weight = weights_.embedding;
  for (const RotarySpec& rotary : spec_.rotary) {
    at::Tensor& frequencies = frequencies_.emplace_back();
    if (!rotary.depends_on_length()) frequencies = at::tensor(RotaryFrequencies(rotary, 0)).to(at::kFloat).to(device);
  }
}

at::Tensor TensorLayers::Embed(const LayerInputs& inputs) const {
  at::Tensor x = operators_.Lookup(weights_.embedding, inputs.ids);
  // Rounded to the weights' type first, as the models were trained.
  if (spec_.embedding_scale != 1.0) x = x * at::full({1}, spec_.embedding_scale, x.options());
  if (weights_.embedding_in.weight.defined()) x = operators_.Apply(weights_.embedding_in, x);
  if (spec_.position == PositionKind::kLearned) {
    x = x + operators_.Lookup(weights_.position_embedding, inputs.positions);
  }
  if (spec_.embedding_norm) x = operators_.Normalize(x, weights_.embedding_norm, spec_.norm, spec_.norm_epsilon);
  return x;
}

at::Tensor TensorLayers::RunAttention(int64_t layer, const at::Tensor& x, const LayerInputs& inputs,
                                      const Attend& attend) const {
  const LayerWeights& weights = weights_.layers[layer];
  const at::Tensor joined = operators_.Apply(weights.query_key_value, x).view({x.size(0), -1, spec_.head_dim});
  const std::vector<at::Tensor> parts = at::split_with_sizes(joined, {spec_.heads, spec_.kv_heads, spec_.kv_heads}, 1);
  at::Tensor query = parts[0], key = parts[1];
  if (spec_.query_key_norm != QueryKeyNorm::kNone) {
    const auto normalize = [&](const at::Tensor& heads, const Norm& norm) {
      const at::Tensor dense =
          spec_.query_key_norm == QueryKeyNorm::kHead ? heads.contiguous() : heads.flatten(1).contiguous();
      return operators_.Normalize(dense, norm, spec_.norm, spec_.norm_epsilon).view(heads.sizes());
    };
    query = normalize(query, weights.query_norm);
    key = normalize(key, weights.key_norm);
  }
  if (spec_.position == PositionKind::kRotary && spec_.layer[layer].rotary_table != kNoRotary) {
    const RotaryAngles& angles = inputs.angles[spec_.layer[layer].rotary_table];
    query = operators_.Rotate(query, angles);
    key = operators_.Rotate(key, angles);
  }
  return operators_.Apply(weights.attention_out, attend(layer, query, key, parts[2]));
}

at::Tensor TensorLayers::RunLayer(int64_t layer, const at::Tensor& x, const LayerInputs& inputs,
                                  const Attend& attend) const {
  const NormPlace place = spec_.norm_place;
  const bool on_residual = place == NormPlace::kNormedResidual, on_sum = place == NormPlace::kAfterSum;
  const bool before = on_residual || place == NormPlace::kBefore || place == NormPlace::kSandwich;
  const bool on_branch = place == NormPlace::kBranch || place == NormPlace::kSandwich;
  const auto normalize_if = [&](const bool& wanted, const at::Tensor& h, const Norm& norm) {
    return wanted ? operators_.Normalize(h, norm, spec_.norm, spec_.norm_epsilon) : h;
  };
  const LayerWeights& weights = weights_.layers[layer];
  const at::Tensor input = normalize_if(before, x, weights.attention_norm);
  at::Tensor residual = on_residual ? input : x;
  at::Tensor h = RunAttention(layer, input, inputs, attend);
  if (layer + 1 == spec_.layers) {
    // Nothing after the last attention looks at another token: only the wanted ones go on.
    h = h.index_select(0, inputs.wanted);
    residual = residual.index_select(0, inputs.wanted);
  }
  at::Tensor sum = residual + normalize_if(on_branch, h, weights.post_attention_norm);
  sum = normalize_if(on_sum, sum, weights.attention_norm);
  const at::Tensor mlp_input = normalize_if(before, spec_.parallel_residual ? residual : sum, weights.mlp_norm);
  if (on_residual) sum = mlp_input;
  h = operators_.Apply(weights.down,
                       operators_.Activate(operators_.Apply(weights.up, mlp_input), spec_.activation, spec_.gated_mlp));
  return normalize_if(on_sum, sum + normalize_if(on_branch, h, weights.post_mlp_norm), weights.mlp_norm);
}

at::Tensor TensorLayers::Run(const LayerInputs& inputs, const Attend& attend) const {
  at::Tensor x = Embed(inputs);
  for (int64_t i = 0; i < spec_.layers; ++i) x = RunLayer(i, x, inputs, attend);
  return x;
}

at::Tensor TensorLayers::Finish(const at::Tensor& x) const {
  const at::Tensor h =
      spec_.final_norm ? operators_.Normalize(x, weights_.final_norm, spec_.norm, spec_.norm_epsilon) : x;
  return weights_.embedding_out.weight.defined() ? operators_.Apply(weights_.embedding_out, h) : h;
}

at::Tensor TensorLayers::Project(const at::Tensor& x, std::span<const int32_t> vocabulary) const {
  Linear output = weights_.output;
  if (!vocabulary.empty()) {
    const std::vector<int64_t> ids(vocabulary.begin(), vocabulary.end());
    const at::Tensor rows = Upload(at::tensor(ids), device_);
    output.weight = output.weight.index_select(0, rows);
    if (output.bias.defined()) output.bias = output.bias.index_select(0, rows);
  }
  at::Tensor logits = operators_.Apply(output, Finish(x)).to(at::kFloat);
  if (spec_.logit_soft_cap > 0) logits = (logits / spec_.logit_soft_cap).tanh_().mul_(spec_.logit_soft_cap);
  return logits.cpu();
}

RotaryAngles TensorLayers::AnglesAt(size_t table, const at::Tensor& positions) const {
  // Rounded to float32 where MakeRotaryAngles rounds.
  const at::Tensor angles = (positions.to(at::kFloat).unsqueeze(1) * frequencies_[table]).to(at::kDouble);
  const double magnitude = spec_.rotary[table].magnitude;
  return {(angles.cos() * magnitude).to(at::kFloat), (angles.sin() * magnitude).to(at::kFloat)};
}

}  // namespace toolformer
