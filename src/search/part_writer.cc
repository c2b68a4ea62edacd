#include "src/search/part_writer.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <tuple>

#include "src/base/file.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/search/passages.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxDocumentBytes = uint64_t{1} << 30;

void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

template <typename T>
std::string_view AsBytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

void PartWriter::AddPosting(uint32_t passage, uint32_t times, uint32_t length, Postings* postings) {
  const uint64_t distance = passage - (postings->passages == 0 ? 0 : postings->last_passage);
  if (postings->passages % kBlockPostings == 0) postings->blocks.push_back({0, 0, 0, UINT32_MAX});
  AppendVarint(distance * 2 + (times > 1 ? 1 : 0), &postings->bytes);
  if (times > 1) AppendVarint(times, &postings->bytes);
  ++postings->passages;
  postings->last_passage = passage;
  postings->most_often = std::max(postings->most_often, times);
  postings->shortest = std::min(postings->shortest, length);
  BlockHeader& block = postings->blocks.back();
  block.last_passage = passage;
  block.end = static_cast<uint32_t>(postings->bytes.size());
  block.most_often = std::max(block.most_often, times);
  block.shortest = std::min(block.shortest, length);
}

void PartWriter::AddPassage(std::string_view title, std::string_view text) {
  const auto passage = static_cast<uint32_t>(lengths_.size());
  uint32_t length = 0;
  terms_.clear();
  const auto count = [&](std::string_view term) {
    const uint32_t number =
        numbers_.try_emplace(std::string(term), static_cast<uint32_t>(postings_.size())).first->second;
    if (number == postings_.size()) {
      postings_.emplace_back();
      count_of_.push_back(0);
    }
    if (count_of_[number]++ == 0) terms_.push_back(number);
    ++length;
  };
  analyzer_->ForEach(title, count);
  analyzer_->ForEach(text, count);
  for (const uint32_t number : terms_) {
    AddPosting(passage, count_of_[number], length, &postings_[number]);
    count_of_[number] = 0;
  }
  lengths_.push_back(length);
  terms_in_passages_ += length;
}

absl::Status PartWriter::Add(const SearchDocument& document) {
  for (const std::string* field : {&document.id, &document.title, &document.text, &document.url}) {
    if (field->size() >= kMaxDocumentBytes) return InvalidArgument("a document has 1 GiB or more");
  }
  const auto number = static_cast<uint32_t>(documents_.size());
  DocumentEntry entry = {};
  entry.first_passage = static_cast<uint32_t>(passages_.size());
  entry.id_bytes = static_cast<uint32_t>(document.id.size());
  entry.title_bytes = static_cast<uint32_t>(document.title.size());
  entry.url_bytes = static_cast<uint32_t>(document.url.size());
  entry.text_bytes = static_cast<uint32_t>(document.text.size());
  TF_ASSIGN_OR_RETURN(entry.offset, text_.Append(document.id));
  for (const std::string* field : {&document.title, &document.url, &document.text}) {
    TF_RETURN_IF_ERROR(text_.Append(*field).status());
  }
  std::vector<PassageRange> ranges = CutIntoPassages(document.text, passage_words_);
  // A document that is a title alone can be found by it.
  if (ranges.empty() && !document.title.empty()) ranges.emplace_back();
  for (const PassageRange& range : ranges) {
    AddPassage(document.title, std::string_view(document.text).substr(range.begin, range.end - range.begin));
    passages_.push_back({number, range.begin, range.end});
  }
  if (!ranges.empty()) {
    if (const std::string folded = FoldedTitle(document.title); !folded.empty()) {
      titles_.push_back({HashBytes(folded), number, 0});
    }
  }
  documents_.push_back(entry);
  return absl::OkStatus();
}

void PartWriter::AppendPostings(const Postings& postings, std::string* out) {
  if (postings.passages > kBlockPostings) out->append(AsBytes(postings.blocks));
  out->append(postings.bytes);
}

absl::StatusOr<uint32_t> PartWriter::Write(const std::string& path) {
  TF_RETURN_IF_ERROR(text_.Finish());
  std::vector<std::pair<std::string_view, uint32_t>> sorted;
  sorted.reserve(numbers_.size());
  for (const auto& [term, number] : numbers_) sorted.emplace_back(term, number);
  std::sort(sorted.begin(), sorted.end());

  std::string term_text, postings;
  std::vector<TermEntry> terms;
  terms.reserve(sorted.size());
  for (const auto& [term, number] : sorted) {
    const Postings& of_term = postings_[number];
    // Headers of blocks are read in place.
    while (postings.size() % alignof(BlockHeader) != 0) postings.push_back(0);
    terms.push_back({postings.size(), static_cast<uint32_t>(term_text.size()), of_term.passages, of_term.most_often,
                     of_term.shortest});
    AppendPostings(of_term, &postings);
    term_text.append(term);
  }
  std::vector<TitleEntry> titles = titles_;
  std::sort(titles.begin(), titles.end(), [](const TitleEntry& a, const TitleEntry& b) {
    return std::tie(a.hash, a.document) < std::tie(b.hash, b.document);
  });

  std::array<std::string_view, kSectionCount> sections;
  sections[kTermText] = term_text;
  sections[kTerms] = AsBytes(terms);
  sections[kPostings] = postings;
  sections[kLengths] = AsBytes(lengths_);
  sections[kPassages] = AsBytes(passages_);
  sections[kDocuments] = AsBytes(documents_);
  sections[kTitles] = AsBytes(titles);
  sections[kTextBlocks] = AsBytes(text_.blocks());
  sections[kText] = text_.bytes();

  Header header = {};
  header.magic = kPartMagic;
  header.version = kPartVersion;
  header.terms_in_passages = terms_in_passages_;
  header.text_bytes = text_.size();
  uint64_t offset = sizeof(Header);
  for (size_t i = 0; i < kSectionCount; ++i) {
    header.sections[i] = {offset, sections[i].size()};
    offset = (offset + sections[i].size() + 7) / 8 * 8;
  }
  constexpr size_t kSummed = offsetof(Header, terms_in_passages);
  header.checksum = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(&header) + kSummed, static_cast<uInt>(sizeof(Header) - kSummed)));

  TF_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path));
  uLong checksum = crc32(0, nullptr, 0);
  const auto write = [&](std::string_view bytes) {
    checksum = crc32_z(checksum, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    return file->Write(bytes);
  };
  TF_RETURN_IF_ERROR(write({reinterpret_cast<const char*>(&header), sizeof(header)}));
  for (const std::string_view section : sections) {
    TF_RETURN_IF_ERROR(write(section));
    TF_RETURN_IF_ERROR(write(std::string((8 - section.size() % 8) % 8, '\0')));
  }
  TF_RETURN_IF_ERROR(file->Commit());
  return static_cast<uint32_t>(checksum);
}

}  // namespace toolformer
