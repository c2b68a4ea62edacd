#include "src/search/manifest.h"

#include <nlohmann/json.hpp>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/json_fields.h"
#include "src/base/random.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "toolformer search index";
constexpr int64_t kVersion = 1;
constexpr uint64_t kMaxManifestBytes = uint64_t{64} << 20;

std::string ManifestPath(const std::string& folder) { return folder + "/index.json"; }

}  // namespace

int64_t Manifest::documents() const {
  int64_t sum = 0;
  for (const PartEntry& part : parts) sum += part.documents;
  return sum;
}

int64_t Manifest::passages() const {
  int64_t sum = 0;
  for (const PartEntry& part : parts) sum += part.passages;
  return sum;
}

std::string Manifest::Identity() const {
  std::string text =
      fmt::format("{} {} {} {} {}", kVersion, options.language, options.k1, options.b, options.passage_words);
  for (const PartEntry& part : parts) {
    text += fmt::format(" {} {} {} {}", part.documents, part.passages, part.terms, part.checksum);
  }
  return fmt::format("{:016x}", HashBytes(text));
}

absl::Status CheckOptions(const SearchIndexOptions& options) {
  if (!(options.k1 >= 0.0 && options.k1 <= 1000.0))
    return InvalidArgument("k1 is {}, not within 0 and 1000", options.k1);
  if (!(options.b >= 0.0 && options.b <= 1.0)) return InvalidArgument("b is {}, not within 0 and 1", options.b);
  if (options.passage_words < 1 || options.passage_words > 10000) {
    return InvalidArgument("passage_words is {}, not within 1 and 10,000", options.passage_words);
  }
  if (options.part_passages < 1 || options.part_passages > 4000000) {
    return InvalidArgument("part_passages is {}, not within 1 and 4,000,000", options.part_passages);
  }
  return absl::OkStatus();
}

std::string PartName(size_t number) { return fmt::format("part-{:06}", number); }

absl::StatusOr<Manifest> ReadManifest(const std::string& folder) {
  const std::string path = ManifestPath(folder);
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxManifestBytes));
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(text);
  if (!parsed.ok()) return Annotate(parsed.status(), path);
  JsonFields fields;
  std::string format;
  int64_t version = 0;
  fields.Read(*parsed, "format", &format);
  fields.Read(*parsed, "version", &version);
  if (!fields.status().ok() || format != kFormat) return InvalidArgument("{}: not the list of a search index", path);
  if (version != kVersion) {
    return InvalidArgument("{}: version {} of the format, this library reads {}; build the index again", path, version,
                           kVersion);
  }
  Manifest manifest;
  fields.Read(*parsed, "language", &manifest.options.language);
  fields.Read(*parsed, "k1", &manifest.options.k1);
  fields.Read(*parsed, "b", &manifest.options.b);
  fields.Read(*parsed, "passage_words", &manifest.options.passage_words);
  fields.Read(*parsed, "part_passages", &manifest.options.part_passages);
  fields.Read(*parsed, "source", &manifest.source);
  fields.Read(*parsed, "finished", &manifest.finished);
  fields.ReadEach(*parsed, "parts", [&](const nlohmann::json& part) {
    PartEntry entry;
    fields.Read(part, "file", &entry.file);
    fields.Read(part, "documents", &entry.documents);
    fields.Read(part, "passages", &entry.passages);
    fields.Read(part, "terms", &entry.terms);
    fields.Read(part, "checksum", &entry.checksum);
    // No name of a file from elsewhere.
    if (entry.file != PartName(manifest.parts.size())) fields.Fail("file", "is not the name of a part");
    manifest.parts.push_back(std::move(entry));
  });
  absl::Status status = fields.status();
  if (status.ok()) status = CheckOptions(manifest.options);
  if (!status.ok()) return Annotate(status, path);
  return manifest;
}

absl::Status WriteManifest(const std::string& folder, const Manifest& manifest) {
  Json parts = Json::array();
  for (const PartEntry& part : manifest.parts) {
    parts.push_back({{"file", part.file},
                     {"documents", part.documents},
                     {"passages", part.passages},
                     {"terms", part.terms},
                     {"checksum", part.checksum}});
  }
  const SearchIndexOptions& options = manifest.options;
  const Json json = {{"format", kFormat},
                     {"version", kVersion},
                     {"finished", manifest.finished},
                     {"language", options.language},
                     {"k1", options.k1},
                     {"b", options.b},
                     {"passage_words", options.passage_words},
                     {"part_passages", options.part_passages},
                     {"source", manifest.source},
                     {"parts", parts}};
  TF_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(ManifestPath(folder)));
  TF_RETURN_IF_ERROR(file->Write(json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
  return file->Commit();
}

}  // namespace toolformer
