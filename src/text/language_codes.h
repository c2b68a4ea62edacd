// How translation models name languages, and the labels by which fastText's lid.176 tells them apart.
#ifndef TOOLFORMER_SRC_TEXT_LANGUAGE_CODES_H_
#define TOOLFORMER_SRC_TEXT_LANGUAGE_CODES_H_

#include <optional>
#include <span>
#include <string_view>

namespace toolformer {

// Codes of NLLB-200 (FLORES-200), M2M-100 and its successor of WMT 2021 in the order of their tokens.
std::span<const std::string_view> NllbLanguages();
std::span<const std::string_view> M2m100Languages();
std::span<const std::string_view> Wmt21Languages();

struct LanguageCodes {
  std::string_view label;  // ISO 639-1 or -3, as Wikipedia uses them: "de"
  std::string_view nllb;   // "deu_Latn"; empty: not among its languages
  std::string_view m2m;    // "de"; likewise
};
// Of a label of lid.176; nothing where neither family knows the language.
std::optional<LanguageCodes> FindLanguage(std::string_view label);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_LANGUAGE_CODES_H_
