// Decimal numbers as texts write them, read without the locale.
#ifndef TOOLFORMER_SRC_TOOLS_DECIMAL_H_
#define TOOLFORMER_SRC_TOOLS_DECIMAL_H_

#include <cstddef>
#include <optional>
#include <string_view>

namespace toolformer {

inline bool IsDecimalDigit(char c) { return c >= '0' && c <= '9'; }

struct Decimal {
  double value = 0;   // infinite where the number exceeds every double
  size_t length = 0;  // bytes read
};

// The number at the start of `text`: "24", "3.70", ".5", "1,234.5". A comma belongs to it only between groups of three
// digits, a point only before a digit; no sign, no exponent. Nothing where there is none.
std::optional<Decimal> ReadDecimal(std::string_view text);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_DECIMAL_H_
