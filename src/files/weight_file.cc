#include "toolformer/weight_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/files/gguf.h"
#include "src/files/printable.h"
#include "src/files/safetensors.h"
#include "src/files/tensor_table.h"
#include "src/files/torch_file.h"

namespace toolformer {
namespace {

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool StartsWith(std::span<const uint8_t> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

enum class Format { kGguf, kSafetensors, kTorch, kUnknown };

Format Detect(std::span<const uint8_t> bytes) {
  if (StartsWith(bytes, "GGUF")) return Format::kGguf;
  if (StartsWith(bytes, "PK\x03\x04") || StartsWith(bytes, "PK\x05\x06")) return Format::kTorch;
  // A safetensors header may well be 0x0280 bytes long and look like a pickle at first.
  if (bytes.size() > 8 && bytes[8] == '{') return Format::kSafetensors;
  if (bytes.size() > 1 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) return Format::kTorch;
  return Format::kUnknown;
}

absl::Status Unknown(const std::string& path, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return InvalidArgument("{}: the file is empty", path);
  if (bytes.size() <= 8) {
    return InvalidArgument("{}: the file is too short for weights: {} byte{}", path, bytes.size(),
                           bytes.size() == 1 ? "" : "s");
  }
  return InvalidArgument(
      "{}: is neither GGUF ('GGUF' at byte 0; here '{}') nor safetensors ('{{' at byte 8; here '{}') nor of torch.save",
      path, Printable({reinterpret_cast<const char*>(bytes.data()), 4}),
      Printable({reinterpret_cast<const char*>(bytes.data()) + 8, 1}));
}

absl::StatusOr<std::unique_ptr<WeightFile>> OpenFolder(const std::string& folder) {
  const std::string single = folder + "/" + kSafetensorsFileName;
  if (Exists(single)) return OpenSafetensors(single);
  if (Exists(folder + "/" + kSafetensorsIndexName)) return OpenShardedSafetensors(folder);
  if (Exists(folder + "/" + kTorchFileName)) return OpenTorch(folder + "/" + kTorchFileName);
  if (Exists(folder + "/" + kTorchIndexName)) return OpenShardedTorch(folder);
  return NotFound("{}: the folder has none of {}, {}, {} and {}; another file is opened by its own path", folder,
                  kSafetensorsFileName, kSafetensorsIndexName, kTorchFileName, kTorchIndexName);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WeightFile>> WeightFile::Open(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return OpenFolder(path);
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  switch (Detect(file->bytes())) {
    case Format::kGguf:
      return GgufFile::Open(path);
    case Format::kSafetensors:
      return OpenSafetensors(path);
    case Format::kTorch:
      return OpenTorch(path);
    case Format::kUnknown:
      break;
  }
  return Unknown(path, file->bytes());
}

const TensorInfo* WeightFile::Find(std::string_view name) const {
  const std::optional<size_t> index = FindTensor(tensors(), name);
  return index ? &tensors()[*index] : nullptr;
}

}  // namespace toolformer
