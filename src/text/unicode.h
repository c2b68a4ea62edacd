// Unicode as tokenizer files mean it: the data of utf8proc, less what came into Unicode after the tables that the
// Hugging Face tokenizers were built with. Texts are valid UTF-8.
#ifndef TOOLFORMER_SRC_TEXT_UNICODE_H_
#define TOOLFORMER_SRC_TEXT_UNICODE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace toolformer {

// The normalisation forms of Unicode Standard Annex 15.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// Appends `text` in `form` to `out`. O(n log n), whatever marks it heaps up.
void AppendUnicodeForm(UnicodeForm form, std::string_view text, std::string* out);

// Appends the lower case of one code point; U+0130 becomes two.
void AppendLowerCase(uint32_t code_point, std::string* out);

// Bytes from `begin` on that are ASCII, in whole eights: a quick look ahead.
size_t AsciiEights(std::string_view text, size_t begin);

bool IsWhiteSpace(uint32_t code_point);
// Category M.
bool IsMark(uint32_t code_point);
// Category Mn, as of Unicode 8: what BERT takes for accents.
bool IsAccent(uint32_t code_point);
// Categories Cc, Cf and Co: what BERT takes for control characters, tab and line breaks among them.
bool IsControl(uint32_t code_point);
// What \w matches: letters, marks, decimal digits, connectors and joiners.
bool IsWordCharacter(uint32_t code_point);

// Bytes of the first extended grapheme cluster (Annex 29) of `text`, which must not be empty.
size_t FirstGraphemeBytes(std::string_view text);

// What \p{P} and ASCII punctuation are to BERT, in the syntax of Regex::Compile.
std::string PunctuationPattern();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_UNICODE_H_
