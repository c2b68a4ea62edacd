#include "src/tools/decimal.h"

#include <charconv>
#include <limits>
#include <string>
#include <system_error>

namespace toolformer {
namespace {

size_t CountDigits(std::string_view text, size_t begin) {
  size_t end = begin;
  while (end < text.size() && IsDecimalDigit(text[end])) ++end;
  return end - begin;
}

// Bytes of the digits before the point, with their commas: one to three digits that do not start with a zero, then
// groups of three; else digits alone.
size_t IntegerLength(std::string_view text) {
  const size_t first = CountDigits(text, 0);
  size_t length = first;
  if (first == 0 || first > 3 || text[0] == '0') return first;
  while (length < text.size() && text[length] == ',' && CountDigits(text.substr(0, length + 5), length + 1) == 3) {
    length += 4;
  }
  // "1,2345" is no grouping at all, and neither is "1,234,5678".
  return length;
}

}  // namespace

std::optional<Decimal> ReadDecimal(std::string_view text) {
  const size_t integer = IntegerLength(text);
  size_t length = integer;
  if (length < text.size() && text[length] == '.') {
    const size_t fraction = CountDigits(text, length + 1);
    if (fraction > 0) length += 1 + fraction;
  }
  if (length == 0) return std::nullopt;

  std::string digits;
  digits.reserve(length);
  bool has_integer_part = false;
  for (size_t i = 0; i < length; ++i) {
    if (text[i] == ',') continue;
    has_integer_part = has_integer_part || (i < integer && text[i] != '0');
    digits += text[i];
  }
  Decimal decimal;
  decimal.length = length;
  const std::from_chars_result result =
      std::from_chars(digits.data(), digits.data() + digits.size(), decimal.value, std::chars_format::fixed);
  if (result.ec == std::errc::result_out_of_range) {
    decimal.value = has_integer_part ? std::numeric_limits<double>::infinity() : 0;
  }
  return decimal;
}

}  // namespace toolformer
