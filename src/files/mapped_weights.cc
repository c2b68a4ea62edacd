#include "src/files/mapped_weights.h"

#include <map>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/files/printable.h"
#include "src/files/tensor_table.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{16} << 20;
constexpr size_t kMaxShards = 4096;

class MappedWeights : public WeightFile {
 public:
  MappedWeights(std::string format, std::vector<std::unique_ptr<MappedFile>> files, WeightMetadata metadata,
                TensorTable table)
      : format_(std::move(format)), files_(std::move(files)), metadata_(std::move(metadata)), table_(std::move(table)) {
    for (auto& [key, value] : metadata_) {
      key = Printable(key);
      value = Printable(value, std::string::npos);
    }
  }

  std::string_view format() const override { return format_; }
  WeightMetadata metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return table_.infos(); }
  absl::Status ReadF32(std::string_view name, int64_t first, std::span<float> out) const override {
    return table_.ReadF32(name, first, out);
  }
  absl::Status ReadBF16(std::string_view name, int64_t first, std::span<uint16_t> out) const override {
    return table_.ReadBF16(name, first, out);
  }
  void DoneWith(std::string_view name) const override { table_.DoneWith(name); }

 private:
  const std::string format_;
  const std::vector<std::unique_ptr<MappedFile>> files_;  // the table points into them
  WeightMetadata metadata_;
  const TensorTable table_;
};

// Tensor -> shard.
using WeightMap = std::map<std::string, std::string, std::less<>>;

// A name that cannot lead out of the folder.
bool IsPlainFileName(std::string_view name) {
  return IsProperName(name) && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of("/\\") == std::string_view::npos;
}

absl::StatusOr<WeightMap> ReadIndex(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxIndexBytes));
  const absl::StatusOr<nlohmann::json> index = ParseJson(text, /*max_depth=*/8);
  if (!index.ok()) return Annotate(index.status(), path);
  if (!index->is_object() || !index->contains("weight_map") || !(*index)["weight_map"].is_object()) {
    return InvalidArgument("{}: field 'weight_map' is missing or not an object", path);
  }
  WeightMap map;
  for (const auto& [tensor, shard] : (*index)["weight_map"].items()) {
    if (!shard.is_string()) {
      return InvalidArgument("{}: weight_map, '{}': the shard is not a string", path, Printable(tensor));
    }
    const std::string& name = shard.get_ref<const std::string&>();
    if (!IsPlainFileName(name)) {
      return InvalidArgument("{}: weight_map, '{}': '{}' is not the name of a file beside the index", path,
                             Printable(tensor), Printable(name));
    }
    map.emplace(tensor, name);
  }
  if (map.empty()) return InvalidArgument("{}: field 'weight_map' is empty", path);
  return map;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WeightFile>> OpenWeights(const std::string& path, std::string_view format,
                                                        WeightListReader read) {
  std::vector<std::unique_ptr<MappedFile>> files(1);
  TF_ASSIGN_OR_RETURN(files[0], MappedFile::Open(path));
  TF_ASSIGN_OR_RETURN(WeightList list, read(*files[0]));
  TF_ASSIGN_OR_RETURN(TensorTable table, TensorTable::Build(std::move(list.tensors), path));
  return std::make_unique<MappedWeights>(std::string(format), std::move(files), std::move(list.metadata),
                                         std::move(table));
}

absl::StatusOr<std::unique_ptr<WeightFile>> OpenWeightShards(const std::string& folder, const std::string& index_name,
                                                             std::string_view format, WeightListReader read) {
  const std::string index_path = folder + "/" + index_name;
  TF_ASSIGN_OR_RETURN(const WeightMap map, ReadIndex(index_path));
  std::map<std::string, std::unique_ptr<MappedFile>> shards;
  for (const auto& [tensor, shard] : map) shards[shard] = nullptr;
  if (shards.size() > kMaxShards) {
    return ResourceExhausted("{}: {} shards, more than the limit of {}", index_path, shards.size(), kMaxShards);
  }

  std::vector<StoredTensor> tensors;
  WeightMetadata metadata;
  std::vector<std::unique_ptr<MappedFile>> files;
  for (auto& [name, file] : shards) {
    TF_ASSIGN_OR_RETURN(file, MappedFile::Open(fmt::format("{}/{}", folder, name)));
    TF_ASSIGN_OR_RETURN(WeightList list, read(*file));
    for (StoredTensor& tensor : list.tensors) {
      const auto stated = map.find(tensor.info.name);
      if (stated == map.end() || stated->second != name) {
        return InvalidArgument("{}: tensor '{}' is in '{}', the index states '{}'", index_path,
                               Printable(tensor.info.name), Printable(name),
                               stated == map.end() ? "none" : Printable(stated->second));
      }
      tensors.push_back(std::move(tensor));
    }
    if (metadata.empty()) metadata = std::move(list.metadata);  // shards repeat each other's
    files.push_back(std::move(file));
  }
  TF_ASSIGN_OR_RETURN(TensorTable table, TensorTable::Build(std::move(tensors), folder));
  for (const auto& [tensor, shard] : map) {
    if (!FindTensor(table.infos(), tensor)) {
      return InvalidArgument("{}: tensor '{}' is missing from '{}'", index_path, Printable(tensor), Printable(shard));
    }
  }
  std::string label = fmt::format("{}, {} shard{}", format, files.size(), files.size() == 1 ? "" : "s");
  return std::make_unique<MappedWeights>(std::move(label), std::move(files), std::move(metadata), std::move(table));
}

}  // namespace toolformer
