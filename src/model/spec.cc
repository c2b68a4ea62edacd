#include "src/model/spec.h"

#include <algorithm>
#include <cmath>

#include "src/base/status.h"

namespace toolformer {
namespace {

struct Bound {
  std::string_view what;
  int64_t value;
  int64_t most;
};

absl::Status CheckSizes(const std::string& where, const TransformerSpec& spec) {
  for (const Bound& bound :
       {Bound{"number of layers", spec.layers, 1024}, Bound{"hidden size", spec.hidden, 1 << 17},
        Bound{"number of heads", spec.heads, 4096}, Bound{"number of key-value heads", spec.kv_heads, 4096},
        Bound{"head size", spec.head_dim, 4096}, Bound{"MLP size", spec.mlp_hidden, 1 << 20},
        Bound{"embedding size", spec.embedding_width, 1 << 17}, Bound{"vocabulary size", spec.vocab_size, 1 << 24},
        Bound{"context length", spec.context_length, 1 << 24}}) {
    if (bound.value < 1 || bound.value > bound.most) {
      return InvalidArgument("{}: {} is {}, not within 1 to {}", where, bound.what, bound.value, bound.most);
    }
  }
  if (spec.heads % spec.kv_heads != 0) {
    return InvalidArgument("{}: {} heads cannot share {} key-value heads", where, spec.heads, spec.kv_heads);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CompleteSpec(const std::string& where, TransformerSpec* spec) {
  if (spec->kv_heads == 0) spec->kv_heads = spec->heads;
  if (spec->head_dim == 0 && spec->heads > 0) spec->head_dim = spec->hidden / spec->heads;
  if (spec->mlp_hidden == 0 && spec->hidden <= 1 << 17) spec->mlp_hidden = 4 * spec->hidden;
  if (spec->embedding_width == 0) spec->embedding_width = spec->hidden;
  // These stretch what the context was: files say what they started from.
  for (const RotarySpec& rotary : spec->rotary) {
    if (rotary.scaling != RotaryScaling::kDynamic && rotary.scaling != RotaryScaling::kYarn) continue;
    const double stretched = rotary.original_context * rotary.factor;
    if (stretched > 0 && stretched < 1 << 24) {
      spec->context_length = std::max(spec->context_length, static_cast<int64_t>(stretched));
    }
  }
  TF_RETURN_IF_ERROR(CheckSizes(where, *spec));
  if (spec->attention_scale == 0.0) spec->attention_scale = 1.0 / std::sqrt(static_cast<double>(spec->head_dim));
  for (const double number : {spec->norm_epsilon, spec->attention_soft_cap, spec->logit_soft_cap}) {
    if (!(number >= 0.0) || !std::isfinite(number)) {
      return InvalidArgument("{}: norm epsilon or soft cap is {}, not a usable number", where, number);
    }
  }
  if (!std::isfinite(spec->attention_scale) || !std::isfinite(spec->embedding_scale)) {
    return InvalidArgument("{}: attention scale or embedding scale is not a usable number", where);
  }
  if (spec->layer.empty()) spec->layer.resize(spec->layers);
  if (static_cast<int64_t>(spec->layer.size()) != spec->layers) {
    return InvalidArgument("{}: {} layer types for {} layers", where, spec->layer.size(), spec->layers);
  }
  for (const LayerSpec& layer : spec->layer) {
    if (layer.window < 0) return InvalidArgument("{}: the sliding window is {}, not positive", where, layer.window);
  }
  for (RotarySpec& rotary : spec->rotary) {
    if (rotary.dims == 0) rotary.dims = spec->head_dim;
    if (rotary.dims > spec->head_dim) {
      return InvalidArgument("{}: {} rotary dimensions exceed the head size {}", where, rotary.dims, spec->head_dim);
    }
    TF_RETURN_IF_ERROR(CheckRotary(where, rotary));
  }
  return absl::OkStatus();
}

std::vector<float> AlibiSlopes(const TransformerSpec& spec) {
  if (spec.position != PositionKind::kAlibi) return {};
  const int64_t heads = spec.heads;
  int64_t power = 1;
  while (2 * power <= heads) power *= 2;
  std::vector<float> slopes;
  const auto add = [&](double exponent) { slopes.push_back(static_cast<float>(std::exp2(-exponent))); };
  const double step = 8.0 / static_cast<double>(power);
  for (int64_t h = 1; h <= power; ++h) add(step * static_cast<double>(h));
  // What is left takes every other slope of twice as many heads.
  for (int64_t h = 1; slopes.size() < static_cast<size_t>(heads); h += 2) add(step / 2 * static_cast<double>(h));
  return slopes;
}

}  // namespace toolformer
