#include "src/text/tokenizer_nfc.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/base/utf8.h"
#include "src/text/tokenizer_nfc_tables.h"

namespace toolformer {
namespace {

// Hangul syllables, by the arithmetic of the Unicode standard (section 3.12).
constexpr uint32_t kSyllables = 0xac00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11a7;
constexpr uint32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;
constexpr uint32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

// No code point below it takes part in composition as a mark or changes under normalisation.
constexpr uint32_t kFirstAffected = 0x300;

uint8_t CombiningClass(uint32_t code_point) {
  const std::span<const CombiningRange> ranges(kCombiningRanges, kCombiningRangeCount);
  const auto range =
      std::partition_point(ranges.begin(), ranges.end(), [&](const CombiningRange& r) { return r.last < code_point; });
  return range != ranges.end() && range->first <= code_point ? range->combining_class : 0;
}

const CanonicalDecomposition* FindDecomposition(uint32_t code_point) {
  const std::span<const CanonicalDecomposition> all(kCanonicalDecompositions, kCanonicalDecompositionCount);
  const auto found = std::partition_point(all.begin(), all.end(),
                                          [&](const CanonicalDecomposition& d) { return d.composed < code_point; });
  return found != all.end() && found->composed == code_point ? &*found : nullptr;
}

uint32_t Compose(uint32_t first, uint32_t second) {
  if (first - kLeads < kLeadCount && second - kVowels < kVowelCount) {
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTailCount;
  }
  const uint32_t syllable = first - kSyllables, tail = second - kTails;
  if (syllable < kSyllableCount && syllable % kTailCount == 0 && tail > 0 && tail < kTailCount) return first + tail;
  static const auto* const kPairs = [] {
    auto* pairs = new std::unordered_map<uint64_t, uint32_t>;
    for (size_t i = 0; i < kCanonicalDecompositionCount; ++i) {
      const CanonicalDecomposition& d = kCanonicalDecompositions[i];
      if (d.composes) pairs->emplace(uint64_t{d.first} << 32 | d.second, d.composed);
    }
    return pairs;
  }();
  const auto pair = kPairs->find(uint64_t{first} << 32 | second);
  return pair == kPairs->end() ? 0 : pair->second;
}

struct Mark {
  uint32_t value;
  uint8_t combining_class;
};

void Decompose(uint32_t code_point, std::vector<Mark>* out) {
  if (const uint32_t syllable = code_point - kSyllables; syllable < kSyllableCount) {
    out->push_back({kLeads + syllable / (kVowelCount * kTailCount), 0});
    out->push_back({kVowels + syllable / kTailCount % kVowelCount, 0});
    if (syllable % kTailCount != 0) out->push_back({kTails + syllable % kTailCount, 0});
    return;
  }
  uint32_t stack[8] = {code_point};
  for (size_t depth = 1; depth > 0;) {
    const uint32_t top = stack[--depth];
    const CanonicalDecomposition* found = FindDecomposition(top);
    if (found == nullptr || depth + 2 > std::size(stack)) {
      out->push_back({top, CombiningClass(top)});
      continue;
    }
    if (found->second != 0) stack[depth++] = found->second;
    stack[depth++] = found->first;
  }
}

}  // namespace

void AppendNfc(std::string_view text, std::string* out) {
  bool affected = false;
  std::vector<Mark> marks;
  for (std::string_view rest = text; !rest.empty();) {
    const CodePoint point = NextCodePoint(rest);
    rest.remove_prefix(point.length);
    affected = affected || point.value >= kFirstAffected;
  }
  if (!affected) {
    out->append(text);
    return;
  }
  for (std::string_view rest = text; !rest.empty();) {
    const CodePoint point = NextCodePoint(rest);
    rest.remove_prefix(point.length);
    Decompose(point.value, &marks);
  }
  for (size_t i = 0; i < marks.size();) {
    size_t end = i;
    while (end < marks.size() && marks[end].combining_class != 0) ++end;
    std::stable_sort(marks.begin() + static_cast<ptrdiff_t>(i), marks.begin() + static_cast<ptrdiff_t>(end),
                     [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
    i = end + 1;
  }
  // Each mark composes with the last starter unless a mark kept between them has at least its class.
  constexpr size_t kNone = ~size_t{0};
  size_t kept = 0, starter = kNone;
  for (size_t i = 0; i < marks.size(); ++i) {
    const Mark mark = marks[i];
    const bool adjacent = starter != kNone && starter + 1 == kept;
    const bool blocked = !adjacent && (kept == 0 || marks[kept - 1].combining_class >= mark.combining_class);
    if (starter != kNone && !blocked) {
      if (const uint32_t composed = Compose(marks[starter].value, mark.value); composed != 0) {
        marks[starter].value = composed;
        continue;
      }
    }
    if (mark.combining_class == 0) starter = kept;
    marks[kept++] = mark;
  }
  for (size_t i = 0; i < kept; ++i) AppendUtf8(marks[i].value, out);
}

}  // namespace toolformer
