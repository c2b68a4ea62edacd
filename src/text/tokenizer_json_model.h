// The model object of a tokenizer.json: its vocabulary and how words become pieces of it.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_MODEL_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_MODEL_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_json_special.h"

namespace toolformer {

// What the object says, as far as it can be said without a vocabulary that is complete.
struct JsonModel {
  enum class Type { kBpe, kUnigram, kWordPiece, kWordLevel };
  Type type = Type::kBpe;
  const nlohmann::json* object = nullptr;
  PieceTable pieces;
  int32_t vocabulary_tokens = 0;  // added tokens come after them
  bool byte_fallback = false;
  std::string unknown;      // the spelling of the unknown token; empty where it has none
  int32_t unknown_id = -1;  // kUnigram gives its id instead
  BpeOptions bpe;
  WordPieceOptions word_piece;
  std::vector<double> scores;  // kUnigram
};

// `object` outlives the result. Errors begin with `where`, a file and a field.
absl::StatusOr<JsonModel> ParseJsonModel(const nlohmann::json& object, const std::string& where);

// Adds a piece whose id is a member of a JSON text.
absl::Status AddJsonPiece(const std::string& piece, const nlohmann::json& id, const std::string& where,
                          PieceTable* pieces);

absl::StatusOr<WordEncoder> MakeWordEncoder(const JsonModel& model, Vocabulary vocabulary, const std::string& where);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_MODEL_H_
