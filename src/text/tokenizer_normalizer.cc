#include "src/text/tokenizer_normalizer.h"

#include <utility>

#include "src/base/utf8.h"
#include "src/text/unicode.h"

namespace toolformer {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";

// Rewrites each run of valid UTF-8 by rewrite(run, &out).
template <typename Rewrite>
std::string RewriteText(std::string_view text, Rewrite rewrite) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    size_t length = 0;
    while (length < text.size()) {
      if (const size_t ascii = AsciiEights(text, length); ascii > 0) {
        length += ascii;
        continue;
      }
      const CodePoint point = NextCodePoint(text.substr(length));
      if (!point.valid) break;
      length += point.length;
    }
    if (length > 0) rewrite(text.substr(0, length), &out);
    for (; length < text.size() && !NextCodePoint(text.substr(length)).valid; ++length) out.push_back(text[length]);
    text.remove_prefix(length);
  }
  return out;
}

// Rewrites each code point by rewrite(value, its bytes, &out).
template <typename Rewrite>
std::string RewriteCharacters(std::string_view text, Rewrite rewrite) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = NextCodePoint(text);
    const std::string_view bytes = text.substr(0, point.length);
    if (point.valid) {
      rewrite(point.value, bytes, &out);
    } else {
      out.append(bytes);
    }
    text.remove_prefix(point.length);
  }
  return out;
}

std::string ToForm(UnicodeForm form, std::string_view text) {
  return RewriteText(text, [&](std::string_view run, std::string* out) { AppendUnicodeForm(form, run, out); });
}

template <typename Predicate>
std::string Without(std::string_view text, Predicate predicate) {
  return RewriteCharacters(text, [&](uint32_t code_point, std::string_view bytes, std::string* out) {
    if (!predicate(code_point)) out->append(bytes);
  });
}

std::string ReplaceMatches(const NormalizerStep& step, std::string_view text, Regex::Scratch* scratch) {
  std::vector<ByteRange> matches;
  return RewriteText(text, [&](std::string_view run, std::string* out) {
    matches.clear();
    step.pattern->FindMatches(run, scratch, &matches);
    size_t done = 0;
    for (const ByteRange& match : matches) {
      out->append(run.substr(done, match.begin - done));
      out->append(step.content);
      done = match.end;
    }
    out->append(run.substr(done));
  });
}

bool IsBetween(uint32_t code_point, uint32_t first, uint32_t last) { return code_point >= first && code_point <= last; }

// The rules of the machine translation systems that SentencePiece was made for.
std::string ApplyNmt(std::string_view text) {
  return RewriteCharacters(text, [](uint32_t c, std::string_view bytes, std::string* out) {
    const bool goes =
        IsBetween(c, 0x1, 0x8) || c == 0xb || IsBetween(c, 0xe, 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
    const bool is_space = c == 0x9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || IsBetween(c, 0x200b, 0x200f) ||
                          c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
    if (is_space) {
      out->push_back(' ');
    } else if (!goes) {
      out->append(bytes);
    }
  });
}

std::string CleanAsBert(std::string_view text) {
  return RewriteCharacters(text, [](uint32_t c, std::string_view bytes, std::string* out) {
    const bool is_line = c == '\t' || c == '\n' || c == '\r';
    if (c == 0 || c == 0xfffd || (!is_line && IsControl(c))) return;
    if (IsWhiteSpace(c)) {
      out->push_back(' ');
    } else {
      out->append(bytes);
    }
  });
}

bool IsChinese(uint32_t c) {
  return IsBetween(c, 0x3400, 0x4dbf) || IsBetween(c, 0x4e00, 0x9fff) || IsBetween(c, 0xf900, 0xfaff) ||
         IsBetween(c, 0x20000, 0x2a6df) || IsBetween(c, 0x2a700, 0x2b81f) || IsBetween(c, 0x2b920, 0x2ceaf) ||
         IsBetween(c, 0x2f800, 0x2fa1f);
}

std::string SpaceChinese(std::string_view text) {
  return RewriteCharacters(text, [](uint32_t c, std::string_view bytes, std::string* out) {
    const bool spaced = IsChinese(c);
    if (spaced) out->push_back(' ');
    out->append(bytes);
    if (spaced) out->push_back(' ');
  });
}

std::string StripLeft(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = NextCodePoint(text);
    if (!point.valid || !IsWhiteSpace(point.value)) break;
    text.remove_prefix(point.length);
  }
  return std::string(text);
}

std::string StripRight(std::string_view text) {
  size_t kept = 0;
  for (size_t begin = 0; begin < text.size();) {
    const CodePoint point = NextCodePoint(text.substr(begin));
    begin += point.length;
    if (!point.valid || !IsWhiteSpace(point.value)) kept = begin;
  }
  return std::string(text.substr(0, kept));
}

// A short grapheme is replaced by what its shortest prefix becomes, whatever follows in it: so the reference does.
void AppendMapped(const Charsmap& charsmap, std::string_view run, std::string* out) {
  constexpr size_t kShortGrapheme = 6;
  while (!run.empty()) {
    std::string_view grapheme = run.substr(0, FirstGraphemeBytes(run));
    run.remove_prefix(grapheme.size());
    if (grapheme.size() < kShortGrapheme) {
      if (const auto match = charsmap.Shortest(grapheme)) {
        out->append(match->replacement);
        continue;
      }
    }
    while (!grapheme.empty()) {
      const std::string_view character = grapheme.substr(0, NextCodePoint(grapheme).length);
      const auto match = charsmap.Shortest(character);
      out->append(match ? match->replacement : character);
      grapheme.remove_prefix(character.size());
    }
  }
}

// What becomes of the start of `text`, and of how many bytes.
std::pair<std::string_view, size_t> NormalizedPrefix(const SentencePieceNormalizer& spec, std::string_view text) {
  if (const size_t symbol = spec.symbols.LongestPrefix(text); symbol > 0) return {text.substr(0, symbol), symbol};
  if (spec.charsmap != nullptr) {
    if (const auto match = spec.charsmap->Longest(text)) return {match->replacement, match->length};
  }
  const size_t length = NextCodePoint(text).length;
  return {text.substr(0, length), length};
}

std::string NormalizeAsSentencePiece(const SentencePieceNormalizer& spec, std::string_view text,
                                     TextPosition position) {
  const std::string_view space = spec.escapes_spaces ? kSpaceMark : " ";
  // Where something has come before, a space is between words.
  const bool at_start = position == TextPosition::kStart;
  std::string out;
  if (spec.removes_extra_spaces && at_start) {
    while (!text.empty()) {
      const auto [normalized, length] = NormalizedPrefix(spec, text);
      if (normalized != " ") break;
      text.remove_prefix(length);
    }
  }
  if (text.empty()) return out;
  out.reserve(text.size() + text.size() / 4 + space.size());
  const bool adds_prefix = spec.adds_prefix && at_start;
  if (adds_prefix && !spec.space_is_suffix) out.append(space);
  bool after_space = spec.removes_extra_spaces && at_start;
  while (!text.empty()) {
    auto [normalized, length] = NormalizedPrefix(spec, text);
    text.remove_prefix(length);
    while (after_space && normalized.starts_with(' ')) normalized.remove_prefix(1);
    if (normalized.empty()) continue;
    for (const char c : normalized) {
      if (c == ' ') {
        out.append(space);
      } else {
        out.push_back(c);
      }
    }
    after_space = spec.removes_extra_spaces && normalized.ends_with(' ');
  }
  if (spec.removes_extra_spaces) {
    while (out.ends_with(space)) out.resize(out.size() - space.size());
  }
  if (adds_prefix && spec.space_is_suffix) out.append(space);
  return out;
}

std::string Apply(const NormalizerStep& step, std::string_view text, TextPosition position, Regex::Scratch* scratch) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kPrepend:
      if (text.empty() || position == TextPosition::kContinuation) return std::string(text);
      return step.content + std::string(text);
    case Kind::kReplace:
      return ReplaceMatches(step, text, scratch);
    case Kind::kNfc:
      return ToForm(UnicodeForm::kNfc, text);
    case Kind::kNfd:
      return ToForm(UnicodeForm::kNfd, text);
    case Kind::kNfkc:
      return ToForm(UnicodeForm::kNfkc, text);
    case Kind::kNfkd:
      return ToForm(UnicodeForm::kNfkd, text);
    case Kind::kLowerCase:
      return RewriteCharacters(text, [](uint32_t c, std::string_view, std::string* out) { AppendLowerCase(c, out); });
    case Kind::kStripMarks:
      return Without(text, IsMark);
    case Kind::kNmt:
      return ApplyNmt(text);
    case Kind::kStripLeft:
      // A space at the start of a continuation is between words.
      return position == TextPosition::kContinuation ? std::string(text) : StripLeft(text);
    case Kind::kStripRight:
      return StripRight(text);
    case Kind::kBertClean:
      return CleanAsBert(text);
    case Kind::kBertChinese:
      return SpaceChinese(text);
    case Kind::kBertAccents:
      return Without(ToForm(UnicodeForm::kNfd, text), IsAccent);
    case Kind::kCharsmap:
      return RewriteText(text, [&](std::string_view run, std::string* out) { AppendMapped(*step.charsmap, run, out); });
    case Kind::kSentencePiece:
      return NormalizeAsSentencePiece(*step.sentencepiece, text, position);
  }
  return std::string(text);
}

}  // namespace

std::string Normalize(const std::vector<NormalizerStep>& steps, std::string_view text, TextPosition position,
                      Regex::Scratch* scratch) {
  std::string out(text);
  for (const NormalizerStep& step : steps) out = Apply(step, out, position, scratch);
  return out;
}

}  // namespace toolformer
