// Zip archives whose entries are stored as they are, as torch.save writes them.
#ifndef TOOLFORMER_SRC_FILES_ZIP_ARCHIVE_H_
#define TOOLFORMER_SRC_FILES_ZIP_ARCHIVE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/file.h"

namespace toolformer {

inline constexpr size_t kMaxZipEntries = size_t{1} << 18;

struct ZipEntry {
  std::string_view name;
  std::span<const uint8_t> bytes;
};

// The entries of the archive `file`, sorted by name; names and bytes point into it. Reads the directory and the local
// headers (which must agree), not the data; checksums are not verified. Names are unique, relative and without "..";
// entries do not overlap. kInvalidArgument (names entry, field and offset), kUnimplemented (a compressed or encrypted
// entry, an archive of several parts), kResourceExhausted (too many entries).
absl::StatusOr<std::vector<ZipEntry>> ReadZipArchive(const MappedFile& file);

// Null where there is none.
const ZipEntry* FindZipEntry(std::span<const ZipEntry> entries, std::string_view name);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_ZIP_ARCHIVE_H_
