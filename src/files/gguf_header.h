// The header of a GGUF file: metadata and the list of tensors, checked against the file's size.
#ifndef TOOLFORMER_SRC_FILES_GGUF_HEADER_H_
#define TOOLFORMER_SRC_FILES_GGUF_HEADER_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/file.h"
#include "src/files/gguf_value.h"
#include "src/files/tensor_table.h"

namespace toolformer {

// kResourceExhausted beyond these. The largest headers in use hold vocabularies of some megabytes.
inline constexpr uint64_t kMaxGgufHeaderBytes = 100'000'000;
inline constexpr uint64_t kMaxGgufEntries = uint64_t{1} << 16;
inline constexpr uint64_t kMaxGgufTensors = uint64_t{1} << 18;

struct GgufEntry {
  std::string_view key;
  GgufValue value;
};

struct GgufHeader {
  uint32_t version = 0;
  std::vector<GgufEntry> entries;     // in the order of the file; keys are unique
  std::vector<StoredTensor> tensors;  // in the order of the file; ranges lie within the file and do not overlap
};

// Views and data point into `file`. kInvalidArgument (names the field and its offset), kUnimplemented (another version,
// an unknown type, a nested array), kResourceExhausted.
absl::StatusOr<GgufHeader> ParseGgufHeader(const MappedFile& file);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_GGUF_HEADER_H_
