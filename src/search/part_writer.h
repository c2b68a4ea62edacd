// Gathers documents in memory and writes them as a part of an index.
#ifndef TOOLFORMER_SRC_SEARCH_PART_WRITER_H_
#define TOOLFORMER_SRC_SEARCH_PART_WRITER_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/search/analyzer.h"
#include "src/search/part_format.h"
#include "src/search/text_store.h"
#include "toolformer/search_index.h"

namespace toolformer {

class PartWriter {
 public:
  // Keeps the pointer.
  PartWriter(Analyzer* analyzer, int64_t passage_words) : analyzer_(analyzer), passage_words_(passage_words) {}

  absl::Status Add(const SearchDocument& document);

  int64_t documents() const { return static_cast<int64_t>(documents_.size()); }
  int64_t passages() const { return static_cast<int64_t>(passages_.size()); }
  uint64_t terms() const { return terms_in_passages_; }
  // Bytes of texts, before compression.
  uint64_t text_bytes() const { return text_.size(); }

  // The whole file, in place or not at all; returns its crc32. What was added stays as it is.
  absl::StatusOr<uint32_t> Write(const std::string& path);

 private:
  struct Postings {
    std::string bytes;  // as in the file, without headers of blocks
    std::vector<BlockHeader> blocks;
    uint32_t passages = 0, last_passage = 0;
    uint32_t most_often = 0, shortest = UINT32_MAX;
  };

  void AddPassage(std::string_view title, std::string_view text);
  void AddPosting(uint32_t passage, uint32_t times, uint32_t length, Postings* postings);
  static void AppendPostings(const Postings& postings, std::string* out);

  Analyzer* const analyzer_;
  const int64_t passage_words_;
  std::unordered_map<std::string, uint32_t> numbers_;  // of terms
  std::vector<Postings> postings_;
  std::vector<uint32_t> lengths_;
  std::vector<PassageEntry> passages_;
  std::vector<DocumentEntry> documents_;
  std::vector<TitleEntry> titles_;
  TextStoreWriter text_;
  uint64_t terms_in_passages_ = 0;
  // Of the passage that is being added.
  std::vector<uint32_t> terms_, times_;
  std::vector<uint32_t> count_of_;  // by term, 0 between passages
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_PART_WRITER_H_
