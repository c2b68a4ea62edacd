// The JSON header of a safetensors file (https://github.com/huggingface/safetensors#format).
#ifndef TOOLFORMER_SRC_FILES_SAFETENSORS_HEADER_H_
#define TOOLFORMER_SRC_FILES_SAFETENSORS_HEADER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "src/base/file.h"
#include "src/files/mapped_weights.h"

namespace toolformer {

inline constexpr uint64_t kSafetensorsPrefixBytes = 8;  // the header's length
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = uint64_t{16} << 20;

// Metadata of "__metadata__", in the order of the file; tensors that together cover the file's data without hole or
// overlap. Data points into `file`. kInvalidArgument (names the tensor and the field), kUnimplemented (an unknown
// type), kResourceExhausted (a header beyond the limit).
absl::StatusOr<WeightList> ParseSafetensorsHeader(const MappedFile& file);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_SAFETENSORS_HEADER_H_
