// What is in a weight file: safetensors and PyTorch checkpoints (one file, or a folder with an index), and GGUF.
// Opening checks the whole header against the file's size before anything is allocated from a size that the file
// states; no code of a file ever runs.
#ifndef TOOLFORMER_WEIGHT_FILE_H_
#define TOOLFORMER_WEIGHT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
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

  // Opens `path`: a .gguf file, a .safetensors file, a checkpoint of torch.save (.bin, .pt, .pth), or a folder with the
  // first of model.safetensors, model.safetensors.index.json, pytorch_model.bin and pytorch_model.bin.index.json. The
  // format is told by the content, not the name. Of a checkpoint the dictionary of tensors is read, or the one that
  // "state_dict" or "model" names in it; its pickle is read as data, and one that refers to anything but tensors is
  // refused. Only headers are read, not the data. kNotFound, kInvalidArgument (corrupt, or no dictionary
  // of tensors: names the field and the offset), kUnimplemented (a future version, an unknown type, a compressed
  // archive: names it and what is supported), kResourceExhausted (a header beyond the limits), kUnavailable (the
  // system's reason).
  static absl::StatusOr<std::unique_ptr<WeightFile>> Open(const std::string& path);

  virtual std::string_view format() const = 0;  // "GGUF v3", "safetensors, 2 shards", "PyTorch", ...

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

  // The same as bfloat16 bits: BF16 tensors are copied as they are, all others rounded to the nearest, ties to even,
  // by way of f32. A NaN stays one and becomes quiet. Needs no memory of the tensor's size.
  virtual absl::Status ReadBF16(std::string_view name, int64_t first, std::span<uint16_t> out) const = 0;

  // A hint that the tensor is not going to be read again soon: its pages of the mapped file stop counting as resident
  // memory of the process. Harmless at any time and for any name; a later read fetches them anew.
  virtual void DoneWith(std::string_view name) const = 0;
};

// How a written tensor's numbers are stored.
enum class WrittenType { kFloat32, kBFloat16 };

// A tensor to be written, made only when its turn comes.
struct TOOLFORMER_API TensorToWrite {
  std::string name;
  std::vector<int64_t> shape;
  WrittenType type = WrittenType::kFloat32;
  // Called once, unless the tensor has no elements, with exactly its bytes, aligned for any type and not cleared: to be
  // filled row-major, little-endian. What it returns, if not OK, ends the writing.
  std::function<absl::Status(std::span<std::byte> out)> fill;
};

// Writes a safetensors file: a temporary file beside `path`, synced, then renamed over it; in case of failure `path` is
// as it was and the temporary file gone. f32 tensors come first (so that all are aligned), else the order of `tensors`
// is kept; memory for the largest of them is needed besides. kInvalidArgument (names, shapes), kUnavailable (names the
// file and the system's reason, a full disk among them), kResourceExhausted (no memory for a tensor), and what a `fill`
// returns.
TOOLFORMER_API absl::Status WriteSafetensors(const std::string& path, std::span<const TensorToWrite> tensors);

// Writes the tensors into an existing folder as Hugging Face does: model.safetensors where their bytes are at most
// `max_shard_bytes`, else model-00001-of-0000n.safetensors and so on, and model.safetensors.index.json last of all. A
// tensor larger than the limit gets a shard of its own. Until all bytes are written the folder is as it was; then files
// that an earlier save left under such names, and that are no part of this one, are removed. Errors as above.
TOOLFORMER_API absl::Status WriteShardedSafetensors(const std::string& folder, std::span<const TensorToWrite> tensors,
                                                    uint64_t max_shard_bytes);

// A tensor to be written whose values are in memory.
struct TOOLFORMER_API F32Tensor {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> values;  // row-major; as many as the shape says
};
TOOLFORMER_API absl::Status WriteSafetensors(const std::string& path, std::span<const F32Tensor> tensors);

}  // namespace toolformer

#endif  // TOOLFORMER_WEIGHT_FILE_H_
