#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "src/base/checked.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/files/printable.h"
#include "src/files/safetensors_header.h"
#include "toolformer/weight_file.h"

namespace toolformer {
namespace {

absl::Status CheckTensor(const F32Tensor& tensor) {
  const std::string name = Printable(tensor.name);
  if (const std::optional<std::string> fault = TensorNameFault(tensor.name)) {
    return InvalidArgument("tensor '{}': the name {}", name, *fault);
  }
  if (tensor.name == "__metadata__") return InvalidArgument("tensor '{}': the format reserves this name", name);
  if (tensor.shape.size() > kMaxRank) {
    return InvalidArgument("tensor '{}': {} dimensions, more than the limit of {}", name, tensor.shape.size(),
                           kMaxRank);
  }
  StoredTensor measured;
  measured.type = FindSafetensorsType("F32");
  measured.info.shape = tensor.shape;
  for (const int64_t dimension : tensor.shape) {
    if (dimension < 0) return InvalidArgument("tensor '{}': dimension {} is negative", name, dimension);
  }
  if (const absl::Status status = MeasureTensor(&measured); !status.ok()) {
    return Annotate(status, fmt::format("tensor '{}'", name));
  }
  if (static_cast<uint64_t>(measured.info.elements) != tensor.values.size()) {
    return InvalidArgument("tensor '{}': {} values for a shape of {} elements", name, tensor.values.size(),
                           measured.info.elements);
  }
  return absl::OkStatus();
}

absl::Status CheckTensors(std::span<const F32Tensor> tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const F32Tensor& tensor : tensors) {
    TF_RETURN_IF_ERROR(CheckTensor(tensor));
    names.push_back(tensor.name);
  }
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin == names.end()) return absl::OkStatus();
  return InvalidArgument("two tensors have the name '{}'", Printable(*twin));
}

absl::StatusOr<std::string> MakeHeader(std::span<const F32Tensor> tensors) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};  // Hugging Face's loaders want to be told
  uint64_t offset = 0;
  for (const F32Tensor& tensor : tensors) {
    const std::optional<uint64_t> end = CheckedAdd(offset, tensor.values.size_bytes());
    if (!end) return InvalidArgument("tensor '{}': the sum of sizes does not fit 64 bits", Printable(tensor.name));
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, *end}}};
    offset = *end;
  }
  std::string text = PrintJson(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data is then aligned
  if (text.size() > kMaxSafetensorsHeaderBytes) {
    return InvalidArgument("the header of {} tensors takes {} bytes, more than the limit of {}", tensors.size(),
                           text.size(), kMaxSafetensorsHeaderBytes);
  }
  return text;
}

std::string_view Bytes(const void* data, size_t size) { return {static_cast<const char*>(data), size}; }

}  // namespace

absl::Status WriteSafetensors(const std::string& path, std::span<const F32Tensor> tensors) {
  if (const absl::Status status = CheckTensors(tensors); !status.ok()) return Annotate(status, path);
  const absl::StatusOr<std::string> header = MakeHeader(tensors);
  if (!header.ok()) return Annotate(header.status(), path);
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(path));
  const uint64_t length = header->size();
  TF_RETURN_IF_ERROR(file->Write(Bytes(&length, sizeof(length))));
  TF_RETURN_IF_ERROR(file->Write(*header));
  for (const F32Tensor& tensor : tensors) {
    TF_RETURN_IF_ERROR(file->Write(Bytes(tensor.values.data(), tensor.values.size_bytes())));
  }
  return file->Commit();
}

}  // namespace toolformer
