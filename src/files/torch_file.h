// Checkpoints of torch.save: the zip archives of torch 1.6 and later, and the older format without one. Pickles in them
// are read as data (pickle.h): no code of a file ever runs.
#ifndef TOOLFORMER_SRC_FILES_TORCH_FILE_H_
#define TOOLFORMER_SRC_FILES_TORCH_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "toolformer/weight_file.h"

namespace toolformer {

inline constexpr char kTorchFileName[] = "pytorch_model.bin";
inline constexpr char kTorchIndexName[] = "pytorch_model.bin.index.json";

// The tensors of a dictionary of tensors, or of the one that "state_dict" or "model" names in a dictionary. Values that
// are no tensors are left out; plain ones, and those of a wrapper and of the "opt" in it, are listed as metadata.
// Tensors may share memory and may have strides.
absl::StatusOr<std::unique_ptr<WeightFile>> OpenTorch(const std::string& path);

// The shards that `folder`/pytorch_model.bin.index.json names, under the rules of OpenWeightShards.
absl::StatusOr<std::unique_ptr<WeightFile>> OpenShardedTorch(const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_TORCH_FILE_H_
