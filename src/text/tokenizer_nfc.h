// Unicode normalisation form C (Unicode Standard Annex 15).
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_NFC_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_NFC_H_

#include <string>
#include <string_view>

namespace toolformer {

// Appends the composed form of `text`, which must be valid UTF-8, to `out`.
void AppendNfc(std::string_view text, std::string* out);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_NFC_H_
