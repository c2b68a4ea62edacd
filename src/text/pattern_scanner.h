// The patterns by which most byte-level vocabularies cut text into words, scanned by hand where the text is ASCII. What
// lies beside other characters is left to the regular expression.
#ifndef TOOLFORMER_SRC_TEXT_PATTERN_SCANNER_H_
#define TOOLFORMER_SRC_TEXT_PATTERN_SCANNER_H_

#include <cstddef>
#include <string_view>

namespace toolformer {

struct ScannedMatch {
  enum class Kind { kMatch, kNone, kUndecided };
  Kind kind = Kind::kUndecided;
  size_t begin = 0, end = 0;
};

// The first match that begins at `offset` or later, in text that is valid UTF-8.
using PatternScanner = ScannedMatch (*)(std::string_view text, size_t offset);

// Null where there is none for the pattern, which is given as tokenizer files spell it.
PatternScanner FindScanner(std::string_view pattern);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_PATTERN_SCANNER_H_
