// The part of a passage that says most about a query.
#ifndef TOOLFORMER_SRC_SEARCH_SNIPPET_H_
#define TOOLFORMER_SRC_SEARCH_SNIPPET_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace toolformer {

// At most `words` words of `text` that stand together: those with the most different words of `query` (as English
// stems), then those at a sentence's beginning, then the first ones. "..." stands where text was left out, at the front
// only inside a sentence. Blanks become single ones. Bounded work: of a text its first 10,000 words are looked at, of a
// word its first 80 bytes.
std::string Snippet(std::string_view text, std::string_view query, int64_t words);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_SNIPPET_H_
