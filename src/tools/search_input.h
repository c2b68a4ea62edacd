// What a model writes between the parentheses of a search.
#ifndef TOOLFORMER_SRC_TOOLS_SEARCH_INPUT_H_
#define TOOLFORMER_SRC_TOOLS_SEARCH_INPUT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

// An argument as it is meant: without the double quotes around it and the backslashes before quotes and backslashes in
// it, blanks at its ends left out. An argument without quotes is taken as it stands. kInvalidArgument: a quote that is
// not closed, or text behind it.
absl::StatusOr<std::string> Unquote(std::string_view argument);

struct SearchInput {
  enum class Kind { kSearch, kOpen };
  Kind kind = Kind::kSearch;
  std::string text;  // the words to search for, or a title
  std::vector<std::string> required, excluded;
  int64_t page = 1;
};

// words [+word] [-word] [#page], or "open:" title [#page]; quoted or not. kInvalidArgument: no words, or no title;
// kResourceExhausted: over 1,024 bytes; kOutOfRange: a page outside 1 to 10,000.
absl::StatusOr<SearchInput> ParseSearchInput(std::string_view argument);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_SEARCH_INPUT_H_
