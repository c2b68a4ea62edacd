// index.json: what an index's folder holds.
#ifndef TOOLFORMER_SRC_SEARCH_MANIFEST_H_
#define TOOLFORMER_SRC_SEARCH_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/search_index.h"

namespace toolformer {

struct PartEntry {
  std::string file;
  int64_t documents = 0, passages = 0, terms = 0;
  int64_t checksum = 0;  // crc32 of the file
};

struct Manifest {
  SearchIndexOptions options;
  std::string source;
  bool finished = false;
  std::vector<PartEntry> parts;

  int64_t documents() const;
  int64_t passages() const;

  // The same for indexes that answer alike: a hash of the options that decide answers and of the parts, not of where
  // they came from.
  std::string Identity() const;
};

// kInvalidArgument names what is wrong with the options.
absl::Status CheckOptions(const SearchIndexOptions& options);

// "part-000003".
std::string PartName(size_t number);

// kNotFound where the folder has none.
absl::StatusOr<Manifest> ReadManifest(const std::string& folder);
absl::Status WriteManifest(const std::string& folder, const Manifest& manifest);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_MANIFEST_H_
