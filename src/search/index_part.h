// A part of an index, mapped for reading. Nothing in the file is believed before it was checked.
#ifndef TOOLFORMER_SRC_SEARCH_INDEX_PART_H_
#define TOOLFORMER_SRC_SEARCH_INDEX_PART_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/base/file.h"
#include "src/search/part_format.h"
#include "src/search/text_store.h"
#include "toolformer/search_index.h"

namespace toolformer {

// What a part knows of a term.
struct TermPostings {
  uint32_t passages = 0, most_often = 0, shortest = 0;
  std::span<const BlockHeader> blocks;  // empty: a single block
  std::span<const uint8_t> bytes;       // of all blocks
};

// Const and concurrent.
class IndexPart {
 public:
  // Looks at the header alone. Errors name the file.
  static absl::StatusOr<std::unique_ptr<IndexPart>> Open(const std::string& path);

  uint32_t documents() const { return static_cast<uint32_t>(documents_.size()); }
  uint32_t passages() const { return static_cast<uint32_t>(lengths_.size()); }
  uint64_t terms() const { return header_.terms_in_passages; }
  std::span<const uint32_t> lengths() const { return lengths_; }

  // Nothing where no passage has the term. An entry that cannot be true is an error.
  absl::StatusOr<std::optional<TermPostings>> Find(std::string_view term) const;

  // All but the number, the score.
  absl::StatusOr<SearchPassage> Passage(uint32_t passage) const;

  // The number of the first passage of the first document of that title.
  absl::StatusOr<std::optional<uint32_t>> FindTitle(std::string_view folded) const;

 private:
  explicit IndexPart(std::unique_ptr<MappedFile> file) : file_(std::move(file)) {}
  absl::Status ReadSections();
  absl::StatusOr<std::string_view> TermText(size_t entry) const;
  template <typename T>
  absl::StatusOr<std::span<const T>> Array(Section section) const;
  absl::Status Damaged(std::string_view what) const;

  const std::unique_ptr<MappedFile> file_;
  Header header_ = {};
  std::span<const uint8_t> term_text_, postings_;
  std::span<const TermEntry> terms_;
  std::span<const uint32_t> lengths_;
  std::span<const PassageEntry> passages_;
  std::span<const DocumentEntry> documents_;
  std::span<const TitleEntry> titles_;
  TextStore text_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_INDEX_PART_H_
