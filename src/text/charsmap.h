// The table by which SentencePiece normalises text: a double-array trie over byte strings (Aoe 1989, in the layout of
// Darts-clone) whose values are offsets of zero-terminated replacements.
#ifndef TOOLFORMER_SRC_TEXT_CHARSMAP_H_
#define TOOLFORMER_SRC_TEXT_CHARSMAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

class Charsmap {
 public:
  // `bytes`: the size of the trie in bytes (little-endian uint32), the trie, the replacements. kInvalidArgument,
  // beginning with `where`, where the sizes do not fit or a replacement is no text or longer than any real one.
  static absl::StatusOr<std::shared_ptr<const Charsmap>> Parse(std::string_view bytes, const std::string& where);

  struct Match {
    size_t length;  // bytes of text that are replaced
    std::string_view replacement;
  };
  // The rule of the longest, or of the shortest, prefix of `text` that has one. Offsets that lead outside the table
  // match nothing.
  std::optional<Match> Longest(std::string_view text) const;
  std::optional<Match> Shortest(std::string_view text) const;

 private:
  enum class Pick { kLongest, kShortest };
  std::optional<Match> Find(std::string_view text, Pick pick) const;
  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_CHARSMAP_H_
