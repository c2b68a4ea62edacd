// The vocabulary of a GGUF file as its fields give it, checked: what a tokenizer is made of, and what is saved.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_GGUF_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_GGUF_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/files/gguf.h"
#include "src/text/tokenizer_presets.h"
#include "src/text/tokenizer_vocabulary.h"
#include "toolformer/tokenizer.h"

namespace toolformer {

// Spaces as SentencePiece spells them.
inline constexpr std::string_view kSpaceMark = "\u2581";

struct GgufVocabulary {
  enum class Kind {
    kByteLevel,   // merges over bytes
    kCharacters,  // merges over characters, with byte tokens
    kScores,      // SentencePiece: the pair of the highest score merges
  };
  Kind kind = Kind::kByteLevel;
  const PreTokenizerPreset* preset = nullptr;  // with merges
  std::vector<std::string_view> pieces;        // as the file spells them; valid while the file is open
  std::vector<TokenKind> kinds;                // the tokens named below and those that end a text are kControl
  std::vector<std::string_view> merges;
  std::vector<float> scores;
  std::optional<int32_t> bos, eos, unknown, padding;
  std::vector<int32_t> end_ids;
  bool adds_bos = false, adds_eos = false;  // around a text that stands alone; Tokenizer::Encode adds neither
  bool adds_space_prefix = false;           // before the first word
  std::optional<std::string_view> chat_template;

  // The byte of a kByte token; ReadGgufVocabulary has checked its spelling.
  char Byte(int32_t id) const { return static_cast<char>(*ParseByteToken(pieces[id])); }
};

// Errors begin with the path of `gguf`.
absl::StatusOr<GgufVocabulary> ReadGgufVocabulary(const GgufFile& gguf);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_GGUF_H_
