// Which texts are worth asking a calculator about.
#ifndef TOOLFORMER_SRC_TOOLS_NUMBER_RELATIONS_H_
#define TOOLFORMER_SRC_TOOLS_NUMBER_RELATIONS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "toolformer/document.h"

namespace toolformer {

// Numbers of a text that are looked at, and the words among which numbers may belong together.
inline constexpr size_t kMaxNumbers = 10000, kWindowWords = 100;

struct TextNumber {
  double value = 0;  // without its sign; a percentage as its hundredth
  size_t word = 0;   // how many words, parted by blanks and line breaks, stand before the one it is in
  size_t begin = 0;  // byte of its first digit or point
  size_t end = 0;    // one past its last byte, a percent sign included
};

// The numbers of `text` in order, at most `max_count`.
std::vector<TextNumber> FindNumbers(std::string_view text, size_t max_count);

// True where a text may state `value` as `stated`: as it is, or rounded to two decimals.
bool States(double stated, double value);

// True where one of the numbers is a sum, difference, product or quotient, as it is or rounded to two decimals, of two
// others, and all three stand within 100 words. Operands that make the operation trivial do not count: a 0 anywhere, a
// 1 in products and quotients. Looks at the last kMaxWindowNumbers of a window.
bool HasArithmeticRelation(const std::vector<TextNumber>& numbers);

// "=", "equals", "equal to", "total of" or "average of", then a number (blanks and a currency sign between).
bool HasStatedResult(std::string_view text);

// The heuristic of the paper (App. A.1): either of the two above, or at least three numbers and, by `seed`, one chance
// in a hundred.
bool CalculatorAccepts(const Document& document, uint64_t seed);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_NUMBER_RELATIONS_H_
