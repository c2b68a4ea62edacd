#include "src/files/torch_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/checked.h"
#include "src/base/file.h"
#include "src/base/status.h"
#include "src/files/mapped_weights.h"
#include "src/files/pickle.h"
#include "src/files/printable.h"
#include "src/files/zip_archive.h"

namespace toolformer {
namespace {

constexpr std::string_view kPickleName = "data.pkl";
constexpr std::string_view kWrappers[] = {"state_dict", "model"};
constexpr std::string_view kSettings = "opt";
constexpr size_t kMaxMetadata = 1000;
// A broadcast tensor has more elements than the file holds. Beyond this, and beyond the file's size, it is no weight.
constexpr uint64_t kMaxBroadcastBytes = uint64_t{1} << 20;
// The integer that begins a file of the old format, its least significant byte first, and the format's version.
constexpr std::string_view kOldMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kOldVersion = 1001;

using Bytes = std::span<const uint8_t>;
using StorageBytes = std::map<std::string_view, Bytes>;

uint64_t ElementBytes(const TensorType* type) { return type == nullptr ? 1 : type->block_bytes; }

// The bytes of a storage, which must be within those that the file has for it.
absl::StatusOr<Bytes> BytesOf(const PickledStorage& storage, const StorageBytes& held) {
  const auto found = held.find(storage.key);
  if (found == held.end()) return InvalidArgument("the data of storage '{}' is missing", Printable(storage.key));
  const std::optional<uint64_t> size = CheckedMul(static_cast<uint64_t>(storage.count), ElementBytes(storage.type));
  if (!size || *size > found->second.size()) {
    return InvalidArgument("storage '{}' states {} elements, its data has {} bytes", Printable(storage.key),
                           storage.count, found->second.size());
  }
  return found->second.first(*size);
}

bool IsRowMajor(const PickledTensor& tensor) {
  uint64_t expected = 1;
  for (size_t d = tensor.shape.size(); d-- > 0;) {
    if (tensor.shape[d] == 1) continue;
    if (static_cast<uint64_t>(tensor.strides[d]) != expected) return false;
    expected *= static_cast<uint64_t>(tensor.shape[d]);  // measured: does not wrap
  }
  return true;
}

// The message says what is wrong with the tensor and no more.
absl::StatusOr<StoredTensor> Place(const PickledTensor& tensor, Bytes storage, uint64_t file_bytes) {
  StoredTensor stored;
  stored.type = tensor.type;
  stored.info.type = std::string(tensor.type->name);
  stored.info.shape = tensor.shape;
  TF_RETURN_IF_ERROR(MeasureTensor(&stored));
  stored.data = storage.data();
  if (stored.info.elements == 0) return stored;
  stored.strides = tensor.strides;
  const uint64_t held = storage.size() / tensor.type->block_bytes;
  const uint64_t offset = static_cast<uint64_t>(tensor.offset);
  const std::optional<uint64_t> extent = StridedExtent(stored);
  if (!extent || offset > held || *extent > held - offset) {
    return InvalidArgument("offset {}, shape and strides lead beyond the {} elements of the storage", offset, held);
  }
  if (stored.info.bytes > std::max(file_bytes, kMaxBroadcastBytes)) {
    return InvalidArgument("{} bytes by its shape, more than the whole file has", stored.info.bytes);
  }
  stored.data += offset * tensor.type->block_bytes;
  if (IsRowMajor(tensor)) stored.strides.clear();
  return stored;
}

bool HoldsTensors(const Pickle& pickle, const PickleValue& dictionary) {
  const std::span<const PickleId> items = pickle.ItemsOf(dictionary);
  for (size_t i = 0; i < items.size(); i += 2) {
    if (pickle.values[items[i + 1]].kind == PickleKind::kTensor) return true;
  }
  return false;
}

// The dictionary of tensors: the pickle's root, or what a training script has wrapped.
absl::StatusOr<PickleValue> FindDictionary(const Pickle& pickle) {
  if (pickle.root.kind != PickleKind::kDict) {
    return InvalidArgument("holds no dictionary of tensors; save the state_dict()");
  }
  const std::span<const PickleId> items = pickle.ItemsOf(pickle.root);
  for (const std::string_view wrapper : kWrappers) {
    for (size_t i = 0; i < items.size(); i += 2) {
      const PickleValue &key = pickle.values[items[i]], &value = pickle.values[items[i + 1]];
      if (key.kind == PickleKind::kText && key.text == wrapper && value.kind == PickleKind::kDict &&
          HoldsTensors(pickle, value)) {
        return value;
      }
    }
  }
  if (!items.empty() && !HoldsTensors(pickle, pickle.root)) {
    return InvalidArgument("the dictionary holds no tensors, nor does a 'state_dict' or 'model' in it");
  }
  return pickle.root;
}

std::optional<std::string> PrintPlain(const PickleValue& value) {
  switch (value.kind) {
    case PickleKind::kBool:
      return value.integer != 0 ? "true" : "false";
    case PickleKind::kInteger:
      return fmt::format("{}", value.integer);
    case PickleKind::kReal:
      return fmt::format("{}", value.real);
    case PickleKind::kText:
      return Printable(value.text);
    default:
      return std::nullopt;
  }
}

// Plain values of a dictionary, with `prefix` before their names.
void AddMetadata(const Pickle& pickle, const PickleValue& dictionary, std::string_view prefix, WeightList* list) {
  const std::span<const PickleId> items = pickle.ItemsOf(dictionary);
  for (size_t i = 0; i < items.size() && list->metadata.size() < kMaxMetadata; i += 2) {
    const PickleValue& key = pickle.values[items[i]];
    if (key.kind != PickleKind::kText) continue;
    if (const std::optional<std::string> plain = PrintPlain(pickle.values[items[i + 1]])) {
      list->metadata.emplace_back(std::string(prefix) + Printable(key.text), *plain);
    }
  }
}

// What a training script has saved around the dictionary of tensors.
void AddSettings(const Pickle& pickle, const PickleValue& dictionary, WeightList* list) {
  if (pickle.root.index == dictionary.index) return;
  AddMetadata(pickle, pickle.root, "", list);
  const std::span<const PickleId> items = pickle.ItemsOf(pickle.root);
  for (size_t i = 0; i < items.size(); i += 2) {
    const PickleValue &key = pickle.values[items[i]], &value = pickle.values[items[i + 1]];
    if (key.kind != PickleKind::kText || key.text != kSettings || value.kind != PickleKind::kDict) continue;
    AddMetadata(pickle, value, fmt::format("{}.", kSettings), list);
  }
}

// The messages lack the file's name.
absl::StatusOr<WeightList> ListTensors(const Pickle& pickle, const StorageBytes& held, uint64_t file_bytes) {
  std::vector<Bytes> storages;
  storages.reserve(pickle.storages.size());
  for (const PickledStorage& storage : pickle.storages) {
    TF_ASSIGN_OR_RETURN(storages.emplace_back(), BytesOf(storage, held));
  }
  TF_ASSIGN_OR_RETURN(const PickleValue dictionary, FindDictionary(pickle));
  const std::span<const PickleId> items = pickle.ItemsOf(dictionary);
  WeightList list;
  AddMetadata(pickle, dictionary, "", &list);
  AddSettings(pickle, dictionary, &list);
  for (size_t i = 0; i < items.size(); i += 2) {
    const PickleValue &key = pickle.values[items[i]], &value = pickle.values[items[i + 1]];
    if (key.kind != PickleKind::kText) continue;
    if (value.kind != PickleKind::kTensor) continue;
    const std::string name = Printable(key.text);
    if (const std::optional<std::string> fault = TensorNameFault(key.text)) {
      return InvalidArgument("tensor '{}': the name {}", name, *fault);
    }
    const PickledTensor& tensor = pickle.tensors[value.index];
    absl::StatusOr<StoredTensor> stored = Place(tensor, storages[tensor.storage], file_bytes);
    if (!stored.ok()) return Annotate(stored.status(), fmt::format("tensor '{}'", name));
    stored->info.name = std::string(key.text);
    list.tensors.push_back(*std::move(stored));
  }
  return list;
}

// The folder of the archive that holds the pickle, with its slash: "archive/".
absl::StatusOr<std::string> FindPrefix(std::span<const ZipEntry> entries) {
  std::optional<std::string> prefix;
  for (const ZipEntry& entry : entries) {
    if (!entry.name.ends_with(kPickleName)) continue;
    const std::string_view folder = entry.name.substr(0, entry.name.size() - kPickleName.size());
    const bool is_top = folder.empty() || folder.find('/') == folder.size() - 1;
    if (!is_top) continue;
    if (prefix) return InvalidArgument("two entries are called '{}'", kPickleName);
    prefix = std::string(folder);
  }
  if (!prefix) return InvalidArgument("a zip archive without '{}' is no checkpoint of torch.save", kPickleName);
  return *prefix;
}

absl::StatusOr<WeightList> ListArchive(std::span<const ZipEntry> entries, uint64_t file_bytes) {
  TF_ASSIGN_OR_RETURN(const std::string prefix, FindPrefix(entries));
  if (FindZipEntry(entries, prefix + "constants.pkl") != nullptr) {
    return Unimplemented("is a TorchScript program; only tensors are read, torch.save its state_dict()");
  }
  const ZipEntry* order = FindZipEntry(entries, prefix + "byteorder");
  const std::string_view little = "little";
  if (order != nullptr && !std::equal(order->bytes.begin(), order->bytes.end(), little.begin(), little.end())) {
    return Unimplemented("was written on a machine of another byte order; only little-endian files are read");
  }
  const ZipEntry* entry = FindZipEntry(entries, prefix + std::string(kPickleName));
  const absl::StatusOr<Pickle> pickle = ReadPickle(entry->bytes, 0);
  if (!pickle.ok()) return Annotate(pickle.status(), std::string(kPickleName));
  if (pickle->end != entry->bytes.size()) {
    return InvalidArgument("{}, byte {}: the pickle ends before its entry does", kPickleName, pickle->end);
  }
  const std::string data = prefix + "data/";
  StorageBytes held;
  for (const ZipEntry& candidate : entries) {
    if (candidate.name.starts_with(data)) held.emplace(candidate.name.substr(data.size()), candidate.bytes);
  }
  return ListTensors(*pickle, held, file_bytes);
}

absl::StatusOr<WeightList> ReadArchive(const MappedFile& file) {
  TF_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ReadZipArchive(file));
  absl::StatusOr<WeightList> list = ListArchive(entries, file.bytes().size());
  if (!list.ok()) return Annotate(list.status(), file.path());
  return list;
}

// Storages of the old format: a count of elements, then the elements, in the order of `keys`.
absl::StatusOr<StorageBytes> ReadOldStorages(const Pickle& pickle, const Pickle& keys, Bytes file) {
  std::map<std::string_view, const PickledStorage*> stated;
  for (const PickledStorage& storage : pickle.storages) {
    const auto [known, is_new] = stated.emplace(storage.key, &storage);
    if (!is_new && (known->second->type != storage.type || known->second->count != storage.count)) {
      return InvalidArgument("storage '{}' is stated in two ways", Printable(storage.key));
    }
  }
  if (keys.root.kind != PickleKind::kList)
    return InvalidArgument("byte {}: the list of storages is missing", pickle.end);
  StorageBytes held;
  uint64_t at = keys.end;
  for (const PickleId id : keys.ItemsOf(keys.root)) {
    const PickleValue& key = keys.values[id];
    const auto storage = key.kind == PickleKind::kText ? stated.find(key.text) : stated.end();
    if (storage == stated.end()) return InvalidArgument("storage '{}' belongs to no tensor", Printable(key.text));
    uint64_t count = 0;
    if (file.size() - at < sizeof(count)) return InvalidArgument("byte {}: the file is cut off", at);
    std::memcpy(&count, file.data() + at, sizeof(count));
    at += sizeof(count);
    if (count != static_cast<uint64_t>(storage->second->count)) {
      return InvalidArgument("byte {}: storage '{}' has {} elements where {} were stated", at - sizeof(count),
                             Printable(key.text), count, storage->second->count);
    }
    const std::optional<uint64_t> size = CheckedMul(count, ElementBytes(storage->second->type));
    if (!size || *size > file.size() - at) {
      return InvalidArgument("byte {}: {} elements of storage '{}' do not fit in the file", at, count,
                             Printable(key.text));
    }
    if (!held.emplace(key.text, file.subspan(at, *size)).second) {
      return InvalidArgument("byte {}: storage '{}' appears twice", at, Printable(key.text));
    }
    at += *size;
  }
  if (at != file.size()) return InvalidArgument("byte {}: {} bytes follow the last storage", at, file.size() - at);
  return held;
}

absl::StatusOr<WeightList> ListOld(Bytes file) {
  TF_ASSIGN_OR_RETURN(const Pickle magic, ReadPickle(file, 0));
  if (magic.root.kind != PickleKind::kBytes || magic.root.text != kOldMagic) {
    return InvalidArgument("is a pickle, but none of torch.save; only tensors are read");
  }
  TF_ASSIGN_OR_RETURN(const Pickle version, ReadPickle(file, magic.end));
  if (version.root.kind != PickleKind::kInteger || version.root.integer != kOldVersion) {
    return Unimplemented("byte {}: the version of the format is not supported; supported is {}", magic.end,
                         kOldVersion);
  }
  TF_ASSIGN_OR_RETURN(const Pickle system, ReadPickle(file, version.end));
  if (system.root.kind != PickleKind::kDict) return InvalidArgument("byte {}: the system is missing", version.end);
  const std::span<const PickleId> facts = system.ItemsOf(system.root);
  for (size_t i = 0; i < facts.size(); i += 2) {
    const PickleValue& value = system.values[facts[i + 1]];
    if (system.values[facts[i]].text == "little_endian" && value.kind == PickleKind::kBool && value.integer == 0) {
      return Unimplemented("was written on a machine of another byte order; only little-endian files are read");
    }
  }
  TF_ASSIGN_OR_RETURN(const Pickle pickle, ReadPickle(file, system.end));
  TF_ASSIGN_OR_RETURN(const Pickle keys, ReadPickle(file, pickle.end));
  TF_ASSIGN_OR_RETURN(const StorageBytes held, ReadOldStorages(pickle, keys, file));
  return ListTensors(pickle, held, file.size());
}

absl::StatusOr<WeightList> ReadTorch(const MappedFile& file) {
  const Bytes bytes = file.bytes();
  if (bytes.size() >= 2 && bytes[0] == 'P' && bytes[1] == 'K') return ReadArchive(file);
  absl::StatusOr<WeightList> list = ListOld(bytes);
  if (!list.ok()) return Annotate(list.status(), file.path());
  return list;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WeightFile>> OpenTorch(const std::string& path) {
  return OpenWeights(path, "PyTorch", ReadTorch);
}

absl::StatusOr<std::unique_ptr<WeightFile>> OpenShardedTorch(const std::string& folder) {
  return OpenWeightShards(folder, kTorchIndexName, "PyTorch", ReadTorch);
}

}  // namespace toolformer
