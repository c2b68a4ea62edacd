#include "src/model/spec.h"

#include <cmath>

#include "src/base/status.h"

namespace toolformer {
namespace {

struct Bound {
  std::string_view what;
  int64_t value;
  int64_t most;
};

}  // namespace

absl::Status CheckSpec(const TransformerSpec& spec, const std::string& where) {
  for (const Bound& bound :
       {Bound{"number of layers", spec.layers, 1024}, Bound{"hidden size", spec.hidden, 1 << 17},
        Bound{"number of heads", spec.heads, 4096}, Bound{"number of key-value heads", spec.kv_heads, 4096},
        Bound{"head size", spec.head_dim, 4096}, Bound{"MLP size", spec.mlp_hidden, 1 << 20},
        Bound{"vocabulary size", spec.vocab_size, 1 << 24}, Bound{"context length", spec.context_length, 1 << 24}}) {
    if (bound.value < 1 || bound.value > bound.most) {
      return InvalidArgument("{}: {} is {}, not within 1 to {}", where, bound.what, bound.value, bound.most);
    }
  }
  if (spec.heads % spec.kv_heads != 0) {
    return InvalidArgument("{}: {} heads cannot share {} key-value heads", where, spec.heads, spec.kv_heads);
  }
  if (!(spec.norm_epsilon >= 0.0) || !std::isfinite(spec.attention_scale)) {
    return InvalidArgument("{}: norm epsilon or attention scale is not a usable number", where);
  }
  if (spec.position == PositionKind::kRotary) {
    for (const RotarySpec& rotary : spec.rotary) {
      if (static_cast<int64_t>(rotary.inverse_frequencies.size()) * 2 > spec.head_dim) {
        return InvalidArgument("{}: rotary dimensions exceed the head size {}", where, spec.head_dim);
      }
      for (const double frequency : rotary.inverse_frequencies) {
        if (!std::isfinite(frequency)) return InvalidArgument("{}: rotary base is not a usable number", where);
      }
    }
  }
  return absl::OkStatus();
}

std::vector<double> RotaryFrequencies(double theta, int64_t rotary_dim) {
  std::vector<double> frequencies;
  // A size that CheckSpec will refuse must not cost memory before it is asked.
  for (int64_t j = 0; j < rotary_dim && j < 1 << 16; j += 2) {
    frequencies.push_back(std::pow(theta, -static_cast<double>(j) / static_cast<double>(rotary_dim)));
  }
  return frequencies;
}

void SetUniformRotary(TransformerSpec* spec, const std::vector<double>& inverse_frequencies) {
  spec->rotary = {RotarySpec{inverse_frequencies}};
}

}  // namespace toolformer
