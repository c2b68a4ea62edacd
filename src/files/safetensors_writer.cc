#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

#include "src/base/checked.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/files/printable.h"
#include "src/files/safetensors.h"
#include "src/files/safetensors_header.h"
#include "toolformer/weight_file.h"

namespace toolformer {
namespace {

constexpr size_t kMaxWrittenShards = 512;  // all are open until the last is written

// A tensor to be written, checked.
struct Item {
  const TensorToWrite* tensor = nullptr;
  uint64_t bytes = 0;
};

std::string_view TypeName(WrittenType type) { return type == WrittenType::kBFloat16 ? "BF16" : "F32"; }

absl::StatusOr<Item> CheckTensor(const TensorToWrite& tensor) {
  const std::string name = Printable(tensor.name);
  if (const std::optional<std::string> fault = TensorNameFault(tensor.name)) {
    return InvalidArgument("tensor '{}': the name {}", name, *fault);
  }
  if (tensor.name == "__metadata__") return InvalidArgument("tensor '{}': the format reserves this name", name);
  if (tensor.shape.size() > kMaxRank) {
    return InvalidArgument("tensor '{}': {} dimensions, more than the limit of {}", name, tensor.shape.size(),
                           kMaxRank);
  }
  for (const int64_t dimension : tensor.shape) {
    if (dimension < 0) return InvalidArgument("tensor '{}': dimension {} is negative", name, dimension);
  }
  StoredTensor measured;
  measured.type = FindSafetensorsType(TypeName(tensor.type));
  measured.info.shape = tensor.shape;
  if (const absl::Status status = MeasureTensor(&measured); !status.ok()) {
    return Annotate(status, fmt::format("tensor '{}'", name));
  }
  if (!tensor.fill && measured.info.bytes > 0) return InvalidArgument("tensor '{}': has no function to fill it", name);
  return Item{&tensor, measured.info.bytes};
}

// The tensors in the order of the file, their names, shapes and the sum of their sizes checked.
absl::StatusOr<std::vector<Item>> CheckTensors(std::span<const TensorToWrite> tensors) {
  std::vector<Item> items;
  std::vector<std::string_view> names;
  items.reserve(tensors.size());
  names.reserve(tensors.size());
  uint64_t sum = 0;
  for (const TensorToWrite& tensor : tensors) {
    TF_ASSIGN_OR_RETURN(items.emplace_back(), CheckTensor(tensor));
    names.push_back(tensor.name);
    const std::optional<uint64_t> larger = CheckedAdd(sum, items.back().bytes);
    if (!larger) return InvalidArgument("tensor '{}': the sum of sizes does not fit 64 bits", Printable(tensor.name));
    sum = *larger;
  }
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end()) return InvalidArgument("two tensors have the name '{}'", Printable(*twin));
  // Some readers insist on aligned tensors: what is made of four bytes each comes before what is made of two.
  std::stable_partition(items.begin(), items.end(),
                        [](const Item& item) { return item.tensor->type == WrittenType::kFloat32; });
  return items;
}

// The length of the header and the header.
absl::StatusOr<std::string> MakeHeader(std::span<const Item> items) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};  // Hugging Face's loaders want to be told
  uint64_t offset = 0;
  for (const Item& item : items) {
    const uint64_t end = offset + item.bytes;
    header[item.tensor->name] = {
        {"dtype", TypeName(item.tensor->type)}, {"shape", item.tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = PrintJson(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data is then aligned
  if (text.size() > kMaxSafetensorsHeaderBytes) {
    return InvalidArgument("the header of {} tensors takes {} bytes, more than the limit of {}", items.size(),
                           text.size(), kMaxSafetensorsHeaderBytes);
  }
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + text;
}

// Memory for one tensor at a time, as large as the largest.
class Buffer {
 public:
  absl::Status Reserve(std::span<const Item> items) {
    uint64_t size = 0;
    for (const Item& item : items) size = std::max(size, item.bytes);
    if (size == 0) return absl::OkStatus();
    bytes_.reset(new (std::nothrow) std::byte[size]);
    return bytes_ != nullptr ? absl::OkStatus() : ResourceExhausted("no memory for a tensor of {} bytes", size);
  }
  std::span<std::byte> first(uint64_t size) const { return {bytes_.get(), size}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
};

absl::StatusOr<std::unique_ptr<AtomicFile>> WriteItems(const std::string& path, std::span<const Item> items,
                                                       const Buffer& buffer) {
  const absl::StatusOr<std::string> header = MakeHeader(items);
  if (!header.ok()) return Annotate(header.status(), path);
  TF_ASSIGN_OR_RETURN(std::unique_ptr<AtomicFile> file, AtomicFile::Create(path));
  TF_RETURN_IF_ERROR(file->Write(*header));
  for (const Item& item : items) {
    if (item.bytes == 0) continue;
    const std::span<std::byte> bytes = buffer.first(item.bytes);
    if (const absl::Status filled = item.tensor->fill(bytes); !filled.ok()) {
      return Annotate(filled, fmt::format("{}: tensor '{}'", path, Printable(item.tensor->name)));
    }
    TF_RETURN_IF_ERROR(file->Write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  return file;
}

// Where the shards begin in `items`; each holds as many as fit.
std::vector<size_t> PlanShards(std::span<const Item> items, uint64_t max_bytes) {
  std::vector<size_t> begins = {0};
  uint64_t bytes = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (bytes > 0 && (bytes > max_bytes || items[i].bytes > max_bytes - bytes)) {
      begins.push_back(i);
      bytes = 0;
    }
    bytes += items[i].bytes;
  }
  return begins;
}

std::string ShardName(size_t index, size_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// model-00001-of-00002.safetensors, whatever the numbers.
bool IsShardName(std::string_view name) {
  constexpr std::string_view kPrefix = "model-", kMiddle = "-of-", kSuffix = ".safetensors";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() < kPrefix.size() + kSuffix.size()) {
    return false;
  }
  name = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  const size_t middle = name.find(kMiddle);
  return middle != std::string_view::npos && IsDigits(name.substr(0, middle)) &&
         IsDigits(name.substr(middle + kMiddle.size()));
}

absl::Status Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return Unavailable("{}: cannot be removed: {}", path, std::generic_category().message(errno));
}

absl::Status RemoveShardsExcept(const std::string& folder, const std::set<std::string>& kept) {
  std::error_code error;
  std::vector<std::string> stale;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (IsShardName(name) && !kept.contains(name)) stale.push_back(entry->path().string());
  }
  if (error) return Unavailable("{}: cannot be listed: {}", folder, error.message());
  for (const std::string& path : stale) TF_RETURN_IF_ERROR(Remove(path));
  return absl::OkStatus();
}

absl::Status WriteShards(const std::string& folder, std::span<const Item> items, const std::vector<size_t>& begins,
                         const Buffer& buffer) {
  std::vector<std::unique_ptr<AtomicFile>> shards;
  std::set<std::string> names;
  nlohmann::ordered_json weight_map = nlohmann::ordered_json::object();
  uint64_t total = 0;
  for (size_t i = 0; i < begins.size(); ++i) {
    const size_t end = i + 1 < begins.size() ? begins[i + 1] : items.size();
    const std::span<const Item> part = items.subspan(begins[i], end - begins[i]);
    const std::string name = ShardName(i, begins.size());
    TF_ASSIGN_OR_RETURN(shards.emplace_back(), WriteItems(fmt::format("{}/{}", folder, name), part, buffer));
    names.insert(name);
    for (const Item& item : part) {
      weight_map[item.tensor->name] = name;
      total += item.bytes;
    }
  }
  const std::string index_path = folder + "/" + kSafetensorsIndexName;
  const nlohmann::ordered_json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(weight_map)}};
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> index_file, AtomicFile::Create(index_path));
  TF_RETURN_IF_ERROR(index_file->Write(PrintJson(index) + "\n"));

  // An index of an earlier save must not name shards of this one.
  TF_RETURN_IF_ERROR(Remove(index_path));
  for (const std::unique_ptr<AtomicFile>& shard : shards) TF_RETURN_IF_ERROR(shard->Commit());
  TF_RETURN_IF_ERROR(index_file->Commit());
  TF_RETURN_IF_ERROR(Remove(folder + "/" + kSafetensorsFileName));
  return RemoveShardsExcept(folder, names);
}

TensorToWrite CopyOf(const F32Tensor& tensor) {
  const std::span<const float> values = tensor.values;
  return {tensor.name, tensor.shape, WrittenType::kFloat32, [values](std::span<std::byte> out) {
            std::memcpy(out.data(), values.data(), out.size());
            return absl::OkStatus();
          }};
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, std::span<const TensorToWrite> tensors) {
  const absl::StatusOr<std::vector<Item>> items = CheckTensors(tensors);
  if (!items.ok()) return Annotate(items.status(), path);
  Buffer buffer;
  if (const absl::Status status = buffer.Reserve(*items); !status.ok()) return Annotate(status, path);
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, WriteItems(path, *items, buffer));
  return file->Commit();
}

absl::Status WriteShardedSafetensors(const std::string& folder, std::span<const TensorToWrite> tensors,
                                     uint64_t max_shard_bytes) {
  if (max_shard_bytes == 0) return InvalidArgument("{}: the size of a shard must be at least one byte", folder);
  const absl::StatusOr<std::vector<Item>> items = CheckTensors(tensors);
  if (!items.ok()) return Annotate(items.status(), folder);
  Buffer buffer;
  if (const absl::Status status = buffer.Reserve(*items); !status.ok()) return Annotate(status, folder);
  const std::vector<size_t> begins = PlanShards(*items, max_shard_bytes);
  if (begins.size() > kMaxWrittenShards) {
    return InvalidArgument("{}: shards of {} bytes would be {} files, more than the limit of {}", folder,
                           max_shard_bytes, begins.size(), kMaxWrittenShards);
  }
  if (begins.size() > 1) return WriteShards(folder, *items, begins, buffer);
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file,
                      WriteItems(folder + "/" + kSafetensorsFileName, *items, buffer));
  TF_RETURN_IF_ERROR(file->Commit());
  TF_RETURN_IF_ERROR(Remove(folder + "/" + kSafetensorsIndexName));
  return RemoveShardsExcept(folder, {});
}

absl::Status WriteSafetensors(const std::string& path, std::span<const F32Tensor> tensors) {
  std::vector<TensorToWrite> items;
  items.reserve(tensors.size());
  for (const F32Tensor& tensor : tensors) {
    const absl::StatusOr<Item> item = CheckTensor(items.emplace_back(CopyOf(tensor)));
    if (!item.ok()) return Annotate(item.status(), path);
    if (item->bytes != tensor.values.size_bytes()) {
      return InvalidArgument("{}: tensor '{}': {} values for a shape of {} elements", path, Printable(tensor.name),
                             tensor.values.size(), item->bytes / sizeof(float));
    }
  }
  return WriteSafetensors(path, std::span<const TensorToWrite>(items));
}

}  // namespace toolformer
