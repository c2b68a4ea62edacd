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
  const uint8_t* data = nullptr;  // of the first element; any alignment
  std::vector<int64_t> strides;   // in elements, of types whose block is one; none: row-major without gaps
};

// What is wrong with `name` as a tensor's name, or nothing: "is empty", "has 300 bytes, more than the limit of 255",
// ...
std::optional<std::string> TensorNameFault(std::string_view name);

// Sets elements and bytes of `tensor` from its type and shape. The message of kInvalidArgument says what is wrong
// with the shape and no more: sizes that do not fit, a row that is no whole number of blocks.
absl::Status MeasureTensor(StoredTensor* tensor);

// How many elements lie between the first of the tensor's in memory and the end of its last; nothing where that does
// not fit 64 bits. Of a measured tensor with strides.
std::optional<uint64_t> StridedExtent(const StoredTensor& tensor);

// Sorted by name; immutable.
class TensorTable {
 public:
  TensorTable() = default;

  // kInvalidArgument where two tensors have one name.
  static absl::StatusOr<TensorTable> Build(std::vector<StoredTensor> tensors, const std::string& path);

  const std::vector<TensorInfo>& infos() const { return infos_; }

  // Of WeightFile.
  absl::Status ReadF32(std::string_view name, int64_t first, std::span<float> out) const;
  absl::Status ReadBF16(std::string_view name, int64_t first, std::span<uint16_t> out) const;
  void DoneWith(std::string_view name) const;

 private:
  struct Place {
    const TensorType* type;
    const uint8_t* data;
    uint64_t extent;  // bytes from the first element's to the last's
    std::vector<int64_t> strides;
  };
  // The index of the tensor, of which elements [first, first + count) are known to be there and readable.
  absl::StatusOr<size_t> Locate(std::string_view name, int64_t first, size_t count) const;
  void Read(size_t index, uint64_t first, std::span<float> out) const;

  std::string path_;
  std::vector<TensorInfo> infos_;
  std::vector<Place> places_;  // parallel to infos_
};

// The index of `name` in `infos`, which are sorted by name.
std::optional<size_t> FindTensor(std::span<const TensorInfo> infos, std::string_view name);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_TENSOR_TABLE_H_
