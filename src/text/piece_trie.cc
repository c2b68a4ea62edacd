#include "src/text/piece_trie.h"

namespace toolformer {

PieceTrie::PieceTrie(std::vector<Entry> entries) : root_children_(256, kNoNode) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.first < b.first; });
  // Level by level: a node is the range of the entries that begin with what leads to it.
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, entries.size(), 0}};
  bytes_.push_back(0);
  ids_.push_back(-1);
  for (size_t node = 0; node < ranges.size(); ++node) {
    first_child_.push_back(static_cast<uint32_t>(ranges.size()));
    auto [begin, end, depth] = ranges[node];
    for (; begin < end && entries[begin].first.size() == depth; ++begin) {
      if (depth > 0) ids_[node] = entries[begin].second;
    }
    while (begin < end) {
      const char byte = entries[begin].first[depth];
      size_t last = begin + 1;
      while (last < end && entries[last].first[depth] == byte) ++last;
      ranges.push_back({begin, last, depth + 1});
      bytes_.push_back(static_cast<uint8_t>(byte));
      ids_.push_back(-1);
      begin = last;
    }
  }
  first_child_.push_back(static_cast<uint32_t>(ranges.size()));
  for (uint32_t child = first_child_[0]; child < first_child_[1]; ++child) root_children_[bytes_[child]] = child;
}

uint32_t PieceTrie::Walk(std::string_view text) const {
  uint32_t node = kRoot;
  for (size_t i = 0; i < text.size() && node != kNoNode; ++i) node = Child(node, static_cast<uint8_t>(text[i]));
  return node;
}

}  // namespace toolformer
