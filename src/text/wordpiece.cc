#include "src/text/wordpiece.h"

#include <utility>

#include "src/base/status.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

bool HasMoreCharacters(std::string_view text, size_t limit) {
  if (text.size() <= limit) return false;
  for (size_t count = 0; !text.empty(); ++count) {
    if (count == limit) return true;
    text.remove_prefix(NextCodePoint(text).length);
  }
  return false;
}

}  // namespace

WordPiece::WordPiece(Vocabulary vocabulary, const WordPieceOptions& options, PieceTrie trie)
    : vocabulary_(std::move(vocabulary)),
      options_(options),
      trie_(std::move(trie)),
      continuation_(trie_.Walk(options.continuing_prefix)) {}

absl::StatusOr<WordPiece> WordPiece::Create(const std::string& where, Vocabulary vocabulary,
                                            const WordPieceOptions& options) {
  std::vector<PieceTrie::Entry> entries;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    if (vocabulary.kind(id) != TokenKind::kNormal) continue;
    const std::string_view piece = vocabulary.Key(id);
    if (piece.size() > PieceTrie::kMaxPieceBytes) {
      return InvalidArgument("{}: token {} has {} bytes; at most {} are supported", where, id, piece.size(),
                             PieceTrie::kMaxPieceBytes);
    }
    entries.emplace_back(piece, id);
  }
  PieceTrie trie(std::move(entries));
  return WordPiece(std::move(vocabulary), options, std::move(trie));
}

void WordPiece::Encode(std::string_view word, std::vector<int32_t>* ids) const {
  if (word.empty()) return;
  const size_t before = ids->size();
  if (options_.whole_words) {
    if (const int32_t id = vocabulary_.Find(word); id >= 0) ids->push_back(id);
  } else if (HasMoreCharacters(word, options_.max_characters) || !EncodeKnown(word, ids)) {
    ids->resize(before);
  }
  if (ids->size() == before && vocabulary_.unknown() >= 0) ids->push_back(vocabulary_.unknown());
}

bool WordPiece::EncodeKnown(std::string_view word, std::vector<int32_t>* ids) const {
  for (size_t begin = 0; begin < word.size();) {
    int32_t longest = -1;
    size_t length = 0;
    trie_.ForEachPrefixFrom(begin == 0 ? PieceTrie::kRoot : continuation_, word.substr(begin),
                            [&](int32_t id, size_t bytes) {
                              longest = id;
                              length = bytes;
                            });
    if (longest < 0) return false;
    ids->push_back(longest);
    begin += length;
  }
  return true;
}

}  // namespace toolformer
