// Weight files built byte by byte, so that each of their fields can be made wrong.
#ifndef TOOLFORMER_TESTS_FILES_WEIGHT_IMAGES_H_
#define TOOLFORMER_TESTS_FILES_WEIGHT_IMAGES_H_

#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace toolformer::testing {

template <typename T>
std::string Encode(T number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof(number));
}

// A text with its length before it, as GGUF stores one.
inline std::string GgufString(std::string_view text) { return Encode<uint64_t>(text.size()) + std::string(text); }

// A metadata entry: key, type, and the value's bytes as they are.
inline std::string GgufEntryBytes(std::string_view key, uint32_t type, const std::string& value) {
  return GgufString(key) + Encode(type) + value;
}

struct GgufTensorImage {
  std::string name = GgufString("t");
  std::optional<uint32_t> rank;  // else as many as there are dimensions
  std::vector<uint64_t> dimensions;
  uint32_t type = 0;  // F32
  uint64_t offset = 0;
};

// A valid file of two tensors and two entries, before something is made wrong with it.
struct GgufImage {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count, entry_count;
  std::vector<std::string> entries = {GgufEntryBytes("general.alignment", 4, Encode<uint32_t>(32)),
                                      GgufEntryBytes("test.name", 8, GgufString("value"))};
  std::vector<GgufTensorImage> tensors = {{GgufString("first"), {}, {4, 2}, 0, 0},
                                          {GgufString("second"), {}, {32}, 8, 32}};
  uint64_t alignment = 32;   // of the data's begin
  uint64_t data_bytes = 66;  // 2 x 4 f32 and a block of Q8_0

  std::string Bytes() const {
    std::string bytes = magic + Encode(version) + Encode<uint64_t>(tensor_count.value_or(tensors.size())) +
                        Encode<uint64_t>(entry_count.value_or(entries.size()));
    for (const std::string& entry : entries) bytes += entry;
    for (const GgufTensorImage& tensor : tensors) {
      bytes += tensor.name + Encode(tensor.rank.value_or(static_cast<uint32_t>(tensor.dimensions.size())));
      for (const uint64_t dimension : tensor.dimensions) bytes += Encode(dimension);
      bytes += Encode(tensor.type) + Encode(tensor.offset);
    }
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    bytes.resize(bytes.size() + data_bytes);
    return bytes;
  }
};

// A safetensors file of the given header, its length as stated or as it is.
inline std::string SafetensorsBytes(const std::string& header, size_t data_bytes,
                                    std::optional<uint64_t> stated_length = std::nullopt) {
  return Encode<uint64_t>(stated_length.value_or(header.size())) + header + std::string(data_bytes, '\0');
}

inline void WriteBytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string Message(const absl::Status& status) { return std::string(status.message()); }

inline bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// One line of printable text that names the file.
inline bool IsProperMessage(const absl::Status& status, std::string_view path) {
  const std::string message = Message(status);
  for (const char c : message) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return false;
  }
  return Contains(message, path) && message.size() < path.size() + 1000;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_FILES_WEIGHT_IMAGES_H_
