// Blanks around text.
#ifndef TOOLFORMER_SRC_BASE_BLANKS_H_
#define TOOLFORMER_SRC_BASE_BLANKS_H_

#include <string_view>

namespace toolformer {

inline constexpr std::string_view kBlanks = " \t\r\n";

inline std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_BLANKS_H_
