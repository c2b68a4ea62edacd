#include "src/search/index_part.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/search/analyzer.h"

namespace toolformer {

absl::Status IndexPart::Damaged(std::string_view what) const {
  return InvalidArgument("{}: damaged: {}; build the index again", file_->path(), what);
}

template <typename T>
absl::StatusOr<std::span<const T>> IndexPart::Array(Section section) const {
  const auto [offset, size] = header_.sections[section];
  const std::optional<uint64_t> end = CheckedAdd(offset, size);
  if (!end || *end > file_->bytes().size() || offset % 8 != 0 || size % sizeof(T) != 0) {
    return Damaged(fmt::format("section {} lies outside the file", static_cast<int>(section)));
  }
  return std::span(reinterpret_cast<const T*>(file_->bytes().data() + offset), size / sizeof(T));
}

absl::Status IndexPart::ReadSections() {
  const std::span<const uint8_t> bytes = file_->bytes();
  if (bytes.size() < sizeof(Header)) return Damaged("it ends inside its header");
  std::memcpy(&header_, bytes.data(), sizeof(Header));
  if (header_.magic != kPartMagic) return InvalidArgument("{}: not a part of a search index", file_->path());
  if (header_.version != kPartVersion) {
    return InvalidArgument("{}: version {} of the format, this library reads {}; build the index again", file_->path(),
                           header_.version, kPartVersion);
  }
  constexpr size_t kSummed = offsetof(Header, terms_in_passages);
  if (crc32(0, bytes.data() + kSummed, static_cast<uInt>(sizeof(Header) - kSummed)) != header_.checksum) {
    return Damaged("the header's checksum is another one");
  }
  TF_ASSIGN_OR_RETURN(term_text_, Array<uint8_t>(kTermText));
  TF_ASSIGN_OR_RETURN(terms_, Array<TermEntry>(kTerms));
  TF_ASSIGN_OR_RETURN(postings_, Array<uint8_t>(kPostings));
  TF_ASSIGN_OR_RETURN(lengths_, Array<uint32_t>(kLengths));
  TF_ASSIGN_OR_RETURN(passages_, Array<PassageEntry>(kPassages));
  TF_ASSIGN_OR_RETURN(documents_, Array<DocumentEntry>(kDocuments));
  TF_ASSIGN_OR_RETURN(titles_, Array<TitleEntry>(kTitles));
  TF_ASSIGN_OR_RETURN(const std::span<const uint64_t> blocks, Array<uint64_t>(kTextBlocks));
  TF_ASSIGN_OR_RETURN(const std::span<const uint8_t> text, Array<uint8_t>(kText));
  if (passages_.size() != lengths_.size() || lengths_.size() > UINT32_MAX || documents_.size() > UINT32_MAX) {
    return Damaged("its sections are of different sizes");
  }
  text_ = TextStore(blocks, text, header_.text_bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<IndexPart>> IndexPart::Open(const std::string& path) {
  TF_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  std::unique_ptr<IndexPart> part(new IndexPart(std::move(file)));
  TF_RETURN_IF_ERROR(part->ReadSections());
  return part;
}

absl::StatusOr<std::string_view> IndexPart::TermText(size_t entry) const {
  const uint64_t begin = terms_[entry].text;
  const uint64_t end = entry + 1 < terms_.size() ? terms_[entry + 1].text : term_text_.size();
  if (begin > end || end > term_text_.size()) return Damaged("a term lies outside the terms");
  return std::string_view(reinterpret_cast<const char*>(term_text_.data()) + begin, end - begin);
}

absl::StatusOr<std::optional<TermPostings>> IndexPart::Find(std::string_view term) const {
  size_t first = 0, last = terms_.size();
  while (first < last) {
    const size_t middle = first + (last - first) / 2;
    TF_ASSIGN_OR_RETURN(const std::string_view text, TermText(middle));
    if (text < term) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  if (first == terms_.size()) return std::nullopt;
  TF_ASSIGN_OR_RETURN(const std::string_view text, TermText(first));
  if (text != term) return std::nullopt;

  const TermEntry& entry = terms_[first];
  const uint64_t end = first + 1 < terms_.size() ? terms_[first + 1].postings : postings_.size();
  if (entry.postings > end || end > postings_.size() || entry.postings % alignof(BlockHeader) != 0 ||
      entry.passages == 0 || entry.passages > passages()) {
    return Damaged("postings lie outside the file");
  }
  TermPostings postings = {entry.passages, entry.most_often, entry.shortest, {}, {}};
  std::span<const uint8_t> bytes = postings_.subspan(entry.postings, end - entry.postings);
  if (entry.passages > kBlockPostings) {
    const size_t count = (entry.passages + kBlockPostings - 1) / kBlockPostings;
    if (count > bytes.size() / sizeof(BlockHeader)) return Damaged("postings end inside their headers");
    postings.blocks = {reinterpret_cast<const BlockHeader*>(bytes.data()), count};
    bytes = bytes.subspan(count * sizeof(BlockHeader));
  }
  postings.bytes = bytes;
  return postings;
}

absl::StatusOr<SearchPassage> IndexPart::Passage(uint32_t passage) const {
  const PassageEntry& entry = passages_[passage];
  if (entry.document >= documents_.size()) return Damaged("a passage is of no document");
  const DocumentEntry& document = documents_[entry.document];
  const uint32_t after =
      entry.document + 1 < documents_.size() ? documents_[entry.document + 1].first_passage : passages();
  if (entry.begin > entry.end || entry.end > document.text_bytes || passage < document.first_passage ||
      after <= passage) {
    return Damaged("a passage lies outside its document");
  }
  SearchPassage found;
  found.page = passage - document.first_passage;
  found.pages = after - document.first_passage;
  // Most passages stand near their document's beginning: one piece is unpacked then, else two.
  const uint64_t names = uint64_t{document.id_bytes} + document.title_bytes + document.url_bytes;
  const bool together = entry.end <= kTextBlockBytes / 4;
  absl::StatusOr<std::string> head = text_.Read(document.offset, names + (together ? entry.end : 0));
  if (!head.ok()) return Damaged(std::string(head.status().message()));
  found.document_id = head->substr(0, document.id_bytes);
  found.title = head->substr(document.id_bytes, document.title_bytes);
  found.url = head->substr(uint64_t{document.id_bytes} + document.title_bytes, document.url_bytes);
  if (together) {
    found.text = head->substr(names + entry.begin);
    return found;
  }
  absl::StatusOr<std::string> text = text_.Read(document.offset + names + entry.begin, entry.end - entry.begin);
  if (!text.ok()) return Damaged(std::string(text.status().message()));
  found.text = *std::move(text);
  return found;
}

absl::StatusOr<std::optional<uint32_t>> IndexPart::FindTitle(std::string_view folded) const {
  const uint64_t hash = HashBytes(folded);
  auto entry = std::lower_bound(titles_.begin(), titles_.end(), hash,
                                [](const TitleEntry& title, uint64_t wanted) { return title.hash < wanted; });
  for (; entry != titles_.end() && entry->hash == hash; ++entry) {
    if (entry->document >= documents_.size()) return Damaged("a title is of no document");
    const DocumentEntry& document = documents_[entry->document];
    // Wraps only where the sizes are damaged, and is then refused.
    absl::StatusOr<std::string> title = text_.Read(document.offset + document.id_bytes, document.title_bytes);
    if (!title.ok()) return Damaged(std::string(title.status().message()));
    if (FoldedTitle(*title) != folded) continue;  // another title of the same hash
    if (document.first_passage >= passages()) return Damaged("a document's passages lie outside the file");
    return document.first_passage;
  }
  return std::nullopt;
}

}  // namespace toolformer
