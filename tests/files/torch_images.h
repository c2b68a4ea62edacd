// Checkpoints built byte by byte, so that each part of them can be made wrong.
#ifndef TOOLFORMER_TESTS_FILES_TORCH_IMAGES_H_
#define TOOLFORMER_TESTS_FILES_TORCH_IMAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/files/weight_images.h"

namespace toolformer::testing {

struct ZipEntryImage {
  std::string name;
  std::string bytes;
  uint16_t flags = 0, method = 0;
  std::optional<uint32_t> size, packed, offset;  // in the directory; else what they are
  std::optional<std::string> local_name;
  std::optional<uint32_t> local_size;
  bool is_zip64 = false;
};

// An archive of stored entries. The directory may lie.
struct ZipImage {
  std::vector<ZipEntryImage> entries;
  std::optional<uint16_t> count;
  std::optional<uint32_t> directory_size, directory_offset;
  std::string comment;
  uint16_t disk = 0;

  std::string Bytes() const {
    std::string out, directory;
    for (const ZipEntryImage& entry : entries) {
      const auto size = static_cast<uint32_t>(entry.bytes.size());
      const auto begin = static_cast<uint32_t>(out.size());
      const std::string local = entry.local_name.value_or(entry.name);
      out += Encode<uint32_t>(0x04034b50) + Encode<uint16_t>(0) + Encode(entry.flags) + Encode(entry.method) +
             std::string(8, '\0') + Encode(entry.local_size.value_or(size)) + Encode(entry.local_size.value_or(size)) +
             Encode(static_cast<uint16_t>(local.size())) + Encode<uint16_t>(0) + local + entry.bytes;
      std::string extra;
      if (entry.is_zip64) {
        extra = Encode<uint16_t>(9) + Encode<uint16_t>(2) + "xx" + Encode<uint16_t>(1) + Encode<uint16_t>(24) +
                Encode<uint64_t>(size) + Encode<uint64_t>(size) + Encode<uint64_t>(begin);
      }
      const uint32_t in64 = 0xffffffff;
      directory += Encode<uint32_t>(0x02014b50) + Encode<uint32_t>(0) + Encode(entry.flags) + Encode(entry.method) +
                   std::string(8, '\0') + Encode(entry.packed.value_or(entry.is_zip64 ? in64 : size)) +
                   Encode(entry.size.value_or(entry.is_zip64 ? in64 : size)) +
                   Encode(static_cast<uint16_t>(entry.name.size())) + Encode(static_cast<uint16_t>(extra.size())) +
                   std::string(10, '\0') + Encode(entry.offset.value_or(entry.is_zip64 ? in64 : begin)) + entry.name +
                   extra;
    }
    const auto begin = static_cast<uint32_t>(out.size());
    const uint16_t stated = count.value_or(static_cast<uint16_t>(entries.size()));
    return out + directory + Encode<uint32_t>(0x06054b50) + Encode(disk) + Encode(disk) + Encode(stated) +
           Encode(stated) + Encode(directory_size.value_or(static_cast<uint32_t>(directory.size()))) +
           Encode(directory_offset.value_or(begin)) + Encode(static_cast<uint16_t>(comment.size())) + comment;
  }
};

// Pieces of pickles, protocol 2.
inline std::string PickleText(std::string_view text) {
  return "X" + Encode(static_cast<uint32_t>(text.size())) + std::string(text);
}
inline std::string PickleInteger(int64_t number) { return std::string("\x8a\x08", 2) + Encode(number); }
inline std::string PickleTuple(const std::vector<int64_t>& numbers) {
  std::string out = "(";
  for (const int64_t number : numbers) out += PickleInteger(number);
  return out + "t";
}

struct TensorImage {
  std::string storage_type = "ctorch\nFloatStorage\n";
  std::string key = PickleText("0");
  std::string count = PickleInteger(6);
  std::string offset = PickleInteger(0);
  std::string shape = PickleTuple({2, 3});
  std::string strides = PickleTuple({3, 1});
  std::string state;  // after requires_grad and the hooks

  std::string Storage() const {
    return "(" + PickleText("storage") + storage_type + key + PickleText("cpu") + count + "tQ";
  }
  std::string Bytes() const {
    return "ctorch._utils\n_rebuild_tensor_v2\n(" + Storage() + offset + shape + strides +
           "\x89"
           "ccollections\nOrderedDict\n)R" +
           state + "tR";
  }
};

// A pickle of {"t": value}.
inline std::string PickleOf(const std::string& value, std::string_view name = "t") {
  return "\x80\x02}" + PickleText(name) + value + "s.";
}

// A checkpoint of that pickle and of one storage.
inline ZipImage TorchImage(const std::string& pickle, const std::string& storage = std::string(24, '\0')) {
  ZipImage image;
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"archive/data.pkl", pickle},
                                    {"archive/byteorder", "little"},
                                    {"archive/data/0", storage},
                                    {"archive/version", "3\n"}}) {
    image.entries.emplace_back();
    image.entries.back().name = name;
    image.entries.back().bytes = bytes;
  }
  return image;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_FILES_TORCH_IMAGES_H_
