// safetensors, read-only: one file, or a folder whose index names its shards. Writing is in weight_file.h.
#ifndef TOOLFORMER_SRC_FILES_SAFETENSORS_H_
#define TOOLFORMER_SRC_FILES_SAFETENSORS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "toolformer/weight_file.h"

namespace toolformer {

inline constexpr char kSafetensorsFileName[] = "model.safetensors";
inline constexpr char kSafetensorsIndexName[] = "model.safetensors.index.json";

absl::StatusOr<std::unique_ptr<WeightFile>> OpenSafetensors(const std::string& path);

// The shards that `folder`/model.safetensors.index.json names. Each must be a plain file name; together they must hold
// exactly the tensors of the index, each in the shard that the index states.
absl::StatusOr<std::unique_ptr<WeightFile>> OpenShardedSafetensors(const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_SAFETENSORS_H_
