// The model file of SentencePiece, as its schema (sentencepiece_model.proto) names the fields.
#ifndef TOOLFORMER_SRC_TEXT_SENTENCEPIECE_MODEL_H_
#define TOOLFORMER_SRC_TEXT_SENTENCEPIECE_MODEL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {

struct SentencePieceModel {
  struct Piece {
    std::string piece;
    float score = 0;
    TokenKind kind = TokenKind::kNormal;
  };
  enum class Type { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };

  std::vector<Piece> pieces;
  // TrainerSpec
  Type type = Type::kUnigram;
  bool byte_fallback = false;
  bool treat_whitespace_as_suffix = false;
  int32_t bos_id = 1, eos_id = 2;
  // NormalizerSpec
  std::string precompiled_charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;

  // `bytes` of a file; `where` begins the error messages. kInvalidArgument for what is no such message, has no pieces,
  // too many, or pieces that are empty, no text or of an unknown type.
  static absl::StatusOr<SentencePieceModel> Parse(std::string_view bytes, const std::string& where);
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_SENTENCEPIECE_MODEL_H_
