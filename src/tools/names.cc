#include "src/tools/names.h"

#include <utf8proc.h>

#include <cstddef>
#include <cstdint>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr size_t kFewestWords = 10;
// In scripts without blanks a text may be a single word.
constexpr size_t kFewestLetters = 40;

bool IsWhiteSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

enum class Letter { kNone, kCapital, kSmall, kOther };

Letter LetterOf(const CodePoint& c) {
  if (!c.valid) return Letter::kNone;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c.value))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return Letter::kCapital;
    case UTF8PROC_CATEGORY_LL:
      return Letter::kSmall;
    case UTF8PROC_CATEGORY_LO:
      return Letter::kOther;
    default:
      return Letter::kNone;
  }
}

}  // namespace

bool NamesSomething(std::string_view text) {
  size_t words = 0, uncased = 0, cased = 0;
  bool named = false;
  bool begins_sentence = true;
  while (!text.empty()) {
    if (IsWhiteSpace(text.front())) {
      if (text.front() == '\n') begins_sentence = true;  // headings and items of lists begin with capitals, too
      text.remove_prefix(1);
      continue;
    }
    ++words;
    // The first two letters decide; what stands before them are quotes and brackets.
    Letter first = Letter::kNone, second = Letter::kNone;
    bool after_first = false;
    char last = 0;
    while (!text.empty() && !IsWhiteSpace(text.front())) {
      const CodePoint c = NextCodePoint(text);
      const Letter letter = LetterOf(c);
      cased += letter == Letter::kCapital || letter == Letter::kSmall ? 1 : 0;
      uncased += letter == Letter::kOther ? 1 : 0;
      if (after_first && second == Letter::kNone && first != Letter::kNone) {
        second = letter;
        after_first = false;
      } else if (first == Letter::kNone && letter != Letter::kNone) {
        first = letter;
        after_first = true;
      }
      if (text.front() != '"' && text.front() != ')') last = text.front();
      text.remove_prefix(c.length);
    }
    if (!begins_sentence && first == Letter::kCapital && second == Letter::kSmall) named = true;
    begins_sentence = last == '.' || last == '!' || last == '?' || last == ':';
  }
  if (cased == 0) return uncased >= kFewestLetters;
  return named && words >= kFewestWords;
}

}  // namespace toolformer
