// Documents cut into passages.
#ifndef TOOLFORMER_SRC_SEARCH_PASSAGES_H_
#define TOOLFORMER_SRC_SEARCH_PASSAGES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace toolformer {

struct PassageRange {
  uint32_t begin = 0, end = 0;  // bytes of the text
};

// Passages of `words` words, parted by blanks, the last one shorter. A passage without blanks ends after 20 bytes for
// each word, at a character's end. Blanks around passages belong to none. `text` has less than 1 GiB.
std::vector<PassageRange> CutIntoPassages(std::string_view text, int64_t words);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_PASSAGES_H_
