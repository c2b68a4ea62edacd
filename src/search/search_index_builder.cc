#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "src/base/status.h"
#include "src/search/analyzer.h"
#include "src/search/manifest.h"
#include "src/search/part_writer.h"
#include "toolformer/search_index.h"

namespace toolformer {
namespace {

namespace fs = std::filesystem;

// Texts gathered in memory, before compression: bounds it where passages are long.
constexpr uint64_t kMaxPartTextBytes = uint64_t{1} << 30;

// The right to write into a folder, until it goes.
class FolderLock {
 public:
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const std::string& folder) {
    const std::string path = folder + "/lock";
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return Unavailable("{}: {}", path, std::strerror(errno));
    std::unique_ptr<FolderLock> lock(new FolderLock(fd));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return FailedPrecondition("{}: another build of this index is under way", folder);
    }
    return lock;
  }
  ~FolderLock() { close(fd_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  const int fd_;
};

std::string Difference(const SearchIndexOptions& a, const SearchIndexOptions& b) {
  if (a.language != b.language) return fmt::format("language '{}', now '{}'", a.language, b.language);
  if (a.k1 != b.k1) return fmt::format("k1 {}, now {}", a.k1, b.k1);
  if (a.b != b.b) return fmt::format("b {}, now {}", a.b, b.b);
  if (a.passage_words != b.passage_words)
    return fmt::format("passage_words {}, now {}", a.passage_words, b.passage_words);
  return "";
}

// What a build that was killed while it wrote a file left beside it.
void RemoveTemporaries(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> left;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with("part-") || name.starts_with("index.json");
    if (ours && name.find(".tmp-") != std::string::npos) left.push_back(entry.path());
  }
  for (const fs::path& path : left) fs::remove(path, error);
}

}  // namespace

struct SearchIndexBuilder::State {
  std::string folder;
  std::unique_ptr<FolderLock> lock;
  Manifest manifest;  // as it is on the disk
  std::unique_ptr<Analyzer> analyzer;
  std::unique_ptr<PartWriter> part;

  void BeginPart() { part = std::make_unique<PartWriter>(analyzer.get(), manifest.options.passage_words); }
};

SearchIndexBuilder::SearchIndexBuilder(std::unique_ptr<State> state) : state_(std::move(state)) {}
SearchIndexBuilder::~SearchIndexBuilder() = default;

int64_t SearchIndexBuilder::documents() const { return state_->manifest.documents() + state_->part->documents(); }
int64_t SearchIndexBuilder::passages() const { return state_->manifest.passages() + state_->part->passages(); }

absl::StatusOr<std::unique_ptr<SearchIndexBuilder>> SearchIndexBuilder::Open(const std::string& folder,
                                                                             const SearchIndexOptions& options,
                                                                             const std::string& source) {
  TF_RETURN_IF_ERROR(CheckOptions(options));
  auto state = std::make_unique<State>();
  TF_ASSIGN_OR_RETURN(state->analyzer, Analyzer::Make(options.language));
  state->folder = folder;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Unavailable("{}: {}", folder, error.message());
  // Looked at before anything of ours is put there.
  absl::StatusOr<Manifest> manifest = ReadManifest(folder);
  if (absl::IsNotFound(manifest.status())) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name == "lock" || name.starts_with("part-") || name.starts_with("index.json")) continue;
      return AlreadyExists("{}: holds '{}', which is none of an index; name an empty folder", folder, name);
    }
    if (error) return Unavailable("{}: {}", folder, error.message());
  } else if (!manifest.ok()) {
    return manifest.status();
  }
  TF_ASSIGN_OR_RETURN(state->lock, FolderLock::Take(folder));
  RemoveTemporaries(folder);
  // Again, now that nobody else writes.
  manifest = ReadManifest(folder);
  if (manifest.ok()) {
    if (manifest->finished) return AlreadyExists("{}: holds a finished index; remove it to build another", folder);
    if (const std::string other = Difference(manifest->options, options); !other.empty()) {
      return FailedPrecondition("{}: holds an unfinished index with {}; go on with that, or remove the folder", folder,
                                other);
    }
    if (manifest->source != source) {
      return FailedPrecondition(
          "{}: holds an unfinished index of '{}', not of '{}'; go on with that, or remove the folder", folder,
          manifest->source, source);
    }
    state->manifest = *std::move(manifest);
    state->manifest.options.part_passages = options.part_passages;
  } else if (absl::IsNotFound(manifest.status())) {
    state->manifest.options = options;
    state->manifest.source = source;
    TF_RETURN_IF_ERROR(WriteManifest(folder, state->manifest));
  } else {
    return manifest.status();
  }
  state->BeginPart();
  return std::unique_ptr<SearchIndexBuilder>(new SearchIndexBuilder(std::move(state)));
}

absl::Status SearchIndexBuilder::Add(const SearchDocument& document) {
  State& state = *state_;
  if (state.manifest.finished) return FailedPrecondition("{}: the index is finished", state.folder);
  TF_RETURN_IF_ERROR(state.part->Add(document));
  const bool full =
      state.part->passages() >= state.manifest.options.part_passages || state.part->text_bytes() >= kMaxPartTextBytes;
  return full ? Flush() : absl::OkStatus();
}

absl::Status SearchIndexBuilder::Flush() {
  State& state = *state_;
  if (state.part->documents() == 0) return absl::OkStatus();
  Manifest manifest = state.manifest;
  PartEntry entry = {PartName(manifest.parts.size()), state.part->documents(), state.part->passages(),
                     static_cast<int64_t>(state.part->terms()), 0};
  TF_ASSIGN_OR_RETURN(entry.checksum, state.part->Write(state.folder + "/" + entry.file));
  manifest.parts.push_back(entry);
  // A part counts from here on; one that was written and is not named is written over.
  TF_RETURN_IF_ERROR(WriteManifest(state.folder, manifest));
  state.manifest = std::move(manifest);
  state.BeginPart();
  return absl::OkStatus();
}

absl::Status SearchIndexBuilder::Finish() {
  State& state = *state_;
  TF_RETURN_IF_ERROR(Flush());
  Manifest manifest = state.manifest;
  manifest.finished = true;
  TF_RETURN_IF_ERROR(WriteManifest(state.folder, manifest));
  state.manifest = std::move(manifest);
  return absl::OkStatus();
}

}  // namespace toolformer
