// Pickles of tensors, as torch.save writes them, read as data: an opcode or a name beyond what tensors need is refused,
// and nothing is ever called, imported or constructed.
#ifndef TOOLFORMER_SRC_FILES_PICKLE_H_
#define TOOLFORMER_SRC_FILES_PICKLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/files/tensor_type.h"

namespace toolformer {

// kResourceExhausted beyond these. A checkpoint of ten thousand tensors takes some megabytes.
inline constexpr uint64_t kMaxPickleBytes = uint64_t{64} << 20;
inline constexpr size_t kMaxPickleValues = size_t{1} << 21;
inline constexpr size_t kMaxPickleStack = size_t{1} << 20;
inline constexpr size_t kMaxPickleTensors = size_t{1} << 18;

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInteger,
  kReal,
  kText,   // also the name of a torch.device
  kBytes,  // also integers beyond 64 bits
  kTuple,  // also torch.Size
  kList,
  kDict,    // also collections.OrderedDict, and the attributes of an argparse.Namespace
  kGlobal,  // one of the names that tensors need
  kStorage,
  kTensor,
};

using PickleId = uint32_t;  // of a value within its pickle

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  uint32_t index = 0;  // kTuple, kList, kDict: of the items; kGlobal, kStorage, kTensor: of the thing
  union {
    int64_t integer = 0;  // kBool, kInteger
    double real;          // kReal
  };
  std::string_view text;  // kText, kBytes; into the file
};

// Bytes that lie elsewhere in the file.
struct PickledStorage {
  std::string_view key;
  const TensorType* type = nullptr;  // null: untyped, `count` is in bytes
  int64_t count = 0;
};

struct PickledTensor {
  uint32_t storage = 0;
  const TensorType* type = nullptr;
  int64_t offset = 0;  // in elements; like the rest not negative, but not compared with the storage yet
  std::vector<int64_t> shape, strides;  // equally many, at most kMaxRank
};

// One pickle, read. Values may refer to each other in circles.
struct Pickle {
  PickleValue root;
  std::vector<PickleValue> values;
  std::vector<std::vector<PickleId>> items;  // of a dictionary: key, value, key, value, ...
  std::vector<PickledStorage> storages;
  std::vector<PickledTensor> tensors;
  uint64_t end = 0;  // the byte after it

  std::span<const PickleId> ItemsOf(const PickleValue& value) const { return items[value.index]; }
};

// The pickle that begins at `bytes[begin]`, protocols 2 to 5. Texts point into `bytes`. Messages state what is wrong at
// which byte; the caller adds the name of the file. kInvalidArgument (damaged, or refers to what is no tensor),
// kUnimplemented (an opcode that tensors do not need, a kind of tensor that is not supported), kResourceExhausted.
absl::StatusOr<Pickle> ReadPickle(std::span<const uint8_t> bytes, uint64_t begin);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_PICKLE_H_
