#include "src/files/gguf_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "src/files/printable.h"

namespace toolformer {
namespace {

constexpr uint64_t kShownElements = 4;
constexpr size_t kShownElementBytes = 40;

struct TypeRow {
  std::string_view name;
  uint64_t bytes;
};
constexpr TypeRow kTypes[kGgufTypeCount] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};
const TypeRow& Row(GgufType type) { return kTypes[static_cast<uint32_t>(type)]; }

GgufType ElementType(const GgufValue& value) { return value.type == GgufType::kArray ? value.element : value.type; }

template <typename T>
T LoadElement(const GgufValue& value, uint64_t index) {
  T number;
  std::memcpy(&number, value.bytes.data() + index * sizeof(T), sizeof(T));
  return number;
}

std::string PrintNumber(const GgufValue& value, uint64_t index) {
  switch (ElementType(value)) {
    case GgufType::kBool:
      return LoadElement<uint8_t>(value, index) != 0 ? "true" : "false";
    case GgufType::kFloat32:
      return fmt::format("{}", LoadElement<float>(value, index));
    case GgufType::kFloat64:
      return fmt::format("{}", LoadElement<double>(value, index));
    case GgufType::kUint64:
      return fmt::format("{}", LoadElement<uint64_t>(value, index));
    default:
      return fmt::format("{}", GgufInteger(value, index).value_or(0));
  }
}

std::string PrintArray(const GgufValue& value) {
  std::string out = fmt::format("{} x {} [", value.count, Row(value.element).name);
  const uint64_t shown = std::min(value.count, kShownElements);
  std::vector<std::string_view> texts;
  if (value.element == GgufType::kString) texts = GgufTexts(value, shown);
  for (uint64_t i = 0; i < shown; ++i) {
    if (i > 0) out += ", ";
    out += value.element == GgufType::kString ? '"' + Printable(texts[i], kShownElementBytes) + '"'
                                              : PrintNumber(value, i);
  }
  return out + (shown < value.count ? ", ...]" : "]");
}

}  // namespace

uint64_t GgufTypeBytes(GgufType type) { return Row(type).bytes; }

bool IsGgufInteger(GgufType type) {
  return type <= GgufType::kInt32 || type == GgufType::kUint64 || type == GgufType::kInt64;
}

std::string GgufTypeName(const GgufValue& value) {
  if (value.type == GgufType::kArray) return fmt::format("array of {}", Row(value.element).name);
  return std::string(Row(value.type).name);
}

std::optional<int64_t> GgufInteger(const GgufValue& value, uint64_t index) {
  switch (ElementType(value)) {
    case GgufType::kUint8:
      return LoadElement<uint8_t>(value, index);
    case GgufType::kInt8:
      return LoadElement<int8_t>(value, index);
    case GgufType::kUint16:
      return LoadElement<uint16_t>(value, index);
    case GgufType::kInt16:
      return LoadElement<int16_t>(value, index);
    case GgufType::kUint32:
      return LoadElement<uint32_t>(value, index);
    case GgufType::kInt32:
      return LoadElement<int32_t>(value, index);
    case GgufType::kInt64:
      return LoadElement<int64_t>(value, index);
    case GgufType::kUint64: {
      const uint64_t number = LoadElement<uint64_t>(value, index);
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(number);
    }
    default:
      return std::nullopt;
  }
}

double GgufReal(const GgufValue& value, uint64_t index) {
  if (ElementType(value) == GgufType::kFloat64) return LoadElement<double>(value, index);
  return LoadElement<float>(value, index);
}

std::string_view GgufText(const GgufValue& value) {
  return {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};
}

std::vector<std::string_view> GgufTexts(const GgufValue& value, uint64_t limit) {
  std::vector<std::string_view> texts;
  const uint64_t wanted = std::min(value.count, limit);
  texts.reserve(wanted);
  std::string_view rest = GgufText(value);
  for (uint64_t i = 0; i < wanted; ++i) {
    uint64_t length;
    std::memcpy(&length, rest.data(), sizeof(length));
    texts.push_back(rest.substr(sizeof(length), length));
    rest.remove_prefix(sizeof(length) + length);
  }
  return texts;
}

std::string PrintGgufValue(const GgufValue& value) {
  if (value.type == GgufType::kArray) return PrintArray(value);
  if (value.type == GgufType::kString) return Printable(GgufText(value), std::string_view::npos);
  return PrintNumber(value, 0);
}

}  // namespace toolformer
