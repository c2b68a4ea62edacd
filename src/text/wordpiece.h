// Greedy segmentation from the left: Schuster, Nakajima, "Japanese and Korean voice search" (2012), as BERT does it.
#ifndef TOOLFORMER_SRC_TEXT_WORDPIECE_H_
#define TOOLFORMER_SRC_TEXT_WORDPIECE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/piece_trie.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {

struct WordPieceOptions {
  std::string continuing_prefix = "##";  // what pieces begin with that do not begin a word
  size_t max_characters = 100;           // longer words are unknown
  bool whole_words = false;              // a word is one piece or unknown: WordLevel
};

class WordPiece {
 public:
  // kInvalidArgument, beginning with `where`: a piece is too long.
  static absl::StatusOr<WordPiece> Create(const std::string& where, Vocabulary vocabulary,
                                          const WordPieceOptions& options);

  // Appends the ids of `word`: the longest piece that it begins with, then of the rest, and so on; the unknown token,
  // where there is one, for a word of which some rest has no piece. O(n * longest piece).
  void Encode(std::string_view word, std::vector<int32_t>* ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  WordPiece(Vocabulary vocabulary, const WordPieceOptions& options, PieceTrie trie);
  bool EncodeKnown(std::string_view word, std::vector<int32_t>* ids) const;

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  PieceTrie trie_;
  uint32_t continuation_;  // the node of the prefix
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_WORDPIECE_H_
