// Tokens that are matched whole in text, before anything else is done to it.
#ifndef TOOLFORMER_SRC_TEXT_TOKEN_MATCHER_H_
#define TOOLFORMER_SRC_TEXT_TOKEN_MATCHER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/text/flat_map.h"

namespace toolformer {

// How a token is matched.
struct TokenRules {
  bool takes_space_before = false;
  bool takes_space_after = false;
  bool whole_word = false;  // not where a letter or digit touches it
  bool is_text = false;     // what matches stays text, in which no other token begins

  bool any() const { return takes_space_before || takes_space_after || whole_word || is_text; }
};

// Finds the leftmost token, and of those that begin there the longest.
class TokenMatcher {
 public:
  // Bounds the time for one position.
  static constexpr size_t kMaxTokenBytes = 1024;

  // False where the token, which must not be empty, is there already.
  bool Add(std::string_view token, int32_t id) { return Add(token, id, TokenRules()); }
  bool Add(std::string_view token, int32_t id, const TokenRules& rules);
  bool empty() const { return children_.empty(); }

  struct Match {
    size_t begin, end;
    int32_t id;
  };
  // In text[begin, end); what lies before `begin` is there to look at only.
  std::optional<Match> FindNext(std::string_view text, size_t begin) const;
  // The longest token that `text` begins with, in bytes, whatever its rules; 0 where there is none.
  size_t LongestPrefix(std::string_view text) const;

 private:
  struct Found {
    size_t length = 0;
    int32_t id = -1;
  };
  Found FindAt(std::string_view text) const;

  FlatMap<uint32_t> children_;                     // node * 256 + byte -> node
  std::vector<int32_t> ids_{-1};                   // of nodes; -1 where no token ends
  std::array<bool, 256> starts_{};                 // bytes that some token starts with
  std::unordered_map<int32_t, TokenRules> rules_;  // of ids that have any
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKEN_MATCHER_H_
