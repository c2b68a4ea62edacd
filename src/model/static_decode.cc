#include "src/model/static_decode.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "src/model/cuda/plugin.h"
#include "src/model/device.h"
#include "src/model/minus_infinity.h"

namespace toolformer {
namespace {

constexpr int64_t kLeastKeys = 16;

// The numbers of each row that a step is told.
enum Kind : int64_t { kId, kPosition, kSlot, kBehind, kShared, kWanted, kKinds };

// a b in float32, [n, i, j] and [n, j, k].
at::Tensor Product(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() == at::kFloat) return at::bmm(a, b);
  if (a.is_cuda()) return at::bmm(a, b, at::kFloat);
  return at::bmm(a.to(at::kFloat), b.to(at::kFloat));
}

CacheLayout LayoutOf(const TensorLayers& layers) {
  CacheLayout layout;
  layout.layers = layers.spec().layers;
  layout.kv_heads = layers.spec().kv_heads;
  layout.head_dim = layers.spec().head_dim;
  layout.options = layers.weights().embedding.options();
  return layout;
}

}  // namespace

struct StaticDecoder::Numbers {
  at::Tensor ids, positions, slots, behind, shared;  // [rows]
  at::Tensor wanted;                                 // [wanted]
};

struct StaticDecoder::Scores {
  int64_t groups = 0, prefix = 0, tail = 0;
  std::map<int64_t, at::Tensor> masks;  // of each window: [rows, 1, prefix + tail] bool, true: hidden
  at::Tensor bias;                      // [rows, heads, prefix + tail]; undefined: none
};

std::optional<StaticDecodeSettings> StaticDecodeSettings::Within(int64_t bytes, const TransformerSpec& spec,
                                                                 int64_t bytes_a_value) {
  StaticDecodeSettings settings;
  const int64_t token = 2 * spec.layers * spec.kv_heads * spec.head_dim * bytes_a_value;
  settings.slots = std::min(settings.slots, bytes / 2 / token / settings.slot_tokens);
  settings.prefix_tokens = std::min(settings.prefix_tokens, bytes / 2 / token);
  if (settings.slots < 2) return std::nullopt;
  return settings;
}

std::optional<StaticDecodeSettings> StaticDecodeOn(const at::Device& device, const TransformerSpec& spec,
                                                   TransformerWeights* weights) {
  if (device.is_cpu() || !StaticDecoder::Serves(spec)) return std::nullopt;
  const absl::StatusOr<const CudaPlugin*> plugin = OpenCudaPlugin();
  if (!plugin.ok()) return std::nullopt;
  int64_t bytes = (*plugin)->free_bytes(device.index());
  ForEachTensor(weights, [&](const at::Tensor* tensor) { bytes -= static_cast<int64_t>(tensor->nbytes()); });
  const auto bytes_a_value = static_cast<int64_t>(weights->embedding.element_size());
  std::optional<StaticDecodeSettings> settings = StaticDecodeSettings::Within(bytes / 4, spec, bytes_a_value);
  if (settings) settings->capture = (*plugin)->make_capture(device.index());
  return settings;
}

bool StaticDecoder::Serves(const TransformerSpec& spec) {
  return std::none_of(spec.rotary.begin(), spec.rotary.end(),
                      [](const RotarySpec& rotary) { return rotary.depends_on_length(); });
}

StaticDecoder::StaticDecoder(const TensorLayers& layers, const StaticDecodeSettings& settings)
    : layers_(layers),
      settings_(settings),
      tails_(std::make_shared<TailArena>(LayoutOf(layers), TailArena::Size{settings.slots, settings.slot_tokens})),
      prefixes_(LayoutOf(layers), settings.prefix_tokens) {
  const at::TensorOptions options = at::TensorOptions(layers.device());
  const std::vector<float> slopes = AlibiSlopes(layers.spec());
  if (!slopes.empty()) slopes_ = at::tensor(slopes).to(layers.device());
  inputs_ = at::zeros({kKinds * settings.rows}, options.dtype(at::kLong));
  output_ = at::empty({settings.rows, layers.spec().hidden}, layers.weights().embedding.options());
}

std::function<CacheSegment(int64_t)> StaticDecoder::cache_allocator() const {
  return [tails = tails_](int64_t tokens) { return tails->Allocate(tokens); };
}

// Gives every row a slot, if there are enough.
bool StaticDecoder::HouseTails(const TokenBatch& batch) const {
  std::vector<SegmentedCache*> homeless;
  for (const BatchRow& row : batch.rows) {
    if (tails_->SlotOf(row.cache->tail()) < 0) homeless.push_back(row.cache);
  }
  if (static_cast<int64_t>(homeless.size()) > tails_->free_slots()) return false;
  for (SegmentedCache* cache : homeless) {
    cache->Rehouse(1);
    // Another thread may have been faster.
    if (tails_->SlotOf(cache->tail()) < 0) return false;
  }
  return true;
}

// Where each row stands in a step, and the bucket of the step.
std::optional<StaticDecoder::Bucket> StaticDecoder::Arrange(const TokenBatch& batch, std::vector<int64_t>* places) {
  std::vector<const SegmentedCache*> caches;
  for (const BatchRow& row : batch.rows) caches.push_back(row.cache);
  std::optional<std::vector<int64_t>> groups = prefixes_.Place(caches);
  if (!groups) return std::nullopt;

  Bucket bucket{1, 1, RoundUp(static_cast<int64_t>(batch.wanted.size()), 1), 0, kLeastKeys};
  const int64_t last = *std::max_element(groups->begin(), groups->end());
  if (last > 0) bucket.groups = std::min(RoundUp(last + 1, 1), prefixes_.groups());
  std::vector<int64_t> sizes(bucket.groups, 0);
  for (int64_t& group : *groups) {
    if (group >= 0) ++sizes[group];
  }
  for (int64_t& group : *groups) {
    if (group >= 0) continue;
    // Rows that share nothing stand where there is room.
    group = std::min_element(sizes.begin(), sizes.end()) - sizes.begin();
    ++sizes[group];
  }
  bucket.rows = RoundUp(*std::max_element(sizes.begin(), sizes.end()), 1);
  int64_t shared = 0, tail = 0;
  for (const SegmentedCache* cache : caches) {
    shared = std::max(shared, cache->shared_length());
    tail = std::max(tail, cache->tail_length() + 1);
  }
  if (shared > 0) bucket.prefix = std::min(RoundUp(shared, kLeastKeys), prefixes_.tokens());
  bucket.tail = std::min(RoundUp(tail, kLeastKeys), settings_.slot_tokens);
  const int64_t rows = bucket.groups * bucket.rows;
  if (rows > settings_.rows || bucket.wanted > settings_.rows) return std::nullopt;

  std::fill(sizes.begin(), sizes.end(), 0);
  for (const int64_t group : *groups) places->push_back(group * bucket.rows + sizes[group]++);
  return bucket;
}

void StaticDecoder::UploadNumbers(const TokenBatch& batch, const Bucket& bucket, std::span<const int64_t> places) {
  const int64_t rows = bucket.groups * bucket.rows;
  // The others are a first token in nobody's slot.
  std::vector<int64_t> numbers(kKinds * std::max(rows, bucket.wanted), TailArena::kNobody);
  const auto stride = static_cast<int64_t>(numbers.size()) / kKinds;
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const SegmentedCache& cache = *batch.rows[r].cache;
    int64_t* row = numbers.data() + places[r];
    row[kId * stride] = batch.ids[r];
    row[kPosition * stride] = batch.places[r].position;
    row[kSlot * stride] = tails_->SlotOf(cache.tail());
    row[kBehind * stride] = cache.tail_length();
    row[kShared * stride] = cache.shared_length();
  }
  for (size_t w = 0; w < batch.wanted.size(); ++w) numbers[kWanted * stride + w] = places[batch.wanted[w]];
  inputs_.narrow(0, 0, kKinds * stride).copy_(Upload(at::tensor(numbers), layers_.device()));
}

StaticDecoder::Numbers StaticDecoder::NumbersOf(const Bucket& bucket) const {
  const int64_t rows = bucket.groups * bucket.rows, stride = std::max(rows, bucket.wanted);
  const auto of = [&](Kind kind, int64_t count) { return inputs_.narrow(0, kind * stride, count); };
  return {of(kId, rows),     of(kPosition, rows), of(kSlot, rows),
          of(kBehind, rows), of(kShared, rows),   of(kWanted, bucket.wanted)};
}

// [rows, 1, keys] bool, true where a row must not see a key.
at::Tensor StaticDecoder::MaskOf(int64_t window, const Numbers& numbers, const at::Tensor& key_positions,
                                 const at::Tensor& present) const {
  at::Tensor visible = present;
  if (window > 0) visible = visible & (key_positions > (numbers.positions - window).unsqueeze(1));
  return visible.logical_not().unsqueeze(1);
}

// Everything here happens on the device, at the same addresses for the same bucket.
void StaticDecoder::Step(const Bucket& bucket) {
  const TransformerSpec& spec = layers_.spec();
  const Numbers numbers = NumbersOf(bucket);
  LayerInputs inputs;
  inputs.ids = numbers.ids;
  inputs.positions = numbers.positions + spec.position_offset;
  inputs.wanted = numbers.wanted;
  for (size_t table = 0; table < spec.rotary.size(); ++table) {
    inputs.angles.push_back(layers_.AnglesAt(table, numbers.positions));
  }

  Scores scores;
  scores.groups = bucket.groups;
  scores.prefix = bucket.prefix;
  scores.tail = bucket.tail;
  const int64_t rows = bucket.groups * bucket.rows;
  const at::Tensor in_prefix = at::arange(bucket.prefix, numbers.ids.options()).unsqueeze(0);
  const at::Tensor in_tail = at::arange(bucket.tail, numbers.ids.options()).unsqueeze(0);
  const at::Tensor shared = numbers.shared.unsqueeze(1);
  const at::Tensor present = at::cat({in_prefix < shared, in_tail <= numbers.behind.unsqueeze(1)}, 1);
  const at::Tensor key_positions = at::cat({in_prefix.expand({rows, -1}), in_tail + shared}, 1);
  for (const LayerSpec& layer : spec.layer) {
    at::Tensor& mask = scores.masks[layer.window];
    if (!mask.defined()) mask = MaskOf(layer.window, numbers, key_positions, present);
  }
  if (slopes_.defined()) {
    scores.bias = slopes_.view({1, -1, 1}) * key_positions.to(at::kFloat).unsqueeze(1);
  }

  const auto attend = [&](int64_t layer, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
    const auto keep = [&](const at::Tensor& all, const at::Tensor& x) {
      // [slots, tokens, kv_heads, head_dim]
      all.select(0, layer).transpose(1, 2).index_put_({numbers.slots, numbers.behind}, x);
    };
    keep(tails_->blocks().keys, key);
    keep(tails_->blocks().values, value);
    return Attend(layer, query, numbers, scores);
  };
  const at::Tensor x = layers_.Run(inputs, attend);
  output_.narrow(0, 0, bucket.wanted).copy_(x);
}

at::Tensor StaticDecoder::Attend(int64_t layer, const at::Tensor& query, const Numbers& numbers,
                                 const Scores& scores) const {
  const TransformerSpec& spec = layers_.spec();
  const LayerSpec& kind = spec.layer[layer];
  const int64_t rows = query.size(0), dim = spec.head_dim, heads = spec.kv_heads, queries = spec.heads / heads;
  const int64_t groups = scores.groups, prefix = scores.prefix, tail = scores.tail;

  // One matrix a row and key head over the tails, one a group and key head over the prefixes.
  const auto of_tails = [&](const at::Tensor& all) {
    return all.select(0, layer).narrow(2, 0, tail).index_select(0, numbers.slots).view({rows * heads, tail, dim});
  };
  const auto of_prefixes = [&](const at::Tensor& all) {
    return all.select(0, layer).narrow(0, 0, groups).narrow(2, 0, prefix).view({groups * heads, prefix, dim});
  };
  // [rows, heads, queries, n] and [groups, heads, rows of a group, queries, n].
  const auto by_group = [&](const at::Tensor& x) {
    return x.view({groups, rows / groups, heads, queries, -1})
        .transpose(1, 2)
        .reshape({groups * heads, rows / groups * queries, x.size(-1)});
  };
  const auto by_row = [&](const at::Tensor& x) {
    return x.view({groups, heads, rows / groups, queries, -1}).transpose(1, 2).reshape({rows, spec.heads, x.size(-1)});
  };

  const at::Tensor dense = query.contiguous();
  at::Tensor all = Product(dense.view({rows * heads, queries, dim}), of_tails(tails_->blocks().keys).transpose(1, 2))
                       .view({rows, spec.heads, tail});
  if (prefix > 0) {
    const at::Tensor shared = Product(by_group(dense), of_prefixes(prefixes_.blocks().keys).transpose(1, 2));
    all = at::cat({by_row(shared), all}, 2);
  }
  all = all * (spec.attention_scale * kind.score_factor);
  if (spec.attention_soft_cap > 0) all = (all / spec.attention_soft_cap).tanh_().mul_(spec.attention_soft_cap);
  if (scores.bias.defined()) all = all + scores.bias;
  const at::Tensor weights =
      at::softmax(all.masked_fill(scores.masks.at(kind.window), kMinusInfinity), -1).to(query.scalar_type());

  at::Tensor values =
      Product(weights.narrow(2, prefix, tail).reshape({rows * heads, queries, tail}), of_tails(tails_->blocks().values))
          .view({rows, spec.heads, dim});
  if (prefix > 0) {
    const at::Tensor over = weights.narrow(2, 0, prefix).contiguous();
    values = values + by_row(Product(by_group(over), of_prefixes(prefixes_.blocks().values)));
  }
  return values.to(query.scalar_type()).view({rows, spec.heads * dim});
}

void StaticDecoder::Replay(const Bucket& bucket) {
  const auto [entry, added] = recorded_.try_emplace(bucket);
  Recorded& recorded = entry->second;
  if (added) {
    try {
      recorded.graph = settings_.capture([this, bucket] { Step(bucket); });
    } catch (...) {
      recorded_.erase(entry);
      throw;
    }
  }
  recorded.used = ++now_;
  recorded.graph->Replay();
  if (recorded_.size() > settings_.graphs) {
    recorded_.erase(std::min_element(recorded_.begin(), recorded_.end(),
                                     [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
}

std::optional<at::Tensor> StaticDecoder::Run(const TokenBatch& batch, std::span<const int32_t> vocabulary) {
  const auto is_step = [](const BatchRow& row) { return row.cache != nullptr && row.tokens == 1; };
  if (batch.wanted.empty() || !std::all_of(batch.rows.begin(), batch.rows.end(), is_step)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (!works_) return std::nullopt;
  try {
    std::vector<int64_t> places;
    const std::optional<Bucket> bucket = HouseTails(batch) ? Arrange(batch, &places) : std::nullopt;
    if (!bucket) return std::nullopt;
    if (generation_ != prefixes_.generation()) recorded_.clear();
    generation_ = prefixes_.generation();
    UploadNumbers(batch, *bucket, places);
    Replay(*bucket);
    return layers_.Project(output_.narrow(0, 0, static_cast<int64_t>(batch.wanted.size())), vocabulary);
  } catch (const c10::Error&) {
    // Not again: what failed, mostly memory, will not come back by itself. The ordinary path says what is wrong.
    works_ = false;
    recorded_.clear();
    return std::nullopt;
  }
}

}  // namespace toolformer
