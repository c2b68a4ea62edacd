// Which pieces of a vocabulary a text begins with.
#ifndef TOOLFORMER_SRC_TEXT_PIECE_TRIE_H_
#define TOOLFORMER_SRC_TEXT_PIECE_TRIE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace toolformer {

class PieceTrie {
 public:
  // Bounds the time for one position of a text.
  static constexpr size_t kMaxPieceBytes = 4096;

  using Entry = std::pair<std::string_view, int32_t>;  // piece, id
  // Empty pieces are left out; of equal ones the last counts.
  explicit PieceTrie(std::vector<Entry> entries);

  // Calls visit(id, bytes) for each piece that `text` begins with, shortest first.
  template <typename Visit>
  void ForEachPrefix(std::string_view text, Visit visit) const {
    ForEachPrefixFrom(kRoot, text, visit);
  }
  // The same for pieces that begin with what leads to `node`; bytes are counted from there.
  template <typename Visit>
  void ForEachPrefixFrom(uint32_t node, std::string_view text, Visit visit) const {
    for (size_t i = 0; i < text.size() && node != kNoNode; ++i) {
      node = Child(node, static_cast<uint8_t>(text[i]));
      if (node == kNoNode) return;
      if (ids_[node] >= 0) visit(ids_[node], i + 1);
    }
  }

  static constexpr uint32_t kRoot = 0, kNoNode = ~uint32_t{0};
  // The node of `text`; kNoNode where no piece begins with it.
  uint32_t Walk(std::string_view text) const;

 private:
  // Children of node n are nodes first_child_[n] to first_child_[n + 1], sorted by the byte that leads to them.
  uint32_t Child(uint32_t node, uint8_t byte) const {
    if (node == kRoot) return root_children_[byte];
    const auto begin = bytes_.begin() + first_child_[node], end = bytes_.begin() + first_child_[node + 1];
    const auto found = std::lower_bound(begin, end, byte);
    return found != end && *found == byte ? static_cast<uint32_t>(found - bytes_.begin()) : kNoNode;
  }
  std::vector<uint32_t> first_child_;
  std::vector<uint8_t> bytes_;  // that lead to the nodes
  std::vector<int32_t> ids_;    // -1 where no piece ends
  std::vector<uint32_t> root_children_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_PIECE_TRIE_H_
