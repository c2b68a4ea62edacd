#include "src/text/charsmap.h"

#include <algorithm>

#include "src/base/status.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

// Bounds what one character can grow to; the longest of NFKC has 33.
constexpr size_t kMaxReplacementBytes = 1024;

uint32_t ReadUint32(std::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
  return value;
}

// A unit holds the byte that leads to it, whether a value hangs below it, and where its children begin; or, of a value,
// 31 bits with the top bit set.
uint32_t Label(uint32_t unit) { return unit & 0x800000ffu; }
bool HasValue(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }
uint32_t Value(uint32_t unit) { return unit & 0x7fffffffu; }

}  // namespace

absl::StatusOr<std::shared_ptr<const Charsmap>> Charsmap::Parse(std::string_view bytes, const std::string& where) {
  if (bytes.size() < 4)
    return InvalidArgument("{}: a table of {} bytes; it begins with 4 bytes of size", where, bytes.size());
  const uint64_t trie_bytes = ReadUint32(bytes);
  bytes.remove_prefix(4);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes > bytes.size()) {
    return InvalidArgument("{}: the trie has {} bytes of {} that follow; it must be a multiple of 4 among them", where,
                           trie_bytes, bytes.size());
  }
  auto map = std::make_shared<Charsmap>();
  map->units_.reserve(trie_bytes / 4);
  for (uint64_t i = 0; i < trie_bytes; i += 4) map->units_.push_back(ReadUint32(bytes.substr(i)));
  map->replacements_ = bytes.substr(trie_bytes);
  if (!IsValidUtf8(map->replacements_)) return InvalidArgument("{}: the replacements are not valid UTF-8", where);
  for (size_t begin = 0; begin < map->replacements_.size();) {
    const size_t end = std::min(map->replacements_.find('\0', begin), map->replacements_.size());
    if (end - begin > kMaxReplacementBytes) {
      return InvalidArgument("{}: the replacement at offset {} has {} bytes; at most {} are supported", where, begin,
                             end - begin, kMaxReplacementBytes);
    }
    begin = end + 1;
  }
  return map;
}

std::optional<Charsmap::Match> Charsmap::Find(std::string_view text, Pick pick) const {
  std::optional<Match> found;
  uint64_t node = Offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const uint32_t byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || Label(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= Offset(unit);
    if (!HasValue(unit) || node >= units_.size()) continue;
    const size_t begin = Value(units_[node]);
    // An offset into the middle of a character would make text that is none.
    if (begin >= replacements_.size() || (replacements_[begin] & 0xc0) == 0x80) continue;
    const size_t end = replacements_.find('\0', begin);
    found = Match{i + 1, std::string_view(replacements_).substr(begin, end - begin)};
    if (pick == Pick::kShortest) break;
  }
  return found;
}

std::optional<Charsmap::Match> Charsmap::Longest(std::string_view text) const { return Find(text, Pick::kLongest); }
std::optional<Charsmap::Match> Charsmap::Shortest(std::string_view text) const { return Find(text, Pick::kShortest); }

}  // namespace toolformer
