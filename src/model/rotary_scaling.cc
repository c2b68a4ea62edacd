#include "src/model/rotary_scaling.h"

#include <cmath>
#include <numbers>

#include "src/base/status.h"
#include "src/model/spec.h"

namespace toolformer {
namespace {

// Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between interpolated.
absl::Status ScaleLlama3(const ConfigReader& config, const std::string& place, std::vector<double>* frequencies) {
  TF_ASSIGN_OR_RETURN(const double factor, config.RequiredReal(place + "/factor"));
  TF_ASSIGN_OR_RETURN(const double low, config.RequiredReal(place + "/low_freq_factor"));
  TF_ASSIGN_OR_RETURN(const double high, config.RequiredReal(place + "/high_freq_factor"));
  TF_ASSIGN_OR_RETURN(const double context, config.RequiredReal(place + "/original_max_position_embeddings"));
  if (!(factor > 0) || !(high > low) || !(low > 0) || !(context > 0)) {
    return InvalidArgument("{}: field '{}' holds numbers that do not fit together", config.where(), place);
  }
  for (double& frequency : *frequencies) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength > context / low) {
      frequency /= factor;
    } else if (wavelength > context / high) {
      const double smooth = (context / wavelength - low) / (high - low);
      frequency = (1 - smooth) * frequency / factor + smooth * frequency;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<double>> ReadRotaryFrequencies(const ConfigReader& config, const RotarySource& source,
                                                          int64_t rotary_dim) {
  TF_ASSIGN_OR_RETURN(const std::optional<double> new_theta, config.Real(source.new_place + "/rope_theta"));
  double theta;
  std::string place;
  if (new_theta) {
    theta = *new_theta;
    place = source.new_place;
  } else {
    TF_ASSIGN_OR_RETURN(theta, config.RealOr(source.old_theta, source.default_theta));
    place = source.old_scaling;
  }
  if (!(theta > 0)) return InvalidArgument("{}: the rotary base is {}, not positive", config.where(), theta);
  std::vector<double> frequencies = RotaryFrequencies(theta, rotary_dim);
  if (place.empty()) return frequencies;
  TF_ASSIGN_OR_RETURN(std::string type, config.StringOr(place + "/rope_type", ""));
  if (type.empty()) {
    TF_ASSIGN_OR_RETURN(type, config.StringOr(place + "/type", "default"));
  }
  if (type == "default") return frequencies;
  if (type == "linear") {
    TF_ASSIGN_OR_RETURN(const double factor, config.RequiredReal(place + "/factor"));
    if (!(factor > 0)) return InvalidArgument("{}: field '{}/factor' is not positive", config.where(), place);
    for (double& frequency : frequencies) frequency /= factor;
    return frequencies;
  }
  if (type == "llama3") {
    TF_RETURN_IF_ERROR(ScaleLlama3(config, place, &frequencies));
    return frequencies;
  }
  return Unimplemented("{}: rotary scaling '{}' is not supported; supported: default, linear, llama3", config.where(),
                       type);
}

}  // namespace toolformer
