#include "src/files/zip_archive.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "src/base/checked.h"
#include "src/base/status.h"
#include "src/files/printable.h"

// The records' layout is that of PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16 and 4.5.3.
namespace toolformer {
namespace {

constexpr uint32_t kEndMagic = 0x06054b50, kEnd64Magic = 0x06064b50, kLocatorMagic = 0x07064b50;
constexpr uint32_t kDirectoryMagic = 0x02014b50, kLocalMagic = 0x04034b50;
constexpr uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20, kDirectoryBytes = 46, kLocalBytes = 30;
constexpr uint64_t kMaxCommentBytes = 0xffff;
constexpr uint16_t kEncrypted = 1, kSizesFollow = 1 << 3;
constexpr uint16_t kZip64Extra = 1;
constexpr uint32_t kIn64 = 0xffffffff;  // the number is in the zip64 extra field

struct Directory {
  uint64_t offset = 0, size = 0, count = 0;
};

// An entry as the directory states it.
struct StatedEntry {
  ZipEntry entry;
  uint16_t flags = 0;
  uint64_t size = 0;
  uint64_t offset = 0;  // of the local header
};

bool IsProperPath(std::string_view name) {
  if (!IsProperName(name) || name.front() == '/' || name.find('\\') != std::string_view::npos) return false;
  while (!name.empty()) {
    const size_t slash = std::min(name.find('/'), name.size());
    if (name.substr(0, slash) == "..") return false;
    name.remove_prefix(std::min(slash + 1, name.size()));
  }
  return true;
}

class Reader {
 public:
  explicit Reader(const MappedFile& file) : path_(file.path()), bytes_(file.bytes()) {}

  absl::StatusOr<std::vector<ZipEntry>> Read() {
    TF_ASSIGN_OR_RETURN(const Directory directory, FindDirectory());
    TF_ASSIGN_OR_RETURN(std::vector<StatedEntry> stated, ReadDirectory(directory));
    std::sort(stated.begin(), stated.end(),
              [](const StatedEntry& a, const StatedEntry& b) { return a.offset < b.offset; });
    uint64_t covered = 0;
    for (StatedEntry& entry : stated) {
      if (entry.offset < covered) {
        return Fault("entry '{}' begins at byte {}, within the entry before it", Printable(entry.entry.name),
                     entry.offset);
      }
      TF_ASSIGN_OR_RETURN(covered, Place(&entry, directory.offset));
    }
    std::vector<ZipEntry> entries;
    entries.reserve(stated.size());
    for (const StatedEntry& entry : stated) entries.push_back(entry.entry);
    std::sort(entries.begin(), entries.end(), [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
    const auto twin = std::adjacent_find(entries.begin(), entries.end(),
                                         [](const ZipEntry& a, const ZipEntry& b) { return a.name == b.name; });
    if (twin != entries.end()) return Fault("two entries have the name '{}'", Printable(twin->name));
    return entries;
  }

 private:
  template <typename... Args>
  absl::Status Fault(fmt::format_string<Args...> format, Args&&... args) const {
    return absl::InvalidArgumentError(path_ + ": zip archive: " + fmt::format(format, std::forward<Args>(args)...));
  }
  // Only where the caller has seen to it that the bytes are there.
  template <typename T>
  T Get(uint64_t offset) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(value));
    return value;
  }
  bool Holds(uint64_t offset, uint64_t size) const { return offset <= bytes_.size() && size <= bytes_.size() - offset; }
  std::string_view Text(uint64_t offset, uint64_t size) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + offset, size};
  }

  absl::StatusOr<Directory> FindDirectory() const;
  absl::StatusOr<Directory> ReadEnd64(uint64_t locator) const;
  absl::StatusOr<std::vector<StatedEntry>> ReadDirectory(const Directory& directory) const;
  absl::StatusOr<StatedEntry> ReadEntry(uint64_t at, uint64_t end, uint64_t* length) const;
  absl::Status ReadZip64(std::string_view extra, StatedEntry* entry, uint64_t* packed) const;
  absl::StatusOr<uint64_t> Place(StatedEntry* entry, uint64_t data_end) const;

  const std::string& path_;
  const std::span<const uint8_t> bytes_;
};

absl::StatusOr<Directory> Reader::FindDirectory() const {
  if (bytes_.size() < kEndBytes) return Fault("the file is too short: {} bytes", bytes_.size());
  const uint64_t last = bytes_.size() - kEndBytes;
  const uint64_t first = last > kMaxCommentBytes ? last - kMaxCommentBytes : 0;
  uint64_t end = last;
  // The record is the last thing in the file but for a comment whose length it states.
  while (Get<uint32_t>(end) != kEndMagic || Get<uint16_t>(end + 20) != last - end) {
    if (end == first) return Fault("there is no directory at the end; the file is cut off or damaged");
    --end;
  }
  Directory directory{Get<uint32_t>(end + 16), Get<uint32_t>(end + 12), Get<uint16_t>(end + 10)};
  uint64_t directory_end = end;
  if (end >= kLocatorBytes && Get<uint32_t>(end - kLocatorBytes) == kLocatorMagic) {
    TF_ASSIGN_OR_RETURN(directory, ReadEnd64(end - kLocatorBytes));
    directory_end = Get<uint64_t>(end - kLocatorBytes + 8);
  } else if (Get<uint16_t>(end + 4) != 0 || Get<uint16_t>(end + 6) != 0 ||
             Get<uint16_t>(end + 8) != Get<uint16_t>(end + 10)) {
    return Unimplemented("{}: zip archive: the archive has several parts; only archives of one are read", path_);
  }
  const std::optional<uint64_t> stated_end = CheckedAdd(directory.offset, directory.size);
  if (!stated_end || *stated_end != directory_end) {
    return Fault("the directory at byte {} has {} bytes, which do not end where it must, at byte {}", directory.offset,
                 directory.size, directory_end);
  }
  if (directory.count > kMaxZipEntries) {
    return ResourceExhausted("{}: zip archive: {} entries, more than the limit of {}", path_, directory.count,
                             kMaxZipEntries);
  }
  if (directory.count > directory.size / kDirectoryBytes) {
    return Fault("{} entries are stated, for which a directory of {} bytes is too small", directory.count,
                 directory.size);
  }
  return directory;
}

absl::StatusOr<Directory> Reader::ReadEnd64(uint64_t locator) const {
  const uint64_t at = Get<uint64_t>(locator + 8);
  if (!Holds(at, kEnd64Bytes) || at + kEnd64Bytes > locator || Get<uint32_t>(at) != kEnd64Magic) {
    return Fault("the zip64 record is not at byte {}, where its locator states it", at);
  }
  if (Get<uint32_t>(locator + 4) != 0 || Get<uint32_t>(at + 16) != 0 || Get<uint32_t>(at + 20) != 0 ||
      Get<uint64_t>(at + 24) != Get<uint64_t>(at + 32)) {
    return Unimplemented("{}: zip archive: the archive has several parts; only archives of one are read", path_);
  }
  return Directory{Get<uint64_t>(at + 48), Get<uint64_t>(at + 40), Get<uint64_t>(at + 32)};
}

absl::StatusOr<std::vector<StatedEntry>> Reader::ReadDirectory(const Directory& directory) const {
  std::vector<StatedEntry> entries;
  entries.reserve(directory.count);
  uint64_t at = directory.offset;
  const uint64_t end = directory.offset + directory.size;
  for (uint64_t i = 0; i < directory.count; ++i) {
    uint64_t length = 0;
    TF_ASSIGN_OR_RETURN(entries.emplace_back(), ReadEntry(at, end, &length));
    at += length;
  }
  if (at != end) return Fault("{} bytes of the directory belong to no entry", end - at);
  return entries;
}

absl::StatusOr<StatedEntry> Reader::ReadEntry(uint64_t at, uint64_t end, uint64_t* length) const {
  if (end - at < kDirectoryBytes || Get<uint32_t>(at) != kDirectoryMagic) {
    return Fault("directory, byte {}: there is no entry where one must be", at);
  }
  const uint64_t name_bytes = Get<uint16_t>(at + 28), extra_bytes = Get<uint16_t>(at + 30);
  *length = kDirectoryBytes + name_bytes + extra_bytes + Get<uint16_t>(at + 32);
  if (*length > end - at) return Fault("directory, byte {}: the entry does not end within the directory", at);
  StatedEntry entry;
  entry.entry.name = Text(at + kDirectoryBytes, name_bytes);
  const std::string name = Printable(entry.entry.name);
  if (!IsProperPath(entry.entry.name)) {
    return Fault("directory, byte {}: '{}' is no relative path of printable characters", at, name);
  }
  entry.flags = Get<uint16_t>(at + 8);
  const uint16_t method = Get<uint16_t>(at + 10);
  if ((entry.flags & kEncrypted) != 0) {
    return Unimplemented("{}: zip archive: entry '{}' is encrypted; only plain entries are read", path_, name);
  }
  if (method != 0) {
    return Unimplemented(
        "{}: zip archive: entry '{}' is compressed (method {}); only stored entries are read, as torch.save writes "
        "them (TorchScript programs are not read)",
        path_, name, method);
  }
  uint64_t packed = Get<uint32_t>(at + 20);
  entry.size = Get<uint32_t>(at + 24);
  entry.offset = Get<uint32_t>(at + 42);
  TF_RETURN_IF_ERROR(ReadZip64(Text(at + kDirectoryBytes + name_bytes, extra_bytes), &entry, &packed));
  if (packed != entry.size) return Fault("entry '{}' is stored, yet {} bytes became {}", name, entry.size, packed);
  return entry;
}

absl::Status Reader::ReadZip64(std::string_view extra, StatedEntry* entry, uint64_t* packed) const {
  uint64_t* const wanted[] = {&entry->size, packed, &entry->offset};
  if (std::none_of(std::begin(wanted), std::end(wanted), [](const uint64_t* n) { return *n == kIn64; })) {
    return absl::OkStatus();
  }
  const auto number = [&](size_t at, auto value) {
    std::memcpy(&value, extra.data() + at, sizeof(value));
    return value;
  };
  while (extra.size() >= 4) {
    const auto id = number(0, uint16_t{});
    const size_t size = number(2, uint16_t{});
    if (size > extra.size() - 4) break;
    if (id == kZip64Extra) {
      size_t at = 4;
      for (uint64_t* target : wanted) {
        if (*target != kIn64) continue;
        if (at + sizeof(uint64_t) > 4 + size) {
          return Fault("entry '{}': its zip64 field is too short", Printable(entry->entry.name));
        }
        *target = number(at, uint64_t{});
        at += sizeof(uint64_t);
      }
      return absl::OkStatus();
    }
    extra.remove_prefix(4 + size);
  }
  return Fault("entry '{}': its zip64 field is missing", Printable(entry->entry.name));
}

// Finds the entry's bytes; the result is their end.
absl::StatusOr<uint64_t> Reader::Place(StatedEntry* entry, uint64_t data_end) const {
  const std::string name = Printable(entry->entry.name);
  const uint64_t at = entry->offset;
  if (at > data_end || data_end - at < kLocalBytes || Get<uint32_t>(at) != kLocalMagic) {
    return Fault("entry '{}': there is no local header at byte {}", name, at);
  }
  const uint64_t name_bytes = Get<uint16_t>(at + 26);
  const uint64_t head = kLocalBytes + name_bytes + Get<uint16_t>(at + 28);
  if (head > data_end - at || entry->size > data_end - at - head) {
    return Fault("entry '{}': {} bytes from byte {} on do not fit before the directory at byte {}", name, entry->size,
                 at, data_end);
  }
  const uint32_t local_size = Get<uint32_t>(at + 22);
  const bool same_size = (entry->flags & kSizesFollow) != 0 || local_size == kIn64 || local_size == entry->size;
  if (Text(at + kLocalBytes, name_bytes) != entry->entry.name || Get<uint16_t>(at + 8) != 0 || !same_size) {
    return Fault("entry '{}': the local header at byte {} does not agree with the directory", name, at);
  }
  entry->entry.bytes = bytes_.subspan(at + head, entry->size);
  return at + head + entry->size;
}

}  // namespace

absl::StatusOr<std::vector<ZipEntry>> ReadZipArchive(const MappedFile& file) { return Reader(file).Read(); }

const ZipEntry* FindZipEntry(std::span<const ZipEntry> entries, std::string_view name) {
  const auto found = std::lower_bound(entries.begin(), entries.end(), name,
                                      [](const ZipEntry& entry, std::string_view key) { return entry.name < key; });
  return found == entries.end() || found->name != name ? nullptr : &*found;
}

}  // namespace toolformer
