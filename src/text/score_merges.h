// Merge rules that do what the scores of a SentencePiece vocabulary do.
#ifndef TOOLFORMER_SRC_TEXT_SCORE_MERGES_H_
#define TOOLFORMER_SRC_TEXT_SCORE_MERGES_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {

struct ScoredPiece {
  std::string_view text;
  float score = 0;
  TokenKind kind = TokenKind::kNormal;
};

// The pairs of pieces that join to a piece, the highest score first; of one piece, the longest left part first. Rules
// name pairs where scores name what they make, so equal ids are not certain where the same piece can be made of
// different parts that overlap in a text; see docs/decisions.md for what was measured.
// `field` begins the messages. kUnimplemented: a piece that merging reaches but rules cannot say, because it is unused
// or has a character that is no piece; a piece of more than 1,024 bytes.
absl::StatusOr<std::vector<std::pair<std::string_view, std::string_view>>> MergesOfScores(
    const std::vector<ScoredPiece>& pieces, const std::string& field);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_SCORE_MERGES_H_
