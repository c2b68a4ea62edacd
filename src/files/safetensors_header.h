// The JSON header of a safetensors file (https://github.com/huggingface/safetensors#format).
#ifndef TOOLFORMER_SRC_FILES_SAFETENSORS_HEADER_H_
#define TOOLFORMER_SRC_FILES_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/file.h"
#include "src/files/tensor_table.h"

namespace toolformer {

inline constexpr uint64_t kSafetensorsPrefixBytes = 8;  // the header's length
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = uint64_t{16} << 20;

struct SafetensorsHeader {
  std::vector<std::pair<std::string, std::string>> metadata;  // of "__metadata__", in the order of the file
  std::vector<StoredTensor> tensors;  // together they cover the file's data without hole or overlap
};

// Data points into `file`. kInvalidArgument (names the tensor and the field), kUnimplemented (an unknown type),
// kResourceExhausted (a header beyond the limit).
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(const MappedFile& file);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_SAFETENSORS_HEADER_H_
