// The rotary settings of config.json in their old (rope_theta, rope_scaling) and new (rope_parameters) places.
#ifndef TOOLFORMER_SRC_MODEL_ROTARY_SCALING_H_
#define TOOLFORMER_SRC_MODEL_ROTARY_SCALING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/config_reader.h"

namespace toolformer {

// Where the settings stand, and what holds where they do not.
struct RotarySource {
  std::string new_place = "rope_parameters";  // the object of rope_parameters, possibly nested
  std::string old_theta = "rope_theta";
  std::string old_scaling = "rope_scaling";  // empty: this table was never scaled
  double default_theta = 10000.0;
};

// Inverse frequencies for `rotary_dim` dimensions. Types: default, linear, llama3; kUnimplemented names any other.
absl::StatusOr<std::vector<double>> ReadRotaryFrequencies(const ConfigReader& config, const RotarySource& source,
                                                          int64_t rotary_dim);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_ROTARY_SCALING_H_
