#include "src/model/cpu/cpu_runner.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "src/model/cpu/cpu_attention.h"
#include "src/model/cpu/packed_activation.h"
#include "src/model/cpu/parallel.h"
#include "src/model/kernels.h"

namespace toolformer {
namespace {

// Elements that a task of elementwise work takes.
constexpr int64_t kTaskElements = 1 << 15;

// Rows of float32 values, dense.
struct Rows {
  Rows(int64_t count_in, int64_t width_in)
      : tensor(at::empty({count_in, width_in}, at::kFloat)), count(count_in), width(width_in) {}
  float* data() const { return tensor.data_ptr<float>(); }
  float* row(int64_t r) const { return data() + r * width; }

  at::Tensor tensor;
  int64_t count, width;
};

struct PackedLayer {
  Norm attention_norm, post_attention_norm, mlp_norm, post_mlp_norm, query_norm, key_norm;
  PackedLinear query_key_value, attention_out, up, down;
};

// Where the keys and values of a token go in its cache's tail, layer 0.
struct CacheSlot {
  float *keys = nullptr, *values = nullptr;  // null: nowhere
  int64_t layer_stride = 0;
};

// What all layers need of a batch.
struct Inputs {
  std::vector<RotaryAngles> angles;                              // of each rotary table
  std::vector<CacheSlot> slots;                                  // of each token
  std::map<std::pair<int64_t, double>, CpuAttention> attention;  // by PlanKey
};

std::pair<int64_t, double> PlanKey(const LayerSpec& layer) { return {layer.window, layer.score_factor}; }

class CpuRunner : public Runner {
 public:
  CpuRunner(const TransformerSpec& spec, TransformerWeights weights, const CpuRunnerSettings& settings);

  at::Tensor Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const override;
  at::TensorOptions cache_options() const override { return {at::kFloat}; }
  TransformerWeights Weights() const override;

 private:
  Inputs MakeInputs(const TokenBatch& batch) const;
  Rows Embed(const TokenBatch& batch) const;
  Rows Attend(int64_t layer, const Rows& x, const Inputs& inputs) const;
  void PrepareHeads(int64_t layer, const Inputs& inputs, Rows* projected) const;
  at::Tensor Project(const Rows& x, std::span<const int32_t> vocabulary) const;

  simd::NormRow NormOf(const Norm& norm) const;
  void Normalize(const Norm& norm, Rows* x) const;
  // `norm` null: x as it is.
  LinearInput InputOf(const Rows& x, const simd::NormRow* norm) const { return {x.data(), x.count, x.width, norm}; }
  // x += linear(in), normalised before it is added where the norm is defined.
  void AddBranch(const PackedLinear& linear, const Rows& in, const Norm& post_norm, Rows* x) const;

  const TransformerSpec spec_;
  const simd::Kernels& kernels_;
  const HeadLayout heads_;
  at::Tensor embedding_;  // undefined: the rows of output_ serve
  at::Tensor position_embedding_;
  Norm embedding_norm_, final_norm_;
  PackedLinear embedding_in_, embedding_out_, output_;
  std::vector<PackedLayer> layers_;
  std::vector<float> alibi_slopes_;
};

CpuRunner::CpuRunner(const TransformerSpec& spec, TransformerWeights weights, const CpuRunnerSettings& settings)
    : spec_(spec),
      kernels_(*settings.kernels),
      heads_{spec.heads, spec.kv_heads, spec.head_dim},
      embedding_(std::move(weights.embedding)),
      position_embedding_(std::move(weights.position_embedding)),
      embedding_norm_(std::move(weights.embedding_norm)),
      final_norm_(std::move(weights.final_norm)) {
  // Each matrix is let go of as soon as it is packed.
  const auto pack = [&](Linear* linear, const bool& gated) {
    PackedLinear packed;
    if (linear->weight.defined()) packed = PackedLinear(*linear, {&kernels_, settings.type, gated});
    *linear = {};
    return packed;
  };
  embedding_in_ = pack(&weights.embedding_in, false);
  embedding_out_ = pack(&weights.embedding_out, false);
  for (LayerWeights& layer : weights.layers) {
    layers_.push_back({std::move(layer.attention_norm), std::move(layer.post_attention_norm), std::move(layer.mlp_norm),
                       std::move(layer.post_mlp_norm), std::move(layer.query_norm), std::move(layer.key_norm),
                       pack(&layer.query_key_value, false), pack(&layer.attention_out, false),
                       pack(&layer.up, spec_.gated_mlp), pack(&layer.down, false)});
  }
  // The packed output is the embedding too where they are one and nothing is lost by packing.
  if (spec_.tied_output && settings.type == PackedType::kFloat32) embedding_.reset();
  output_ = pack(&weights.output, false);
  alibi_slopes_ = AlibiSlopes(spec_);
}

TransformerWeights CpuRunner::Weights() const {
  TransformerWeights weights;
  const auto unpack = [](const PackedLinear& packed) { return packed.defined() ? packed.Unpack() : Linear(); };
  weights.output = unpack(output_);
  weights.embedding = embedding_.defined() ? embedding_ : weights.output.weight;
  weights.position_embedding = position_embedding_;
  weights.embedding_norm = embedding_norm_;
  weights.embedding_in = unpack(embedding_in_);
  weights.embedding_out = unpack(embedding_out_);
  for (const PackedLayer& layer : layers_) {
    weights.layers.push_back({layer.attention_norm, layer.post_attention_norm, layer.mlp_norm, layer.post_mlp_norm,
                              layer.query_norm, layer.key_norm, unpack(layer.query_key_value),
                              unpack(layer.attention_out), unpack(layer.up), unpack(layer.down)});
  }
  weights.final_norm = final_norm_;
  return weights;
}

simd::NormRow CpuRunner::NormOf(const Norm& norm) const {
  simd::NormRow row;
  row.weight = norm.weight.const_data_ptr<float>();
  row.bias = norm.bias.defined() ? norm.bias.const_data_ptr<float>() : nullptr;
  row.columns = norm.weight.numel();
  row.epsilon = static_cast<float>(spec_.norm_epsilon);
  row.kind = spec_.norm == NormKind::kRms ? simd::NormKind::kRms : simd::NormKind::kLayer;
  return row;
}

void CpuRunner::Normalize(const Norm& norm, Rows* x) const {
  const simd::NormRow row = NormOf(norm);
  ForRanges(x->count, std::max<int64_t>(1, kTaskElements / x->width), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) kernels_.normalize(row, x->row(r), x->row(r));
  });
}

void CpuRunner::AddBranch(const PackedLinear& linear, const Rows& in, const Norm& post_norm, Rows* x) const {
  if (!post_norm.weight.defined()) {
    linear.Apply(InputOf(in, nullptr), {x->data(), x->width, /*add=*/true});
    return;
  }
  const Rows h(x->count, x->width);
  linear.Apply(InputOf(in, nullptr), {h.data(), h.width});
  const simd::NormRow row = NormOf(post_norm);
  ForRanges(x->count, std::max<int64_t>(1, kTaskElements / x->width), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) kernels_.normalize_add(row, h.row(r), x->row(r));
  });
}

Inputs CpuRunner::MakeInputs(const TokenBatch& batch) const {
  Inputs inputs;
  for (const RotarySpec& rotary : spec_.rotary) {
    inputs.angles.push_back(MakeRotaryAngles(rotary, batch.places, at::kCPU));
  }
  inputs.slots.resize(batch.ids.size());
  for (const BatchRow& row : batch.rows) {
    if (row.cache == nullptr) continue;
    const CacheSegment& tail = row.cache->tail();
    const int64_t stride = tail.keys.stride(1);
    for (int64_t t = 0; t < row.tokens; ++t) {
      const int64_t offset = (row.cache->tail_length() + t) * stride;
      inputs.slots[row.first_token + t] = {tail.keys.data_ptr<float>() + offset, tail.values.data_ptr<float>() + offset,
                                           tail.keys.stride(0)};
    }
  }
  for (const LayerSpec& layer : spec_.layer) {
    if (inputs.attention.count(PlanKey(layer)) != 0) continue;
    CpuAttention::Settings settings;
    settings.kernels = &kernels_;
    settings.layout = heads_;
    settings.window = layer.window;
    settings.scores = {spec_.attention_scale * layer.score_factor, spec_.attention_soft_cap, alibi_slopes_};
    inputs.attention.emplace(PlanKey(layer), CpuAttention(batch, std::move(settings)));
  }
  return inputs;
}

Rows CpuRunner::Embed(const TokenBatch& batch) const {
  const auto tokens = static_cast<int64_t>(batch.ids.size());
  Rows x(tokens, spec_.embedding_width);
  const auto scale = static_cast<float>(spec_.embedding_scale);
  for (int64_t t = 0; t < tokens; ++t) {
    if (embedding_.defined()) {
      std::copy_n(embedding_.const_data_ptr<float>() + batch.ids[t] * x.width, x.width, x.row(t));
    } else {
      output_.CopyRow(batch.ids[t], x.row(t));
    }
    if (spec_.embedding_scale != 1.0) {
      for (int64_t i = 0; i < x.width; ++i) x.row(t)[i] *= scale;
    }
  }
  if (embedding_in_.defined()) {
    Rows wide(tokens, spec_.hidden);
    embedding_in_.Apply(InputOf(x, nullptr), {wide.data(), wide.width});
    x = std::move(wide);
  }
  if (spec_.position == PositionKind::kLearned) {
    for (int64_t t = 0; t < tokens; ++t) {
      const float* position =
          position_embedding_.const_data_ptr<float>() + (spec_.position_offset + batch.places[t].position) * x.width;
      for (int64_t i = 0; i < x.width; ++i) x.row(t)[i] += position[i];
    }
  }
  if (spec_.embedding_norm) Normalize(embedding_norm_, &x);
  return x;
}

// Norms and rotates queries and keys, and copies keys and values to where later batches look for them.
void CpuRunner::PrepareHeads(int64_t layer, const Inputs& inputs, Rows* projected) const {
  const PackedLayer& weights = layers_[layer];
  const int64_t d = heads_.head_dim, keys = heads_.kv_heads * d, rotary_table = spec_.layer[layer].rotary_table;
  const RotaryAngles* angles =
      spec_.position == PositionKind::kRotary && rotary_table != kNoRotary ? &inputs.angles[rotary_table] : nullptr;
  const int64_t half = angles == nullptr ? 0 : angles->cosines.size(1);
  const auto normalize = [&](const Norm& norm, float* heads, int64_t count) {
    const simd::NormRow row = NormOf(norm);
    for (int64_t at = 0; at < count * d; at += row.columns) kernels_.normalize(row, heads + at, heads + at);
  };
  ForRanges(projected->count, std::max<int64_t>(1, kTaskElements / projected->width), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) {
      float* query = projected->row(t);
      float* key = query + heads_.heads * d;
      if (spec_.query_key_norm != QueryKeyNorm::kNone) {
        normalize(weights.query_norm, query, heads_.heads);
        normalize(weights.key_norm, key, heads_.kv_heads);
      }
      if (angles != nullptr) {
        const float* cosines = angles->cosines.const_data_ptr<float>() + t * half;
        const float* sines = angles->sines.const_data_ptr<float>() + t * half;
        for (int64_t h = 0; h < heads_.heads + heads_.kv_heads; ++h) {
          kernels_.rotate(query + h * d, cosines, sines, half);
        }
      }
      const CacheSlot& slot = inputs.slots[t];
      if (slot.keys == nullptr) continue;
      std::copy_n(key, keys, slot.keys + layer * slot.layer_stride);
      std::copy_n(key + keys, keys, slot.values + layer * slot.layer_stride);
    }
  });
}

// What the heads of a layer gather, before its output projection.
Rows CpuRunner::Attend(int64_t layer, const Rows& x, const Inputs& inputs) const {
  const NormPlace place = spec_.norm_place;
  const bool fused = place == NormPlace::kBefore || place == NormPlace::kSandwich;
  const simd::NormRow norm = fused ? NormOf(layers_[layer].attention_norm) : simd::NormRow();
  Rows projected(x.count, heads_.stride());
  layers_[layer].query_key_value.Apply(InputOf(x, fused ? &norm : nullptr), {projected.data(), projected.width});
  PrepareHeads(layer, inputs, &projected);
  Rows attended(x.count, heads_.heads * heads_.head_dim);
  inputs.attention.at(PlanKey(spec_.layer[layer])).Run(layer, projected.data(), attended.data());
  return attended;
}

Rows Select(const Rows& x, std::span<const int64_t> rows) {
  Rows selected(std::ssize(rows), x.width);
  for (int64_t r = 0; r < selected.count; ++r) std::copy_n(x.row(rows[r]), x.width, selected.row(r));
  return selected;
}

at::Tensor CpuRunner::Project(const Rows& x, std::span<const int32_t> vocabulary) const {
  const simd::NormRow norm = spec_.final_norm ? NormOf(final_norm_) : simd::NormRow();
  LinearInput in = InputOf(x, spec_.final_norm ? &norm : nullptr);
  const Rows narrow(embedding_out_.defined() ? x.count : 0, spec_.embedding_width);
  if (embedding_out_.defined()) {
    embedding_out_.Apply(in, {narrow.data(), narrow.width});
    in = InputOf(narrow, nullptr);
  }
  PackedLinear picked;
  if (!vocabulary.empty()) picked = output_.Pick(vocabulary);
  const PackedLinear& output = vocabulary.empty() ? output_ : picked;
  at::Tensor logits = at::empty({x.count, output.outputs()}, at::kFloat);
  output.Apply(in, {logits.data_ptr<float>(), output.outputs()});
  if (spec_.logit_soft_cap > 0) logits.div_(spec_.logit_soft_cap).tanh_().mul_(spec_.logit_soft_cap);
  return logits;
}

at::Tensor CpuRunner::Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) const {
  const Inputs inputs = MakeInputs(batch);
  const NormPlace place = spec_.norm_place;
  const bool on_residual = place == NormPlace::kNormedResidual, on_sum = place == NormPlace::kAfterSum;
  const bool fused = place == NormPlace::kBefore || place == NormPlace::kSandwich;
  Rows x = Embed(batch);
  for (int64_t i = 0; i < spec_.layers; ++i) {
    const PackedLayer& weights = layers_[i];
    if (on_residual) Normalize(weights.attention_norm, &x);
    Rows attended = Attend(i, x, inputs);
    if (i + 1 == spec_.layers) {
      // Nothing after the last attention looks at another token: only the wanted ones go on.
      attended = Select(attended, batch.wanted);
      x = Select(x, batch.wanted);
    }
    const auto up = [&] {
      const simd::NormRow norm = fused ? NormOf(weights.mlp_norm) : simd::NormRow();
      Rows hidden(x.count, spec_.mlp_hidden);
      weights.up.Apply(InputOf(x, fused ? &norm : nullptr),
                       {hidden.data(), hidden.width, /*add=*/false, PackedActivation(spec_.activation)});
      return hidden;
    };
    if (spec_.parallel_residual) {
      const Rows hidden = up();
      AddBranch(weights.attention_out, attended, weights.post_attention_norm, &x);
      AddBranch(weights.down, hidden, weights.post_mlp_norm, &x);
      continue;
    }
    AddBranch(weights.attention_out, attended, weights.post_attention_norm, &x);
    if (on_sum) Normalize(weights.attention_norm, &x);
    if (on_residual) Normalize(weights.mlp_norm, &x);
    AddBranch(weights.down, up(), weights.post_mlp_norm, &x);
    if (on_sum) Normalize(weights.mlp_norm, &x);
  }
  return Project(x, vocabulary);
}

}  // namespace

std::unique_ptr<Runner> MakeCpuRunner(const TransformerSpec& spec, TransformerWeights weights,
                                      const CpuRunnerSettings& settings) {
  return std::make_unique<CpuRunner>(spec, std::move(weights), settings);
}

}  // namespace toolformer
