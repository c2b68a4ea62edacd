#include "src/model/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "src/base/status.h"

namespace toolformer {
namespace {

struct ScalingName {
  RotaryScaling scaling;
  std::string_view name;
};
constexpr ScalingName kNames[] = {
    {RotaryScaling::kNone, "default"},  {RotaryScaling::kLinear, "linear"}, {RotaryScaling::kDynamic, "dynamic"},
    {RotaryScaling::kLlama3, "llama3"}, {RotaryScaling::kYarn, "yarn"},     {RotaryScaling::kLongRope, "longrope"},
    {RotaryScaling::kLongRope, "su"},  // as the first Phi-3 files say
};

double Stretch3(const RotarySpec& spec, double frequency) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength > spec.original_context / spec.low_factor) return frequency / spec.factor;
  if (wavelength <= spec.original_context / spec.high_factor) return frequency;
  const double smooth = (spec.original_context / wavelength - spec.low_factor) / (spec.high_factor - spec.low_factor);
  return (1 - smooth) * frequency / spec.factor + smooth * frequency;
}

// The pair of dimensions whose wave turns `turns` times over the original context.
double YarnBound(const RotarySpec& spec, double turns) {
  return static_cast<double>(spec.dims) * std::log(spec.original_context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(spec.theta));
}

void ScaleYarn(const RotarySpec& spec, std::vector<double>* frequencies) {
  double low = YarnBound(spec, spec.beta_fast), high = YarnBound(spec, spec.beta_slow);
  if (spec.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(spec.dims - 1));
  if (low == high) high += 0.001;
  for (size_t j = 0; j < frequencies->size(); ++j) {
    const double interpolated = std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
    (*frequencies)[j] *= interpolated / spec.factor + (1 - interpolated);
  }
}

}  // namespace

absl::StatusOr<RotaryScaling> ParseRotaryScaling(const std::string& where, std::string_view name) {
  std::string supported;
  for (const ScalingName& candidate : kNames) {
    if (candidate.name == name) return candidate.scaling;
    supported += (supported.empty() ? "" : ", ") + std::string(candidate.name);
  }
  return Unimplemented("{}: rotary scaling '{}' is not supported; supported: {}", where, name, supported);
}

std::string_view RotaryScalingName(RotaryScaling scaling) {
  return std::find_if(std::begin(kNames), std::end(kNames), [&](const ScalingName& n) { return n.scaling == scaling; })
      ->name;
}

absl::Status CheckRotary(const std::string& where, const RotarySpec& spec) {
  const auto positive = [](double number) { return number > 0 && std::isfinite(number); };
  if (spec.dims < 2 || spec.dims % 2 != 0) {
    return InvalidArgument("{}: {} rotary dimensions, not a positive even number", where, spec.dims);
  }
  if (!positive(spec.theta)) return InvalidArgument("{}: the rotary base is {}, not positive", where, spec.theta);
  if (!positive(spec.factor)) return InvalidArgument("{}: the rotary factor is {}, not positive", where, spec.factor);
  if (!positive(spec.magnitude)) {
    return InvalidArgument("{}: the rotary attention factor is {}, not positive", where, spec.magnitude);
  }
  const std::string_view name = RotaryScalingName(spec.scaling);
  if (spec.scaling > RotaryScaling::kLinear && !positive(spec.original_context)) {
    return InvalidArgument("{}: rotary scaling '{}' needs the original context length; it is {}", where, name,
                           spec.original_context);
  }
  bool fits = true;
  if (spec.scaling == RotaryScaling::kDynamic) fits = spec.dims > 2;
  if (spec.scaling == RotaryScaling::kLlama3) {
    fits = positive(spec.low_factor) && spec.high_factor > spec.low_factor && std::isfinite(spec.high_factor);
  }
  if (spec.scaling == RotaryScaling::kYarn)
    fits = positive(spec.beta_fast) && positive(spec.beta_slow) && spec.theta != 1;
  if (!fits) return InvalidArgument("{}: the numbers of rotary scaling '{}' do not fit together", where, name);
  if (spec.scaling == RotaryScaling::kLongRope) {
    for (const std::vector<double>& divisors : {spec.short_divisors, spec.long_divisors}) {
      if (static_cast<int64_t>(divisors.size()) != spec.dims / 2 ||
          !std::all_of(divisors.begin(), divisors.end(), positive)) {
        return InvalidArgument("{}: rotary scaling '{}' needs {} positive factors; there are {}", where, name,
                               spec.dims / 2, divisors.size());
      }
    }
  }
  return absl::OkStatus();
}

std::vector<double> RotaryFrequencies(const RotarySpec& spec, int64_t length) {
  const auto dims = static_cast<double>(spec.dims);
  double theta = spec.theta;
  const bool is_long = spec.KindOf(length) == LengthKind::kLong;
  if (spec.scaling == RotaryScaling::kDynamic && is_long) {
    theta *= std::pow(spec.factor * static_cast<double>(length) / spec.original_context - (spec.factor - 1),
                      dims / (dims - 2));
  }
  std::vector<double> frequencies;
  for (int64_t j = 0; j < spec.dims; j += 2) {
    double frequency = std::pow(theta, -static_cast<double>(j) / dims);
    if (spec.scaling == RotaryScaling::kLinear) frequency /= spec.factor;
    if (spec.scaling == RotaryScaling::kLlama3) frequency = Stretch3(spec, frequency);
    if (spec.scaling == RotaryScaling::kLongRope)
      frequency /= (is_long ? spec.long_divisors : spec.short_divisors)[j / 2];
    frequencies.push_back(frequency);
  }
  if (spec.scaling == RotaryScaling::kYarn) ScaleYarn(spec, &frequencies);
  return frequencies;
}

}  // namespace toolformer
