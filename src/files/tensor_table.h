// The tensors of an open weight file, whatever its format.
#ifndef TOOLFORMER_SRC_FILES_TENSOR_TABLE_H_
#define TOOLFORMER_SRC_FILES_TENSOR_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/files/tensor_type.h"
#include "toolformer/weight_file.h"

namespace toolformer {

inline constexpr size_t kMaxRank = 8;
inline constexpr size_t kMaxTensorNameBytes = 255;

// A tensor whose bytes are known to lie within the mapped file.
struct StoredTensor {
  TensorInfo info;
  const TensorType* type = nullptr;
  const uint8_t* data = nullptr;  // any alignment
};

// What is wrong with `name` as a tensor's name, or nothing: "is empty", "has 300 bytes, more than the limit of 255",
// ...
std::optional<std::string> TensorNameFault(std::string_view name);

// Sets elements and bytes of `tensor` from its type and shape. The message of kInvalidArgument says what is wrong
// with the shape and no more: sizes that do not fit, a row that is no whole number of blocks.
absl::Status MeasureTensor(StoredTensor* tensor);

// Sorted by name; immutable.
class TensorTable {
 public:
  TensorTable() = default;

  // kInvalidArgument where two tensors have one name.
  static absl::StatusOr<TensorTable> Build(std::vector<StoredTensor> tensors, const std::string& path);

  const std::vector<TensorInfo>& infos() const { return infos_; }

  // WeightFile::ReadF32.
  absl::Status ReadF32(std::string_view name, int64_t first, std::span<float> out) const;

 private:
  struct Place {
    const TensorType* type;
    const uint8_t* data;
  };
  std::string path_;
  std::vector<TensorInfo> infos_;
  std::vector<Place> places_;  // parallel to infos_
};

// The index of `name` in `infos`, which are sorted by name.
std::optional<size_t> FindTensor(std::span<const TensorInfo> infos, std::string_view name);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_TENSOR_TABLE_H_
