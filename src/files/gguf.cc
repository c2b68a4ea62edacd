#include "src/files/gguf.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/files/gguf_header.h"
#include "src/files/printable.h"
#include "src/files/tensor_table.h"

namespace toolformer {
namespace {

bool IsReal(GgufType type) { return type == GgufType::kFloat32 || type == GgufType::kFloat64; }

class MappedGguf : public GgufFile {
 public:
  MappedGguf(std::unique_ptr<MappedFile> file, GgufHeader header, TensorTable table)
      : file_(std::move(file)),
        format_(fmt::format("GGUF v{}", header.version)),
        entries_(std::move(header.entries)),
        table_(std::move(table)) {
    by_key_.reserve(entries_.size());
    for (const GgufEntry& entry : entries_) by_key_.push_back(&entry);
    std::sort(by_key_.begin(), by_key_.end(), [](const GgufEntry* a, const GgufEntry* b) { return a->key < b->key; });
  }

  const std::string& path() const override { return file_->path(); }
  std::string_view format() const override { return format_; }
  std::vector<std::pair<std::string, std::string>> metadata() const override {
    std::vector<std::pair<std::string, std::string>> printed;
    printed.reserve(entries_.size());
    for (const GgufEntry& entry : entries_) printed.emplace_back(entry.key, PrintGgufValue(entry.value));
    return printed;
  }
  const std::vector<TensorInfo>& tensors() const override { return table_.infos(); }
  absl::Status ReadF32(std::string_view name, int64_t first, std::span<float> out) const override {
    return table_.ReadF32(name, first, out);
  }
  absl::Status ReadBF16(std::string_view name, int64_t first, std::span<uint16_t> out) const override {
    return table_.ReadBF16(name, first, out);
  }
  void DoneWith(std::string_view name) const override { table_.DoneWith(name); }

  absl::StatusOr<std::optional<std::string_view>> String(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kString) return WrongType(key, *value, "a string");
    return GgufText(*value);
  }

  absl::StatusOr<std::optional<int64_t>> Integer(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (!IsGgufInteger(value->type)) return WrongType(key, *value, "an integer");
    const std::optional<int64_t> number = GgufInteger(*value, 0);
    if (!number) return TooLarge(key);
    return number;
  }

  absl::StatusOr<std::optional<double>> Real(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (!IsReal(value->type)) return WrongType(key, *value, "f32 or f64");
    return GgufReal(*value, 0);
  }

  absl::StatusOr<std::optional<bool>> Boolean(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kBool) return WrongType(key, *value, "a bool");
    return std::optional<bool>(value->bytes[0] != 0);
  }

  absl::StatusOr<std::optional<std::vector<std::string_view>>> Strings(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (!IsArrayOf(*value, GgufType::kString)) return WrongType(key, *value, "an array of string");
    return GgufTexts(*value, std::numeric_limits<uint64_t>::max());
  }

  absl::StatusOr<std::optional<std::vector<int64_t>>> Integers(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kArray || !IsGgufInteger(value->element)) {
      return WrongType(key, *value, "an array of integers");
    }
    std::vector<int64_t> numbers(value->count);
    for (uint64_t i = 0; i < value->count; ++i) {
      const std::optional<int64_t> number = GgufInteger(*value, i);
      if (!number) return TooLarge(key);
      numbers[i] = *number;
    }
    return numbers;
  }

  absl::StatusOr<std::optional<std::vector<float>>> Reals(std::string_view key) const override {
    const GgufValue* value = Get(key);
    if (value == nullptr) return std::nullopt;
    if (!IsArrayOf(*value, GgufType::kFloat32)) return WrongType(key, *value, "an array of f32");
    std::vector<float> numbers(value->count);
    if (!numbers.empty()) ConvertF32(value->bytes.data(), numbers.size(), numbers.data());
    return numbers;
  }

 private:
  static bool IsArrayOf(const GgufValue& value, GgufType element) {
    return value.type == GgufType::kArray && value.element == element;
  }

  const GgufValue* Get(std::string_view key) const {
    const auto found =
        std::lower_bound(by_key_.begin(), by_key_.end(), key,
                         [](const GgufEntry* entry, std::string_view wanted) { return entry->key < wanted; });
    return found == by_key_.end() || (*found)->key != key ? nullptr : &(*found)->value;
  }

  absl::Status WrongType(std::string_view key, const GgufValue& value, std::string_view wanted) const {
    return InvalidArgument("{}: metadata '{}' is {} where {} is wanted", path(), Printable(key), GgufTypeName(value),
                           wanted);
  }
  absl::Status TooLarge(std::string_view key) const {
    return InvalidArgument("{}: metadata '{}' holds an integer above {}", path(), Printable(key),
                           std::numeric_limits<int64_t>::max());
  }

  const std::unique_ptr<MappedFile> file_;
  const std::string format_;
  const std::vector<GgufEntry> entries_;
  std::vector<const GgufEntry*> by_key_;
  const TensorTable table_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::Open(const std::string& path) {
  TF_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  TF_ASSIGN_OR_RETURN(GgufHeader header, ParseGgufHeader(*file));
  TF_ASSIGN_OR_RETURN(TensorTable table, TensorTable::Build(std::move(header.tensors), path));
  return std::unique_ptr<GgufFile>(new MappedGguf(std::move(file), std::move(header), std::move(table)));
}

}  // namespace toolformer
