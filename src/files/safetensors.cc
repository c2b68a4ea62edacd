#include "src/files/safetensors.h"

#include "src/files/mapped_weights.h"
#include "src/files/safetensors_header.h"

namespace toolformer {

absl::StatusOr<std::unique_ptr<WeightFile>> OpenSafetensors(const std::string& path) {
  return OpenWeights(path, "safetensors", ParseSafetensorsHeader);
}

absl::StatusOr<std::unique_ptr<WeightFile>> OpenShardedSafetensors(const std::string& folder) {
  return OpenWeightShards(folder, kSafetensorsIndexName, "safetensors", ParseSafetensorsHeader);
}

}  // namespace toolformer
