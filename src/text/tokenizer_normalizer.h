// The first steps of a tokenizer: they rewrite a text before it is cut into words.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_NORMALIZER_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_NORMALIZER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/text/charsmap.h"
#include "src/text/token_matcher.h"
#include "src/text/tokenizer_regex.h"

namespace toolformer {

// Whether a section of text is the start of a text, and so takes the prefix that some vocabularies put there.
enum class TextPosition { kStart, kAfterToken, kContinuation };

// What SentencePiece does to a text, by the fields of its NormalizerSpec.
struct SentencePieceNormalizer {
  std::shared_ptr<const Charsmap> charsmap;  // may be null
  TokenMatcher symbols;                      // user-defined: left as they are
  bool adds_prefix = true;
  bool removes_extra_spaces = true;
  bool escapes_spaces = true;
  bool space_is_suffix = false;  // the prefix comes after the text instead
};

struct NormalizerStep {
  enum class Kind {
    kPrepend,        // `content` before a section that is not empty
    kReplace,        // matches of `pattern` become `content`
    kNfc,            // Unicode normalisation form C
    kNfd,            // and the others
    kNfkc,           //
    kNfkd,           //
    kLowerCase,      // character by character
    kStripMarks,     // category M goes
    kNmt,            // some controls go, others and odd spaces become spaces
    kStripLeft,      // white space goes from the start of the text
    kStripRight,     // or from its end
    kBertClean,      // controls go, white space becomes spaces
    kBertChinese,    // spaces around Chinese characters
    kBertAccents,    // decomposed, category Mn goes
    kCharsmap,       // as Hugging Face reads `charsmap`: by grapheme where it is short, else by character
    kSentencePiece,  // as SentencePiece itself: `sentencepiece`
  };
  Kind kind;
  std::string content = {};
  std::shared_ptr<const Regex> pattern = nullptr;
  std::shared_ptr<const Charsmap> charsmap = nullptr;
  std::shared_ptr<const SentencePieceNormalizer> sentencepiece = nullptr;
};

// Applies the steps one after the other. Bytes that are no UTF-8 stay as they are; each run of them ends a text for the
// steps before and after it.
std::string Normalize(const std::vector<NormalizerStep>& steps, std::string_view text, TextPosition position,
                      Regex::Scratch* scratch);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_NORMALIZER_H_
