#include "src/text/token_matcher.h"

#include <algorithm>

#include "src/base/utf8.h"
#include "src/text/unicode.h"

namespace toolformer {
namespace {

// The last code point of `text`, which must not be empty.
CodePoint LastCodePoint(std::string_view text) {
  for (size_t length = std::min<size_t>(4, text.size()); length > 1; --length) {
    const CodePoint point = NextCodePoint(text.substr(text.size() - length));
    if (point.valid && point.length == length) return point;
  }
  return NextCodePoint(text.substr(text.size() - 1));
}

bool IsWordAtEnd(std::string_view text) {
  if (text.empty()) return false;
  const CodePoint point = LastCodePoint(text);
  return point.valid && IsWordCharacter(point.value);
}

bool IsWordAtStart(std::string_view text) {
  if (text.empty()) return false;
  const CodePoint point = NextCodePoint(text);
  return point.valid && IsWordCharacter(point.value);
}

size_t SpaceBytesAtEnd(std::string_view text) {
  size_t size = text.size();
  while (size > 0) {
    const CodePoint point = LastCodePoint(text.substr(0, size));
    if (!point.valid || !IsWhiteSpace(point.value)) break;
    size -= point.length;
  }
  return text.size() - size;
}

size_t SpaceBytesAtStart(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const CodePoint point = NextCodePoint(text.substr(size));
    if (!point.valid || !IsWhiteSpace(point.value)) break;
    size += point.length;
  }
  return size;
}

}  // namespace

bool TokenMatcher::Add(std::string_view token, int32_t id, const TokenRules& rules) {
  starts_[static_cast<uint8_t>(token[0])] = true;
  uint32_t node = 0;
  for (const char c : token) {
    const uint64_t edge = uint64_t{node} * 256 + static_cast<uint8_t>(c);
    const auto [child, is_new] = children_.Insert(edge, static_cast<uint32_t>(ids_.size()));
    if (is_new) ids_.push_back(-1);
    node = *child;
  }
  if (ids_[node] >= 0) return false;
  ids_[node] = id;
  if (rules.any()) rules_[id] = rules;
  return true;
}

TokenMatcher::Found TokenMatcher::FindAt(std::string_view text) const {
  Found longest;
  uint32_t node = 0;
  for (size_t end = 0; end < text.size(); ++end) {
    const uint32_t* child = children_.Find(uint64_t{node} * 256 + static_cast<uint8_t>(text[end]));
    if (child == nullptr) break;
    node = *child;
    if (ids_[node] >= 0) longest = {end + 1, ids_[node]};
  }
  return longest;
}

size_t TokenMatcher::LongestPrefix(std::string_view text) const { return text.empty() ? 0 : FindAt(text).length; }

std::optional<TokenMatcher::Match> TokenMatcher::FindNext(std::string_view text, size_t begin) const {
  for (size_t at = begin; at < text.size();) {
    if (!starts_[static_cast<uint8_t>(text[at])]) {
      ++at;
      continue;
    }
    const Found found = FindAt(text.substr(at));
    if (found.id < 0) {
      ++at;
      continue;
    }
    Match match{at, at + found.length, found.id};
    const auto rules = rules_.find(found.id);
    if (rules == rules_.end()) return match;
    const auto& [space_before, space_after, whole_word, is_text] = rules->second;
    if (is_text ||
        (whole_word && (IsWordAtEnd(text.substr(0, match.begin)) || IsWordAtStart(text.substr(match.end))))) {
      at = match.end;
      continue;
    }
    if (space_before) match.begin -= SpaceBytesAtEnd(text.substr(begin, match.begin - begin));
    if (space_after) match.end += SpaceBytesAtStart(text.substr(match.end));
    return match;
  }
  return std::nullopt;
}

}  // namespace toolformer
