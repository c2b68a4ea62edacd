// What every format with a list of tensors becomes: mapped files and a table of what is where in them.
#ifndef TOOLFORMER_SRC_FILES_MAPPED_WEIGHTS_H_
#define TOOLFORMER_SRC_FILES_MAPPED_WEIGHTS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/file.h"
#include "src/files/tensor_table.h"
#include "toolformer/weight_file.h"

namespace toolformer {

using WeightMetadata = std::vector<std::pair<std::string, std::string>>;

// What a file lists; data points into the file.
struct WeightList {
  WeightMetadata metadata;
  std::vector<StoredTensor> tensors;
};
using WeightListReader = absl::StatusOr<WeightList> (*)(const MappedFile& file);

// The file at `path`, listed by `read`. `format` is what WeightFile::format says.
absl::StatusOr<std::unique_ptr<WeightFile>> OpenWeights(const std::string& path, std::string_view format,
                                                        WeightListReader read);

// The shards that the index `folder`/`index_name` names. Each must be a plain file name; together they must hold
// exactly the tensors of the index, each in the shard that the index states.
absl::StatusOr<std::unique_ptr<WeightFile>> OpenWeightShards(const std::string& folder, const std::string& index_name,
                                                             std::string_view format, WeightListReader read);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_MAPPED_WEIGHTS_H_
