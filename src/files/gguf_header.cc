#include "src/files/gguf_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "src/base/checked.h"
#include "src/base/status.h"
#include "src/files/printable.h"

namespace toolformer {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kMaxKeyBytes = 65535;  // of the format
constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
// The least bytes that one of them takes: what remains of the file bounds their number.
constexpr uint64_t kLeastEntryBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kLeastTensorBytes = 8 + 1 + 4 + 4 + 8;

// Reads the header field by field. Every size is compared with what remains before it is used.
class Cursor {
 public:
  explicit Cursor(const MappedFile& file) : path_(file.path()), bytes_(file.bytes()) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  // What messages call the thing whose fields are being read: "tensor 'output.weight'".
  void set_subject(std::string subject) { subject_ = std::move(subject); }

  template <typename... Args>
  absl::Status Fault(std::string_view field, uint64_t at, fmt::format_string<Args...> format, Args&&... args) const {
    return absl::InvalidArgumentError(Where(field, at) + fmt::format(format, std::forward<Args>(args)...));
  }
  std::string Where(std::string_view field, uint64_t at) const {
    return fmt::format("{}: {}, {} at byte {}: ", path_, subject_, field, at);
  }

  absl::StatusOr<std::span<const uint8_t>> Take(std::string_view field, uint64_t size) {
    if (size > remaining()) {
      return Fault(field, offset_, "needs {} bytes, {} remain in the file", size, remaining());
    }
    if (size > kMaxGgufHeaderBytes - offset_) {
      return absl::ResourceExhaustedError(Where(field, offset_) +
                                          fmt::format("the header exceeds {} bytes", kMaxGgufHeaderBytes));
    }
    const std::span<const uint8_t> taken = bytes_.subspan(offset_, size);
    offset_ += size;
    return taken;
  }

  template <typename T>
  absl::StatusOr<T> Number(std::string_view field) {
    TF_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, Take(field, sizeof(T)));
    T number;
    std::memcpy(&number, bytes.data(), sizeof(T));
    return number;
  }

  absl::StatusOr<std::string_view> Text(std::string_view field) {
    TF_ASSIGN_OR_RETURN(const uint64_t length, Number<uint64_t>(field));
    TF_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, Take(field, length));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  // A number of things that take at least `least_bytes` each.
  absl::StatusOr<uint64_t> Count(std::string_view field, uint64_t least_bytes) {
    const uint64_t at = offset_;
    TF_ASSIGN_OR_RETURN(const uint64_t count, Number<uint64_t>(field));
    if (count > remaining() / least_bytes) {
      return Fault(field, at, "states {}, for which the {} bytes that remain are too few", count, remaining());
    }
    return count;
  }

 private:
  const std::string& path_;
  const std::span<const uint8_t> bytes_;
  uint64_t offset_ = 0;
  std::string subject_ = "header";
};

struct PendingTensor {
  StoredTensor stored;
  uint64_t begin = 0;      // within the data section
  uint64_t offset_at = 0;  // where the file states `begin`
};

class Parser {
 public:
  explicit Parser(const MappedFile& file) : file_(file), cursor_(file) {}

  absl::StatusOr<GgufHeader> Parse() {
    TF_RETURN_IF_ERROR(ReadVersion());
    TF_ASSIGN_OR_RETURN(const uint64_t tensor_count, Limited("tensor count", kLeastTensorBytes, kMaxGgufTensors));
    TF_ASSIGN_OR_RETURN(const uint64_t entry_count, Limited("metadata count", kLeastEntryBytes, kMaxGgufEntries));
    TF_RETURN_IF_ERROR(ReadEntries(entry_count));
    TF_RETURN_IF_ERROR(ReadTensors(tensor_count));
    TF_RETURN_IF_ERROR(PlaceTensors());
    return std::move(header_);
  }

 private:
  absl::Status ReadVersion();
  absl::StatusOr<uint64_t> Limited(std::string_view field, uint64_t least_bytes, uint64_t limit);
  absl::Status ReadEntries(uint64_t count);
  absl::StatusOr<GgufType> ReadType(std::string_view field);
  absl::StatusOr<GgufValue> ReadValue();
  absl::Status ReadArray(GgufValue* value);
  absl::Status CheckBools(std::span<const uint8_t> bytes, uint64_t at);
  absl::Status ReadAlignment(const GgufEntry& entry, uint64_t at);
  absl::Status CheckKeysUnique() const;
  absl::Status ReadTensors(uint64_t count);
  absl::Status ReadTensor(uint64_t index);
  absl::Status PlaceTensors();

  const MappedFile& file_;
  Cursor cursor_;
  GgufHeader header_;
  uint64_t alignment_ = kDefaultAlignment;
  std::vector<PendingTensor> pending_;
};

absl::Status Parser::ReadVersion() {
  TF_ASSIGN_OR_RETURN(const std::span<const uint8_t> magic, cursor_.Take("magic", kMagic.size()));
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    return cursor_.Fault("magic", 0, "is '{}' where 'GGUF' must be",
                         Printable({reinterpret_cast<const char*>(magic.data()), magic.size()}));
  }
  TF_ASSIGN_OR_RETURN(header_.version, cursor_.Number<uint32_t>("version"));
  if (header_.version == 2 || header_.version == 3) return absl::OkStatus();
  const uint32_t swapped = __builtin_bswap32(header_.version);
  const char* hint = swapped >= 1 && swapped <= 0xffff ? " (written big-endian)" : "";
  return Unimplemented("{}GGUF version {}{} is not supported; supported are versions 2 and 3, little-endian",
                       cursor_.Where("version", kMagic.size()), header_.version, hint);
}

absl::StatusOr<uint64_t> Parser::Limited(std::string_view field, uint64_t least_bytes, uint64_t limit) {
  const uint64_t at = cursor_.offset();
  TF_ASSIGN_OR_RETURN(const uint64_t count, cursor_.Count(field, least_bytes));
  if (count > limit) {
    return ResourceExhausted("{}states {}, more than the limit of {}", cursor_.Where(field, at), count, limit);
  }
  return count;
}

absl::Status Parser::ReadEntries(uint64_t count) {
  header_.entries.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    cursor_.set_subject(fmt::format("metadata {}", i));
    const uint64_t key_at = cursor_.offset();
    TF_ASSIGN_OR_RETURN(const std::string_view key, cursor_.Text("key"));
    if (key.empty()) return cursor_.Fault("key", key_at, "is empty");
    if (key.size() > kMaxKeyBytes) {
      return cursor_.Fault("key", key_at, "has {} bytes, more than {}", key.size(), kMaxKeyBytes);
    }
    if (!IsProperName(key)) {
      return cursor_.Fault("key", key_at, "'{}' holds a control character or is not UTF-8", Printable(key));
    }
    cursor_.set_subject(fmt::format("metadata '{}'", Printable(key)));
    const uint64_t value_at = cursor_.offset();
    TF_ASSIGN_OR_RETURN(const GgufValue value, ReadValue());
    header_.entries.push_back({key, value});
    if (key == kAlignmentKey) TF_RETURN_IF_ERROR(ReadAlignment(header_.entries.back(), value_at));
  }
  return CheckKeysUnique();
}

absl::StatusOr<GgufType> Parser::ReadType(std::string_view field) {
  const uint64_t at = cursor_.offset();
  TF_ASSIGN_OR_RETURN(const uint32_t type, cursor_.Number<uint32_t>(field));
  if (type >= kGgufTypeCount) return cursor_.Fault(field, at, "{} is not a type of GGUF", type);
  return static_cast<GgufType>(type);
}

absl::StatusOr<GgufValue> Parser::ReadValue() {
  GgufValue value;
  TF_ASSIGN_OR_RETURN(value.type, ReadType("value type"));
  const uint64_t at = cursor_.offset();
  if (value.type == GgufType::kArray) {
    TF_RETURN_IF_ERROR(ReadArray(&value));
  } else if (value.type == GgufType::kString) {
    TF_ASSIGN_OR_RETURN(const std::string_view text, cursor_.Text("value"));
    value.bytes = {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  } else {
    TF_ASSIGN_OR_RETURN(value.bytes, cursor_.Take("value", GgufTypeBytes(value.type)));
    if (value.type == GgufType::kBool) TF_RETURN_IF_ERROR(CheckBools(value.bytes, at));
  }
  return value;
}

absl::Status Parser::ReadArray(GgufValue* value) {
  TF_ASSIGN_OR_RETURN(value->element, ReadType("element type"));
  if (value->element == GgufType::kArray) {
    return absl::UnimplementedError(cursor_.Where("element type", cursor_.offset() - 4) +
                                    "arrays of arrays are not supported; arrays hold numbers, bools or strings");
  }
  const bool strings = value->element == GgufType::kString;
  const uint64_t least = strings ? sizeof(uint64_t) : GgufTypeBytes(value->element);
  TF_ASSIGN_OR_RETURN(value->count, cursor_.Count("array length", least));
  const uint64_t at = cursor_.offset();
  if (!strings) {
    TF_ASSIGN_OR_RETURN(value->bytes, cursor_.Take("array", value->count * least));
    return value->element == GgufType::kBool ? CheckBools(value->bytes, at) : absl::OkStatus();
  }
  for (uint64_t i = 0; i < value->count; ++i) {
    const absl::StatusOr<std::string_view> text = cursor_.Text("array element");
    if (!text.ok()) return text.status();
  }
  value->bytes = file_.bytes().subspan(at, cursor_.offset() - at);
  return absl::OkStatus();
}

absl::Status Parser::CheckBools(std::span<const uint8_t> bytes, uint64_t at) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] > 1) return cursor_.Fault("bool", at + i, "is {}; must be 0 or 1", bytes[i]);
  }
  return absl::OkStatus();
}

absl::Status Parser::ReadAlignment(const GgufEntry& entry, uint64_t at) {
  if (entry.value.type != GgufType::kUint32) {
    return cursor_.Fault("value type", at, "is {}; must be u32", GgufTypeName(entry.value));
  }
  const uint64_t alignment = static_cast<uint64_t>(*GgufInteger(entry.value, 0));
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    return cursor_.Fault("value", at + 4, "is {}; must be a power of two up to {}", alignment, kMaxAlignment);
  }
  alignment_ = alignment;
  return absl::OkStatus();
}

absl::Status Parser::CheckKeysUnique() const {
  std::vector<std::string_view> keys;
  keys.reserve(header_.entries.size());
  for (const GgufEntry& entry : header_.entries) keys.push_back(entry.key);
  // Equal keys end up side by side, the one that comes later in the file second.
  std::sort(keys.begin(), keys.end(), [](std::string_view a, std::string_view b) {
    const int order = a.compare(b);
    return order != 0 ? order < 0 : a.data() < b.data();
  });
  const auto twin = std::adjacent_find(keys.begin(), keys.end());
  if (twin == keys.end()) return absl::OkStatus();
  const auto* text = reinterpret_cast<const uint8_t*>((twin + 1)->data());
  const uint64_t at = static_cast<uint64_t>(text - file_.bytes().data()) - sizeof(uint64_t);  // of the key's length
  return InvalidArgument("{}: metadata, key at byte {}: '{}' appears twice", file_.path(), at, Printable(*twin));
}

absl::Status Parser::ReadTensors(uint64_t count) {
  cursor_.set_subject("header");
  if (count > cursor_.remaining() / kLeastTensorBytes) {  // the metadata has taken its share since the first check
    return cursor_.Fault("tensor list", cursor_.offset(),
                         "has {} tensors, for which the {} bytes that remain are too few", count, cursor_.remaining());
  }
  pending_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) TF_RETURN_IF_ERROR(ReadTensor(i));
  return absl::OkStatus();
}

absl::Status Parser::ReadTensor(uint64_t index) {
  cursor_.set_subject(fmt::format("tensor {}", index));
  PendingTensor tensor;
  TensorInfo& info = tensor.stored.info;
  const uint64_t name_at = cursor_.offset();
  TF_ASSIGN_OR_RETURN(const std::string_view name, cursor_.Text("name"));
  if (const std::optional<std::string> fault = TensorNameFault(name)) {
    return cursor_.Fault("name", name_at, "'{}' {}", Printable(name), *fault);
  }
  info.name = std::string(name);
  cursor_.set_subject(fmt::format("tensor '{}'", Printable(name)));

  const uint64_t rank_at = cursor_.offset();
  TF_ASSIGN_OR_RETURN(const uint32_t rank, cursor_.Number<uint32_t>("rank"));
  if (rank > kMaxRank) return cursor_.Fault("rank", rank_at, "is {}, more than the limit of {}", rank, kMaxRank);
  const uint64_t shape_at = cursor_.offset();
  info.shape.resize(rank);
  for (uint32_t i = 0; i < rank; ++i) {
    const uint64_t at = cursor_.offset();
    TF_ASSIGN_OR_RETURN(const uint64_t dimension, cursor_.Number<uint64_t>("dimension"));
    if (dimension == 0) return cursor_.Fault("dimension", at, "is 0");
    if (dimension > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return cursor_.Fault("dimension", at, "{} does not fit 63 bits", dimension);
    }
    info.shape[rank - 1 - i] = static_cast<int64_t>(dimension);  // GGUF states the innermost first
  }

  const uint64_t type_at = cursor_.offset();
  TF_ASSIGN_OR_RETURN(const uint32_t type, cursor_.Number<uint32_t>("type"));
  tensor.stored.type = FindGgmlType(type);
  if (tensor.stored.type == nullptr) {
    return Unimplemented("{}tensor type {} is unknown; supported are {}", cursor_.Where("type", type_at), type,
                         ReadableTypes());
  }
  info.type = std::string(tensor.stored.type->name);
  if (const absl::Status measured = MeasureTensor(&tensor.stored); !measured.ok()) {
    return cursor_.Fault("dimensions", shape_at, "{}", std::string(measured.message()));
  }
  tensor.offset_at = cursor_.offset();
  TF_ASSIGN_OR_RETURN(tensor.begin, cursor_.Number<uint64_t>("offset"));
  if (tensor.begin % alignment_ != 0) {
    return cursor_.Fault("offset", tensor.offset_at, "{} is not a multiple of the alignment {}", tensor.begin,
                         alignment_);
  }
  pending_.push_back(std::move(tensor));
  return absl::OkStatus();
}

absl::Status Parser::PlaceTensors() {
  if (pending_.empty()) return absl::OkStatus();
  // Neither sum wraps: both are at most the limit of a header's bytes plus the largest alignment.
  const uint64_t data_begin = (cursor_.offset() + alignment_ - 1) / alignment_ * alignment_;
  const uint64_t file_size = file_.bytes().size();
  const uint64_t data_size = file_size > data_begin ? file_size - data_begin : 0;

  std::vector<size_t> order(pending_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return std::pair(pending_[a].begin, a) < std::pair(pending_[b].begin, b); });
  uint64_t previous_end = 0;
  const PendingTensor* previous = nullptr;
  for (const size_t index : order) {
    const PendingTensor& tensor = pending_[index];
    const TensorInfo& info = tensor.stored.info;
    cursor_.set_subject(fmt::format("tensor '{}'", Printable(info.name)));
    const std::optional<uint64_t> end = CheckedAdd(tensor.begin, info.bytes);
    if (!end || *end > data_size) {
      return cursor_.Fault("offset", tensor.offset_at, "{} bytes from {} on end past the {} bytes of data", info.bytes,
                           tensor.begin, data_size);
    }
    if (previous != nullptr && tensor.begin < previous_end) {
      return cursor_.Fault("offset", tensor.offset_at, "{} lies within tensor '{}', which ends at {}", tensor.begin,
                           Printable(previous->stored.info.name), previous_end);
    }
    previous_end = *end;
    previous = &tensor;
  }

  header_.tensors.reserve(pending_.size());
  for (PendingTensor& tensor : pending_) {
    tensor.stored.data = file_.bytes().data() + data_begin + tensor.begin;
    header_.tensors.push_back(std::move(tensor.stored));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GgufHeader> ParseGgufHeader(const MappedFile& file) { return Parser(file).Parse(); }

}  // namespace toolformer
