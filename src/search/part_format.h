// A part of an index: one file, written once, mapped for reading. Numbers are little-endian, as the machine's are.
//
//   header   Header
//   sections one after the other, each at a multiple of 8 bytes
//
// Postings of a term: where it occurs in more than kBlockPostings passages, a BlockHeader for each block; then the
// blocks. A posting is a varint of the distance to the passage before it, times two, plus one where the term occurs
// more than once, and then a varint of how often.
#ifndef TOOLFORMER_SRC_SEARCH_PART_FORMAT_H_
#define TOOLFORMER_SRC_SEARCH_PART_FORMAT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace toolformer {

static_assert(std::endian::native == std::endian::little, "index files are read in place");

inline constexpr uint32_t kPartVersion = 1;
inline constexpr std::array<char, 8> kPartMagic = {'T', 'F', 'S', 'E', 'A', 'R', 'C', 'H'};
inline constexpr size_t kBlockPostings = 128;
// Texts are compressed in blocks of so many bytes: small enough to unpack a few for a page of results.
inline constexpr size_t kTextBlockBytes = 4096;

enum Section : size_t {
  kTermText,    // the terms, ascending, one after the other
  kTerms,       // TermEntry
  kPostings,    // bytes
  kLengths,     // uint32_t: terms of each passage
  kPassages,    // PassageEntry
  kDocuments,   // DocumentEntry
  kTitles,      // TitleEntry, ascending by hash, then by document
  kTextBlocks,  // uint64_t: where each compressed block begins, and where the last one ends
  kText,        // compressed blocks: of each document the id, title, URL and text
  kSectionCount,
};

struct SectionEntry {
  uint64_t offset, size;  // bytes
};

struct Header {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t checksum;  // crc32 of the rest of the header
  uint64_t terms_in_passages;
  uint64_t text_bytes;  // of all compressed blocks, unpacked
  std::array<SectionEntry, kSectionCount> sections;
};

struct TermEntry {
  uint64_t postings;  // byte of the section
  uint32_t text;      // byte of the section
  uint32_t passages;  // that have the term
  // Bounds of what a posting can score.
  uint32_t most_often;
  uint32_t shortest;
};

struct BlockHeader {
  uint32_t last_passage;
  uint32_t end;  // byte after the block, from the first block's first
  uint32_t most_often;
  uint32_t shortest;
};

struct PassageEntry {
  uint32_t document;
  uint32_t begin, end;  // bytes of the document's text
};

struct DocumentEntry {
  uint64_t offset;  // of its id in the unpacked text
  uint32_t id_bytes, title_bytes, url_bytes, text_bytes;
  uint32_t first_passage;
  uint32_t reserved;
};

struct TitleEntry {
  uint64_t hash;  // HashBytes of the folded title
  uint32_t document;
  uint32_t reserved;
};

static_assert(sizeof(Header) == 32 + 16 * kSectionCount && sizeof(TermEntry) == 24 && sizeof(BlockHeader) == 16);
static_assert(sizeof(PassageEntry) == 12 && sizeof(DocumentEntry) == 32 && sizeof(TitleEntry) == 16);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_PART_FORMAT_H_
