// A metadata value of a GGUF file, as it lies in the file.
#ifndef TOOLFORMER_SRC_FILES_GGUF_VALUE_H_
#define TOOLFORMER_SRC_FILES_GGUF_VALUE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toolformer {

// The numbers are those of the format.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};
inline constexpr uint32_t kGgufTypeCount = 13;

// Bytes of a number or a bool; 0 for strings and arrays.
uint64_t GgufTypeBytes(GgufType type);

// Whether `type` is one of the integer types.
bool IsGgufInteger(GgufType type);

// Checked when the header was read: lengths hold, bools are 0 or 1.
struct GgufValue {
  GgufType type = GgufType::kUint8;
  GgufType element = GgufType::kUint8;  // of an array
  uint64_t count = 0;                   // of an array's elements
  // The number, the string's text, or the array's elements (strings with the length of 8 bytes before each).
  std::span<const uint8_t> bytes;
};

// "u32", "string", "array of f32".
std::string GgufTypeName(const GgufValue& value);

// Elements of an array of numbers, or the only one of a number (index 0). Integer and Real want the type to be of that
// kind; Integer has nothing where the value is above INT64_MAX.
std::optional<int64_t> GgufInteger(const GgufValue& value, uint64_t index);
double GgufReal(const GgufValue& value, uint64_t index);

// A string's text.
std::string_view GgufText(const GgufValue& value);
// The first `limit` texts of an array of strings.
std::vector<std::string_view> GgufTexts(const GgufValue& value, uint64_t limit);

// For people: "30", "1e-05", "true", a text with control characters escaped, "49152 x string [\"a\", \"b\", ...]".
std::string PrintGgufValue(const GgufValue& value);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_GGUF_VALUE_H_
