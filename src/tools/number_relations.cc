#include "src/tools/number_relations.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "src/base/random.h"
#include "src/tools/decimal.h"

namespace toolformer {
namespace {

// Words stand for the paper's tokens: the heuristic runs before any tokenizer is chosen.
// Bounds on work: a document of nothing but numbers costs kMaxNumbers * kMaxWindowNumbers^2 / 2 comparisons.
constexpr size_t kMaxWindowNumbers = 32;
constexpr double kRandomShare = 0.01;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool Near(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)); }

bool IsResult(double result, double a, double b) {
  if (States(result, a + b) || States(result, std::abs(a - b))) return true;
  if (a == 1 || b == 1 || result == 1) return false;
  return States(result, a * b) || States(result, a / b) || States(result, b / a);
}

bool AnyIsResult(double a, double b, double c) { return IsResult(a, b, c) || IsResult(b, a, c) || IsResult(c, a, b); }

// Whether a number starts `text`, behind blanks, a currency sign and a sign.
bool StartsWithNumber(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kSkipped = {"$", "\u20ac", "\u00a3", "-"};
  size_t i = 0;
  while (i < text.size() && IsSpace(text[i])) ++i;
  for (const std::string_view skipped : kSkipped) {
    if (text.substr(i, skipped.size()) == skipped) i += skipped.size();
  }
  return ReadDecimal(text.substr(i, 2)).has_value();
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b;
         });
}

}  // namespace

bool States(double stated, double value) {
  if (std::abs(stated - value) > 0.0051 + 1e-9 * stated) return false;
  return Near(stated, value) || Near(stated, std::round(value * 100) / 100);
}

std::vector<TextNumber> FindNumbers(std::string_view text, size_t max_count) {
  std::vector<TextNumber> numbers;
  size_t word = 0;
  size_t i = 0;
  while (i < text.size() && numbers.size() < max_count) {
    const char c = text[i];
    const char previous = i == 0 ? ' ' : text[i - 1];
    if (IsSpace(c)) {
      if (!IsSpace(previous)) ++word;
      ++i;
      continue;
    }
    const bool starts = IsDecimalDigit(c) || c == '.';
    // "B2" names something.
    const std::optional<Decimal> number =
        starts && !IsLetter(previous) && !IsDecimalDigit(previous) ? ReadDecimal(text.substr(i)) : std::nullopt;
    if (!number) {
      ++i;
      continue;
    }
    const size_t begin = i;
    i += number->length;
    const bool percent = i < text.size() && text[i] == '%';
    if (!std::isfinite(number->value)) continue;
    numbers.push_back({percent ? number->value / 100 : number->value, word, begin, i + (percent ? 1 : 0)});
  }
  return numbers;
}

bool HasArithmeticRelation(const std::vector<TextNumber>& numbers) {
  size_t first = 0;  // of the window that ends with number `last`
  for (size_t last = 0; last < numbers.size(); ++last) {
    while (numbers[last].word - numbers[first].word >= kWindowWords || last - first >= kMaxWindowNumbers) ++first;
    if (numbers[last].value == 0) continue;
    for (size_t i = first; i < last; ++i) {
      if (numbers[i].value == 0) continue;
      for (size_t j = i + 1; j < last; ++j) {
        if (numbers[j].value == 0) continue;
        if (AnyIsResult(numbers[i].value, numbers[j].value, numbers[last].value)) return true;
      }
    }
  }
  return false;
}

bool HasStatedResult(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kMarkers = {"=", "equals", "equal to", "total of", "average of"};
  for (size_t i = 0; i < text.size(); ++i) {
    for (const std::string_view marker : kMarkers) {
      if (!EqualsIgnoringCase(text.substr(i, marker.size()), marker)) continue;
      const bool inside_word = IsLetter(marker[0]) && i > 0 && IsLetter(text[i - 1]);
      if (!inside_word && StartsWithNumber(text.substr(i + marker.size()))) return true;
    }
  }
  return false;
}

bool CalculatorAccepts(const Document& document, uint64_t seed) {
  const std::vector<TextNumber> numbers = FindNumbers(document.text, kMaxNumbers);
  if (HasArithmeticRelation(numbers) || HasStatedResult(document.text)) return true;
  if (numbers.size() < 3) return false;
  return RandomStream(CombineSeeds({seed, HashBytes(document.text)})).Uniform() < kRandomShare;
}

}  // namespace toolformer
