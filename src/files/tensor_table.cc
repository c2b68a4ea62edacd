#include "src/files/tensor_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "src/base/checked.h"
#include "src/base/status.h"
#include "src/files/page_hints.h"
#include "src/files/printable.h"
#include "src/files/strided.h"

namespace toolformer {
namespace {

constexpr size_t kChunkElements = 4096;  // on the stack; a multiple of every type's block
constexpr size_t kMaxElementBytes = 8;   // of the types whose block is one element

}  // namespace

std::optional<std::string> TensorNameFault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxTensorNameBytes) {
    return fmt::format("has {} bytes, more than the limit of {}", name.size(), kMaxTensorNameBytes);
  }
  if (!IsProperName(name)) return "holds a control character or is not UTF-8";
  return std::nullopt;
}

absl::Status MeasureTensor(StoredTensor* tensor) {
  const std::vector<int64_t>& shape = tensor->info.shape;
  const TensorType& type = *tensor->type;
  // A zero must not hide a product that wraps, so it is left out until the end.
  uint64_t elements = 1;
  bool empty = false;
  for (const int64_t dimension : shape) {
    if (dimension == 0) {
      empty = true;
      continue;
    }
    const std::optional<uint64_t> product = CheckedMul(elements, static_cast<uint64_t>(dimension));
    if (!product || *product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return InvalidArgument("the product of the dimensions [{}] does not fit 63 bits", fmt::join(shape, ", "));
    }
    elements = *product;
  }
  if (empty) elements = 0;
  const uint64_t row = shape.empty() ? 1 : static_cast<uint64_t>(shape.back());
  if (row % type.block_elements != 0) {
    return InvalidArgument("rows of {} elements are no whole number of {} blocks of {}", row, type.name,
                           type.block_elements);
  }
  const std::optional<uint64_t> bytes = CheckedMul(elements / type.block_elements, type.block_bytes);
  if (!bytes) return InvalidArgument("the size of [{}] in bytes does not fit 64 bits", fmt::join(shape, ", "));
  tensor->info.elements = static_cast<int64_t>(elements);
  tensor->info.bytes = *bytes;
  return absl::OkStatus();
}

std::optional<uint64_t> StridedExtent(const StoredTensor& tensor) {
  if (tensor.info.elements == 0) return 0;
  uint64_t last = 0;
  for (size_t d = 0; d < tensor.strides.size(); ++d) {
    const std::optional<uint64_t> reach =
        CheckedMul(static_cast<uint64_t>(tensor.info.shape[d] - 1), static_cast<uint64_t>(tensor.strides[d]));
    const std::optional<uint64_t> sum = reach ? CheckedAdd(last, *reach) : std::nullopt;
    if (!sum) return std::nullopt;
    last = *sum;
  }
  return CheckedAdd(last, 1);
}

absl::StatusOr<TensorTable> TensorTable::Build(std::vector<StoredTensor> tensors, const std::string& path) {
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.info.name < b.info.name; });
  TensorTable table;
  table.path_ = path;
  table.infos_.reserve(tensors.size());
  table.places_.reserve(tensors.size());
  for (StoredTensor& tensor : tensors) {
    if (!table.infos_.empty() && table.infos_.back().name == tensor.info.name) {
      return InvalidArgument("{}: two tensors have the name '{}'", path, Printable(tensor.info.name));
    }
    const uint64_t extent =
        tensor.strides.empty() ? tensor.info.bytes : *StridedExtent(tensor) * tensor.type->block_bytes;
    table.infos_.push_back(std::move(tensor.info));
    table.places_.push_back({tensor.type, tensor.data, extent, std::move(tensor.strides)});
  }
  return table;
}

absl::StatusOr<size_t> TensorTable::Locate(std::string_view name, int64_t first, size_t count) const {
  const std::optional<size_t> index = FindTensor(infos_, name);
  if (!index) return NotFound("{}: no tensor is named '{}'", path_, Printable(name));
  const TensorInfo& info = infos_[*index];
  const TensorType& type = *places_[*index].type;
  if (type.to_f32 == nullptr) {
    return Unimplemented("{}: tensor '{}' has type {}, which cannot be read as numbers; supported are {}", path_,
                         Printable(name), type.name, ReadableTypes());
  }
  const uint64_t elements = static_cast<uint64_t>(info.elements);
  const uint64_t begin = static_cast<uint64_t>(first);
  if (first < 0 || begin > elements || count > elements - begin) {
    return OutOfRange("{}: tensor '{}' has {} elements; {} from element {} on were asked for", path_, Printable(name),
                      elements, count, first);
  }
  if (begin % type.block_elements != 0 || count % type.block_elements != 0) {
    return OutOfRange("{}: tensor '{}' is read in blocks of {} elements; {} from element {} on were asked for", path_,
                      Printable(name), type.block_elements, count, first);
  }
  return *index;
}

void TensorTable::Read(size_t index, uint64_t first, std::span<float> out) const {
  const Place& place = places_[index];
  const TensorType& type = *place.type;
  if (place.strides.empty()) {
    type.to_f32(place.data + first / type.block_elements * type.block_bytes, out.size() / type.block_elements,
                out.data());
    return;
  }
  uint8_t chunk[kChunkElements * kMaxElementBytes];
  const StridedView view{place.data, type.block_bytes, infos_[index].shape, place.strides};
  while (!out.empty()) {
    const size_t count = std::min(out.size(), kChunkElements);
    GatherStrided(view, first, count, chunk);
    type.to_f32(chunk, count, out.data());
    first += count;
    out = out.subspan(count);
  }
}

absl::Status TensorTable::ReadF32(std::string_view name, int64_t first, std::span<float> out) const {
  TF_ASSIGN_OR_RETURN(const size_t index, Locate(name, first, out.size()));
  if (!out.empty()) Read(index, static_cast<uint64_t>(first), out);
  return absl::OkStatus();
}

absl::Status TensorTable::ReadBF16(std::string_view name, int64_t first, std::span<uint16_t> out) const {
  TF_ASSIGN_OR_RETURN(const size_t index, Locate(name, first, out.size()));
  const Place& place = places_[index];
  uint64_t begin = static_cast<uint64_t>(first);
  if (place.type->to_f32 == ConvertBf16 && !out.empty()) {
    if (place.strides.empty()) {
      std::memcpy(out.data(), place.data + 2 * begin, out.size_bytes());
    } else {
      GatherStrided({place.data, place.type->block_bytes, infos_[index].shape, place.strides}, begin, out.size(),
                    reinterpret_cast<uint8_t*>(out.data()));
    }
    return absl::OkStatus();
  }
  float chunk[kChunkElements];
  while (!out.empty()) {
    const std::span<float> values = std::span(chunk).first(std::min(out.size(), kChunkElements));
    Read(index, begin, values);
    RoundToBf16(values, out.data());
    begin += values.size();
    out = out.subspan(values.size());
  }
  return absl::OkStatus();
}

void TensorTable::DoneWith(std::string_view name) const {
  if (const std::optional<size_t> index = FindTensor(infos_, name)) {
    ReleasePages({places_[*index].data, places_[*index].extent});
  }
}

std::optional<size_t> FindTensor(std::span<const TensorInfo> infos, std::string_view name) {
  const auto found = std::lower_bound(infos.begin(), infos.end(), name,
                                      [](const TensorInfo& info, std::string_view key) { return info.name < key; });
  if (found == infos.end() || found->name != name) return std::nullopt;
  return static_cast<size_t>(found - infos.begin());
}

}  // namespace toolformer
