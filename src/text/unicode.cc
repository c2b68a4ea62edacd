#include "src/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

struct Range {
  uint32_t first, last;
};

// clang-format off
// Marks, and code points that change under some form, which came after Unicode 9: unknown to the reference.
constexpr Range kAfterUnicode9[] = {
    {0x7fd, 0x7fd}, {0x898, 0x89f}, {0x8ca, 0x8d3}, {0x9fe, 0x9fe}, {0xafa, 0xaff}, {0xb55, 0xb55}, {0xc04, 0xc04},
    {0xc3c, 0xc3c}, {0xcf3, 0xcf3}, {0xd00, 0xd00}, {0xd3b, 0xd3c}, {0xd81, 0xd81}, {0xeba, 0xeba}, {0xece, 0xece},
    {0x1715, 0x1715}, {0x180f, 0x180f}, {0x1abf, 0x1ace}, {0x1cf7, 0x1cf7}, {0x1df6, 0x1dfa}, {0x32ff, 0x32ff},
    {0xa7f2, 0xa7f4}, {0xa82c, 0xa82c}, {0xa8ff, 0xa8ff}, {0xab69, 0xab69}, {0x10781, 0x10785}, {0x10787, 0x107b0},
    {0x107b2, 0x107ba}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50},
    {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x11073, 0x11074}, {0x110c2, 0x110c2}, {0x11145, 0x11146},
    {0x111c9, 0x111c9}, {0x111ce, 0x111cf}, {0x11241, 0x11241}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e},
    {0x1182c, 0x1183a}, {0x11930, 0x11935}, {0x11937, 0x11938}, {0x1193b, 0x1193e}, {0x11940, 0x11940},
    {0x11942, 0x11943}, {0x119d1, 0x119d7}, {0x119da, 0x119e0}, {0x119e4, 0x119e4}, {0x11a01, 0x11a0a},
    {0x11a33, 0x11a39}, {0x11a3b, 0x11a3e}, {0x11a47, 0x11a47}, {0x11a51, 0x11a5b}, {0x11a8a, 0x11a99},
    {0x11d31, 0x11d36}, {0x11d3a, 0x11d3a}, {0x11d3c, 0x11d3d}, {0x11d3f, 0x11d45}, {0x11d47, 0x11d47},
    {0x11d8a, 0x11d8e}, {0x11d90, 0x11d91}, {0x11d93, 0x11d97}, {0x11ef3, 0x11ef6}, {0x11f00, 0x11f01},
    {0x11f03, 0x11f03}, {0x11f34, 0x11f3a}, {0x11f3e, 0x11f42}, {0x13440, 0x13440}, {0x13447, 0x13455},
    {0x16f4f, 0x16f4f}, {0x16f7f, 0x16f87}, {0x16fe4, 0x16fe4}, {0x16ff0, 0x16ff1}, {0x1cf00, 0x1cf2d},
    {0x1cf30, 0x1cf46}, {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
    {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

// Marks that came, or became such, with Unicode 9.
constexpr Range kAccentsOfUnicode9[] = {
    {0x8d4, 0x8e1}, {0x1885, 0x1886}, {0x1dfb, 0x1dfb}, {0xa8c5, 0xa8c5}, {0xa9bd, 0xa9bd}, {0x1123e, 0x1123e},
    {0x11438, 0x1143f}, {0x11442, 0x11444}, {0x11446, 0x11446}, {0x11c30, 0x11c36}, {0x11c38, 0x11c3d},
    {0x11c3f, 0x11c3f}, {0x11c92, 0x11ca7}, {0x11caa, 0x11cb0}, {0x11cb2, 0x11cb3}, {0x11cb5, 0x11cb6},
    {0x1e000, 0x1e006}, {0x1e008, 0x1e018}, {0x1e01b, 0x1e021}, {0x1e023, 0x1e024}, {0x1e026, 0x1e02a},
    {0x1e944, 0x1e94a}};

constexpr Range kControlsAfterUnicode8[] = {
    {0x890, 0x891}, {0x8e2, 0x8e2}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}};

constexpr Range kPunctuationAfterUnicode8[] = {
    {0x61d, 0x61d}, {0x9fd, 0x9fd}, {0xa76, 0xa76}, {0xc77, 0xc77}, {0xc84, 0xc84}, {0x1b7d, 0x1b7e}, {0x2e43, 0x2e4f},
    {0x2e52, 0x2e5d}, {0x10ead, 0x10ead}, {0x10f55, 0x10f59}, {0x10f86, 0x10f89}, {0x1144b, 0x1144f},
    {0x1145a, 0x1145b}, {0x1145d, 0x1145d}, {0x11660, 0x1166c}, {0x116b9, 0x116b9}, {0x1183b, 0x1183b},
    {0x11944, 0x11946}, {0x119e2, 0x119e2}, {0x11a3f, 0x11a46}, {0x11a9a, 0x11a9c}, {0x11a9e, 0x11aa2},
    {0x11b00, 0x11b09}, {0x11c41, 0x11c45}, {0x11c70, 0x11c71}, {0x11ef7, 0x11ef8}, {0x11f43, 0x11f4f},
    {0x11fff, 0x11fff}, {0x12ff1, 0x12ff2}, {0x16e97, 0x16e9a}, {0x16fe2, 0x16fe2}, {0x1e95e, 0x1e95f}};

// Capitals that came after Unicode 15: lower case comes from newer tables than the rest.
struct Shift {
  uint32_t first, last;
  int32_t distance;
};
constexpr Shift kLowerCaseAfterUnicode15[] = {
    {0x1c89, 0x1c89, 1}, {0xa7cb, 0xa7cb, 0x264 - 0xa7cb}, {0xa7cc, 0xa7cc, 1}, {0xa7ce, 0xa7ce, 1},
    {0xa7d2, 0xa7d2, 1}, {0xa7d4, 0xa7d4, 1}, {0xa7da, 0xa7da, 1}, {0xa7dc, 0xa7dc, 0x19b - 0xa7dc},
    {0x10d50, 0x10d65, 0x20}, {0x16ea0, 0x16eb8, 0x1b}};
// clang-format on

bool Contains(std::span<const Range> ranges, uint32_t code_point) {
  const auto range =
      std::partition_point(ranges.begin(), ranges.end(), [&](const Range& r) { return r.last < code_point; });
  return range != ranges.end() && range->first <= code_point;
}

utf8proc_category_t CategoryOf(uint32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

// No code point below it changes under the form or is a mark.
uint32_t FirstAffected(UnicodeForm form) {
  switch (form) {
    case UnicodeForm::kNfc:
      return 0x300;
    case UnicodeForm::kNfd:
      return 0xc0;
    case UnicodeForm::kNfkc:
    case UnicodeForm::kNfkd:
      break;
  }
  return 0xa0;
}

bool IsAffected(UnicodeForm form, std::string_view text) {
  const uint32_t first = FirstAffected(form);
  while (!text.empty()) {
    const CodePoint point = NextCodePoint(text);
    if (point.value >= first) return true;
    text.remove_prefix(point.length);
  }
  return false;
}

struct Point {
  utf8proc_int32_t value;
  utf8proc_propval_t combining_class;
};

void Decompose(uint32_t code_point, bool compatibility, std::vector<Point>* out) {
  // No code point has a longer decomposition than U+FDFA with 18.
  utf8proc_int32_t points[32];
  int boundary = 0;
  const int options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (compatibility ? UTF8PROC_COMPAT : 0);
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), points, std::size(points),
                              static_cast<utf8proc_option_t>(options), &boundary);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(std::size(points))) {
    out->push_back({static_cast<utf8proc_int32_t>(code_point), 0});
    return;
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    out->push_back({points[i], utf8proc_get_property(points[i])->combining_class});
  }
}

// Sorts each run of marks by their class. utf8proc's own way takes the square of their number.
void OrderMarks(std::vector<Point>* points) {
  const auto is_starter = [](const Point& point) { return point.combining_class == 0; };
  for (auto begin = points->begin(); begin != points->end();) {
    const auto end = std::find_if(begin, points->end(), is_starter);
    std::stable_sort(begin, end, [](const Point& a, const Point& b) { return a.combining_class < b.combining_class; });
    begin = std::find_if_not(end, points->end(), is_starter);
  }
}

void AppendPart(UnicodeForm form, std::vector<Point>* points, std::string* out) {
  OrderMarks(points);
  std::vector<utf8proc_int32_t> values;
  values.reserve(points->size());
  for (const Point& point : *points) values.push_back(point.value);
  if (form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc) {
    constexpr int kOptions = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    const utf8proc_ssize_t size = utf8proc_normalize_utf32(values.data(), static_cast<utf8proc_ssize_t>(values.size()),
                                                           static_cast<utf8proc_option_t>(kOptions));
    if (size >= 0) values.resize(static_cast<size_t>(size));
  }
  for (const utf8proc_int32_t value : values) AppendUtf8(static_cast<uint32_t>(value), out);
  points->clear();
}

}  // namespace

void AppendUnicodeForm(UnicodeForm form, std::string_view text, std::string* out) {
  if (!IsAffected(form, text)) {
    out->append(text);
    return;
  }
  const bool compatibility = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  std::vector<Point> points;
  while (!text.empty()) {
    const CodePoint point = NextCodePoint(text);
    text.remove_prefix(point.length);
    if (Contains(kAfterUnicode9, point.value)) {
      // As an unassigned code point it stands between its neighbours.
      AppendPart(form, &points, out);
      AppendUtf8(point.value, out);
    } else {
      Decompose(point.value, compatibility, &points);
    }
  }
  AppendPart(form, &points, out);
}

void AppendLowerCase(uint32_t code_point, std::string* out) {
  if (code_point == 0x130) {
    out->append("i\u0307");
    return;
  }
  for (const Shift& shift : kLowerCaseAfterUnicode15) {
    if (code_point >= shift.first && code_point <= shift.last) {
      AppendUtf8(static_cast<uint32_t>(static_cast<int32_t>(code_point) + shift.distance), out);
      return;
    }
  }
  AppendUtf8(static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))), out);
}

size_t AsciiEights(std::string_view text, size_t begin) {
  size_t end = begin;
  for (uint64_t eight; end + 8 <= text.size(); end += 8) {
    std::memcpy(&eight, text.data() + end, 8);
    if ((eight & 0x8080808080808080u) != 0) break;
  }
  return end - begin;
}

bool IsWhiteSpace(uint32_t code_point) {
  constexpr Range kWhiteSpace[] = {{0x9, 0xd},       {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                   {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                   {0x205f, 0x205f}, {0x3000, 0x3000}};
  return Contains(kWhiteSpace, code_point);
}

bool IsMark(uint32_t code_point) {
  if (code_point == 0x1cf2 || code_point == 0x1cf3) return true;
  const utf8proc_category_t category = CategoryOf(code_point);
  const bool mark =
      category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
  return mark && !Contains(kAfterUnicode9, code_point);
}

bool IsAccent(uint32_t code_point) {
  if (code_point == 0x1734) return true;
  return CategoryOf(code_point) == UTF8PROC_CATEGORY_MN && !Contains(kAfterUnicode9, code_point) &&
         !Contains(kAccentsOfUnicode9, code_point);
}

bool IsControl(uint32_t code_point) {
  const utf8proc_category_t category = CategoryOf(code_point);
  const bool control =
      category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
  return control && !Contains(kControlsAfterUnicode8, code_point);
}

bool IsWordCharacter(uint32_t code_point) {
  // Letters that are symbols by category, and the two joiners.
  constexpr Range kOthers[] = {
      {0x200c, 0x200d}, {0x24b6, 0x24e9}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
  switch (CategoryOf(code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return Contains(kOthers, code_point);
  }
}

size_t FirstGraphemeBytes(std::string_view text) {
  CodePoint point = NextCodePoint(text);
  size_t length = point.length;
  utf8proc_int32_t state = 0;
  while (length < text.size()) {
    const CodePoint next = NextCodePoint(text.substr(length));
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(point.value),
                                         static_cast<utf8proc_int32_t>(next.value), &state)) {
      break;
    }
    length += next.length;
    point = next;
  }
  return length;
}

std::string PunctuationPattern() {
  std::string newer;
  for (const Range& range : kPunctuationAfterUnicode8) {
    AppendUtf8(range.first, &newer);
    newer += '-';
    AppendUtf8(range.last, &newer);
  }
  // U+166D and U+111C9 were punctuation once.
  return "(?![" + newer + "])[\\p{P}$+<=>\\^`|~\u166d\U000111c9]";
}

}  // namespace toolformer
