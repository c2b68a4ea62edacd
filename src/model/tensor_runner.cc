#include <ATen/ops/sub.h>
#include <ATen/ops/tensor.h>

#include <map>
#include <utility>

#include "src/model/attention.h"
#include "src/model/device.h"
#include "src/model/runner.h"
#include "src/model/static_decode.h"
#include "src/model/tensor_layers.h"

namespace toolformer {
namespace {

class TensorRunner : public Runner {
 public:
  TensorRunner(TransformerSpec spec, TransformerWeights weights, const at::Device& device)
      : layers_(std::move(spec), std::move(weights), device) {
    alibi_slopes_ = AlibiSlopes(layers_.spec());
  }

  void DecodeStatically(const StaticDecodeSettings& settings) {
    if (StaticDecoder::Serves(layers_.spec())) static_ = std::make_unique<StaticDecoder>(layers_, settings);
  }

  at::Tensor Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const override;
  at::TensorOptions cache_options() const override { return layers_.weights().embedding.options(); }
  std::function<CacheSegment(int64_t)> cache_allocator() const override {
    return static_ == nullptr ? nullptr : static_->cache_allocator();
  }
  TransformerWeights Weights() const override { return layers_.weights(); }

 private:
  LayerInputs MakeInputs(const TokenBatch& batch) const;

  const TensorLayers layers_;
  std::vector<float> alibi_slopes_;
  std::unique_ptr<StaticDecoder> static_;  // null: off
};

LayerInputs TensorRunner::MakeInputs(const TokenBatch& batch) const {
  const TransformerSpec& spec = layers_.spec();
  const at::Device& device = layers_.device();
  // One transfer: ids, positions, wanted.
  std::vector<int64_t> numbers = batch.ids;
  for (const TokenPlace& place : batch.places) numbers.push_back(spec.position_offset + place.position);
  numbers.insert(numbers.end(), batch.wanted.begin(), batch.wanted.end());
  const at::Tensor uploaded = Upload(at::tensor(numbers), device);
  const auto tokens = static_cast<int64_t>(batch.ids.size());
  LayerInputs inputs;
  inputs.ids = uploaded.narrow(0, 0, tokens);
  inputs.positions = uploaded.narrow(0, tokens, tokens);
  inputs.wanted = uploaded.narrow(0, 2 * tokens, static_cast<int64_t>(batch.wanted.size()));
  for (size_t table = 0; table < spec.rotary.size(); ++table) {
    const RotarySpec& rotary = spec.rotary[table];
    const bool on_device = !device.is_cpu() && !rotary.depends_on_length();
    inputs.angles.push_back(on_device ? layers_.AnglesAt(table, at::sub(inputs.positions, spec.position_offset))
                                      : MakeRotaryAngles(rotary, batch.places, device));
  }
  return inputs;
}

at::Tensor TensorRunner::Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const {
  if (static_ != nullptr) {
    if (std::optional<at::Tensor> logits = static_->Run(batch, vocabulary)) return *std::move(logits);
  }
  const TransformerSpec& spec = layers_.spec();
  const LayerInputs inputs = MakeInputs(batch);
  const auto key_of = [](const LayerSpec& layer) { return std::pair(layer.window, layer.score_factor); };
  std::map<std::pair<int64_t, double>, AttentionPlan> plans;
  for (const LayerSpec& layer : spec.layer) {
    if (plans.count(key_of(layer)) != 0) continue;
    AttentionPlan::Settings settings;
    settings.window = layer.window;
    settings.scores = {spec.attention_scale * layer.score_factor, spec.attention_soft_cap, alibi_slopes_};
    settings.device = layers_.device();
    plans.emplace(key_of(layer), AttentionPlan(batch.rows, settings));
  }
  const auto attend = [&](int64_t layer, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
    for (const BatchRow& row : batch.rows) {
      if (row.cache == nullptr) continue;
      const int64_t behind = row.cache->tail_length();
      row.cache->tail_keys(layer).narrow(0, behind, row.tokens).copy_(key.narrow(0, row.first_token, row.tokens));
      row.cache->tail_values(layer).narrow(0, behind, row.tokens).copy_(value.narrow(0, row.first_token, row.tokens));
    }
    return plans.at(key_of(spec.layer[layer])).Run(layer, query, key, value);
  };
  return layers_.Project(layers_.Run(inputs, attend), vocabulary);
}

}  // namespace

std::unique_ptr<Runner> MakeTensorRunner(const TransformerSpec& spec, TransformerWeights weights,
                                         const at::Device& device,
                                         const std::optional<StaticDecodeSettings>& static_decode) {
  auto runner = std::make_unique<TensorRunner>(spec, std::move(weights), device);
  if (static_decode) runner->DecodeStatically(*static_decode);
  return runner;
}

}  // namespace toolformer
