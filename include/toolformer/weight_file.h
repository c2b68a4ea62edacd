// What is in a weight file: safetensors (one file, or a folder with an index) and GGUF. Opening checks the whole header
// against the file's size before anything is allocated from a size that the file states; no code of a file ever runs.
#ifndef TOOLFORMER_WEIGHT_FILE_H_
#define TOOLFORMER_WEIGHT_FILE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"

namespace toolformer {

struct TOOLFORMER_API TensorInfo {
  std::string name;
  std::string type;  // "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", ...
  std::vector<int64_t> shape;  // outermost dimension first, whatever the format's own order
  uint64_t bytes = 0;          // as stored
  int64_t elements = 0;
};

// An open weight file, memory-mapped. Const methods are safe to call from several threads at once.
class TOOLFORMER_API WeightFile {
 public:
  virtual ~WeightFile() = default;

  // Opens `path`: a .safetensors file, a .gguf file, or a folder with model.safetensors or
  // model.safetensors.index.json. The format is told by the content, not the name. kNotFound, kInvalidArgument
  // (corrupt: names the field and the offset), kUnimplemented (a pickle, a future version, an unknown type: names it
  // and what is supported), kResourceExhausted (a header beyond the limits), kUnavailable (the system's reason).
  static absl::StatusOr<std::unique_ptr<WeightFile>> Open(const std::string& path);

  virtual std::string_view format() const = 0;  // "GGUF v3", "safetensors", "safetensors, 2 shards"

  // Metadata in the order of the file, values printed; long arrays are shortened to their type, length and first
  // values.
  virtual std::vector<std::pair<std::string, std::string>> metadata() const = 0;

  // Sorted by name.
  virtual const std::vector<TensorInfo>& tensors() const = 0;

  // Null where there is none.
  const TensorInfo* Find(std::string_view name) const;

  // Converts elements [first, first + out.size()) of the tensor, in row-major order, to f32. For block-quantised types
  // `first` and the count must be multiples of the block (rows always are). kNotFound, kOutOfRange, kUnimplemented.
  virtual absl::Status ReadF32(std::string_view name, int64_t first, std::span<float> out) const = 0;
};

// A tensor to be written.
struct TOOLFORMER_API F32Tensor {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> values;  // row-major; as many as the shape says
};

// Writes a safetensors file: a temporary file beside `path`, synced, then renamed over it. kInvalidArgument,
// kUnavailable (names the file and the system's reason).
TOOLFORMER_API absl::Status WriteSafetensors(const std::string& path, std::span<const F32Tensor> tensors);

}  // namespace toolformer

#endif  // TOOLFORMER_WEIGHT_FILE_H_
