#include "src/train/trainable_transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <set>
#include <utility>

#include "src/base/random.h"
#include "src/model/cpu/parallel.h"
#include "src/model/device.h"
#include "src/train/gradient_record.h"

namespace toolformer {
namespace {

float WeightOf(const TrainingSequence& sequence, size_t target) {
  return sequence.weights.empty() ? 1.0f : sequence.weights[target];
}

double WeightedSum(const at::Tensor& nats, const at::Tensor& weights) {
  return (nats.to(at::kDouble) * weights.to(at::kDouble)).sum().item<double>();
}

TransformerWeights OnDevice(const Family& family, const TransformerSpec& spec, TransformerWeights weights,
                            const at::Device& device) {
  ForEachTensor(&weights, [&](at::Tensor* tensor) { *tensor = tensor->to(device); });
  ShareTensors(family, spec, &weights);
  return weights;
}

// Leaves of the layers: matrices of `type`, vectors of norms as they are. Of float32 the leaves are the masters.
TransformerWeights Typed(TransformerWeights weights, at::ScalarType type) {
  if (type == at::kFloat) return weights;
  std::set<const c10::TensorImpl*> norms;
  ForEachNormTensor(weights, [&](const at::Tensor& tensor) { norms.insert(tensor.unsafeGetTensorImpl()); });
  ForEachTensor(&weights, [&](at::Tensor* tensor) {
    if (norms.count(tensor->unsafeGetTensorImpl()) == 0) *tensor = tensor->to(type);
  });
  return weights;
}

// The linear map of a layer that holds a stored one.
const Linear& LinearOf(const LayerWeights& layer, Role role) {
  switch (role) {
    case Role::kAttentionOut:
      return layer.attention_out;
    case Role::kGate:
    case Role::kUp:
      return layer.up;
    case Role::kDown:
      return layer.down;
    default:
      return layer.query_key_value;
  }
}

}  // namespace

TrainableTransformer::TrainableTransformer(const Family& family, TransformerSpec spec, TransformerWeights weights,
                                           const Settings& settings)
    : settings_(settings),
      masters_(OnDevice(family, spec, std::move(weights), settings.device)),
      layers_(std::move(spec), Typed(masters_, settings.type), settings.device, operators_) {
  if (settings.low_rank) {
    CollectAdapter(family);
  } else {
    CollectWeights();
  }
}

// A starts uniform as PEFT's does, B with zeros: at first an adapter adds nothing.
void TrainableTransformer::CollectAdapter(const Family& family) {
  adapter_.rank = settings_.low_rank->rank;
  adapter_.alpha = settings_.low_rank->alpha;
  adapter_.parts = AdaptableParts(family, spec(), layers_.weights());
  RandomStream random(CombineSeeds({settings_.seed, HashBytes("low-rank adapters")}));
  const auto add = [&](const at::Tensor& first_values) {
    at::Tensor master = first_values.to(settings_.device);
    parameters_.push_back({master.to(settings_.type).requires_grad_(true), master});
    return master;
  };
  for (LowRankPart& part : adapter_.parts) {
    const at::Tensor& weight = part.placement.target;
    at::Tensor down = at::empty({adapter_.rank, weight.size(1)}, at::kFloat);
    const double bound = 1.0 / std::sqrt(static_cast<double>(weight.size(1)));
    for (float& value : std::span(down.data_ptr<float>(), down.numel())) {
      value = static_cast<float>((2.0 * random.Uniform() - 1.0) * bound);
    }
    part.down = add(down);
    part.up = add(at::zeros({weight.size(0), adapter_.rank}, at::kFloat));
    const at::Tensor& down_leaf = parameters_[parameters_.size() - 2].leaf;
    operators_.Adapt(LinearOf(layers_.weights().layers[part.placement.layer], part.placement.role).weight,
                     {down_leaf, parameters_.back().leaf, part.placement.first_row, adapter_.scale()});
  }
}

void TrainableTransformer::CollectWeights() {
  std::set<const c10::TensorImpl*> constant;
  if (!spec().norm_parameters) {
    ForEachNormTensor(layers_.weights(),
                      [&](const at::Tensor& tensor) { constant.insert(tensor.unsafeGetTensorImpl()); });
  }
  TransformerWeights leaves = layers_.weights();  // the same tensors, visited in the same order as the masters
  std::vector<at::Tensor> masters;
  ForEachTensor(&masters_, [&](at::Tensor* tensor) { masters.push_back(*tensor); });
  std::set<const c10::TensorImpl*> seen;
  size_t next = 0;
  ForEachTensor(&leaves, [&](at::Tensor* leaf) {
    const at::Tensor& master = masters[next++];
    const c10::TensorImpl* impl = leaf->unsafeGetTensorImpl();
    if (constant.count(impl) != 0 || !seen.insert(impl).second) return;
    leaf->requires_grad_(true);
    parameters_.push_back({*leaf, master});
  });
}

TransformerWeights TrainableTransformer::Masters() const {
  TransformerWeights masters = masters_;
  ForEachTensor(&masters, [](at::Tensor* tensor) { *tensor = tensor->detach().cpu(); });
  return masters;
}

TrainableTransformer::Pass TrainableTransformer::MakePass(std::span<const TrainingSequence* const> sequences) const {
  std::vector<int64_t> lengths, ids, positions, wanted, targets;
  std::vector<float> weights;
  std::vector<TokenPlace> places;
  for (const TrainingSequence* sequence : sequences) {
    const auto length = static_cast<int64_t>(sequence->ids.size()) - 1;  // nothing follows the last token
    lengths.push_back(length);
    for (int64_t t = 0; t < length; ++t) {
      if (const float weight = WeightOf(*sequence, t); weight != 0) {
        wanted.push_back(static_cast<int64_t>(ids.size()));
        targets.push_back(sequence->ids[t + 1]);
        weights.push_back(weight);
      }
      ids.push_back(sequence->ids[t]);
      positions.push_back(spec().position_offset + t);
      places.push_back({t, length});
    }
  }
  const auto upload = [&](const auto& numbers) { return Upload(at::tensor(numbers), settings_.device); };
  LayerInputs inputs{upload(ids), upload(positions), upload(wanted), {}};
  for (const RotarySpec& rotary : spec().rotary) {
    inputs.angles.push_back(MakeRotaryAngles(rotary, places, settings_.device));
  }
  return {std::move(inputs), {upload(targets), upload(weights)}, PackedAttention(spec(), lengths, settings_.device)};
}

TokenLosses TrainableTransformer::Run(const Pass& pass) const {
  const TensorLayers::Attend attend = [&pass](int64_t layer, const at::Tensor& query, const at::Tensor& key,
                                              const at::Tensor& value) {
    return pass.attention.Run(layer, query, key, value);
  };
  at::Tensor x = layers_.Embed(pass.inputs);
  for (int64_t i = 0; i < spec().layers; ++i) {
    const auto run = [this, i, attend, &pass](const at::Tensor& in) {
      return layers_.RunLayer(i, in, pass.inputs, attend);
    };
    if (settings_.recompute_layers && RecordsGradients()) {
      x = Differentiable(
          x, [&] { return run(x); },
          [run, x](const at::Tensor& gradient) { return BackwardThrough(run, x, gradient); });
    } else {
      x = run(x);
    }
  }
  TokenLossSettings settings;
  settings.soft_cap = spec().logit_soft_cap;
  settings.chunk_bytes = settings_.logits_bytes;
  return ComputeTokenLosses(layers_.Finish(x), layers_.weights().output, pass.targets, settings);
}

double TrainableTransformer::Learn(std::span<const TrainingSequence* const> sequences, double scale) {
  Pass pass = MakePass(sequences);
  const at::Tensor weights = pass.targets.weights;
  pass.targets.weights = weights * scale;
  const at::AutoGradMode recorded(true);
  const UseOpenMpThreads threads;
  const TokenLosses losses = Run(pass);
  const double sum = WeightedSum(losses.nats, weights);
  RunBackward(losses.sum, {});
  return sum;
}

double TrainableTransformer::Evaluate(std::span<const TrainingSequence* const> sequences) const {
  const Pass pass = MakePass(sequences);
  const at::NoGradGuard unrecorded;
  const UseOpenMpThreads threads;
  return WeightedSum(Run(pass).nats, pass.targets.weights);
}

}  // namespace toolformer
