#include "src/text/pattern_scanner.h"

#include <array>
#include <cstdint>

namespace toolformer {
namespace {

enum Class : uint8_t { kOther, kLetter, kDigit, kBlank, kNotAscii };

constexpr std::array<Class, 256> kClasses = [] {
  std::array<Class, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    classes[c] = c >= 0x80 ? kNotAscii : letter ? kLetter : (c >= '0' && c <= '9') ? kDigit : blank ? kBlank : kOther;
  }
  return classes;
}();

constexpr ScannedMatch kUndecided;

// A place in a text from which characters are looked at.
class Cursor {
 public:
  Cursor(std::string_view text, size_t offset) : text_(text), begin_(offset) {}

  bool AtEnd(size_t i) const { return i >= text_.size(); }
  char At(size_t i) const { return text_[i]; }
  Class ClassAt(size_t i) const { return kClasses[static_cast<uint8_t>(text_[i])]; }
  bool Is(size_t i, Class wanted) const { return !AtEnd(i) && ClassAt(i) == wanted; }
  // The end of a run of one class.
  size_t RunEnd(size_t i, Class of) const {
    while (Is(i, of)) ++i;
    return i;
  }
  // A match up to `end`, unless what follows might belong to it.
  ScannedMatch UpTo(size_t end) const {
    if (Is(end, kNotAscii)) return kUndecided;
    return Exactly(end);
  }
  ScannedMatch Exactly(size_t end) const { return {ScannedMatch::Kind::kMatch, begin_, end}; }

  // \s+(?!\S)|\s+ at a blank: a run of blanks without the last, where a word follows.
  ScannedMatch Blanks() const {
    const size_t end = RunEnd(begin_, kBlank);
    if (Is(end, kNotAscii)) return kUndecided;
    return Exactly(AtEnd(end) || end == begin_ + 1 ? end : end - 1);
  }

 private:
  const std::string_view text_;
  const size_t begin_;
};

// Bytes of 's, 't, 'm, 'd, 're, 've or 'll at an apostrophe; 0 where it is none of them.
size_t EndingLength(const Cursor& at, size_t i, bool any_case) {
  const auto letter = [&](size_t j) {
    const char c = at.AtEnd(j) ? '\0' : at.At(j);
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const char first = letter(i + 1), second = letter(i + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  if (first == 'l' && second == 'l') return 3;
  return 0;
}

// GPT-2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
ScannedMatch ScanGpt2(std::string_view text, size_t offset) {
  const Cursor at(text, offset);
  if (at.At(offset) == '\'') {
    if (const size_t length = EndingLength(at, offset, false); length > 0) return at.Exactly(offset + length);
  }
  const size_t first = at.At(offset) == ' ' && !at.AtEnd(offset + 1) ? offset + 1 : offset;
  const Class kind = at.ClassAt(first);
  if (kind == kNotAscii) return kUndecided;
  return kind == kBlank ? at.Blanks() : at.UpTo(at.RunEnd(first, kind));
}

// Llama 3 and Qwen 2, which differ in how many digits stay together:
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,kDigits}|
// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
template <size_t kDigits>
ScannedMatch ScanLlama3(std::string_view text, size_t offset) {
  const Cursor at(text, offset);
  const char c = at.At(offset);
  const Class kind = at.ClassAt(offset);
  const auto is_break = [&](size_t i) { return !at.AtEnd(i) && (at.At(i) == '\r' || at.At(i) == '\n'); };
  if (kind == kNotAscii) return kUndecided;
  if (kind == kLetter) return at.UpTo(at.RunEnd(offset, kLetter));
  if (kind == kDigit) {
    size_t end = offset + 1;
    while (end < offset + kDigits && at.Is(end, kDigit)) ++end;
    return end < offset + kDigits ? at.UpTo(end) : at.Exactly(end);
  }
  // A long s folds to s, and other letters may follow.
  if (at.Is(offset + 1, kNotAscii)) return kUndecided;
  if (c == '\'') {
    if (at.Is(offset + 2, kNotAscii)) return kUndecided;
    if (const size_t length = EndingLength(at, offset, true); length > 0) return at.Exactly(offset + length);
  }
  if (!is_break(offset) && at.Is(offset + 1, kLetter)) return at.UpTo(at.RunEnd(offset + 1, kLetter));
  const size_t other = c == ' ' ? offset + 1 : offset;
  if (at.Is(other, kOther)) {
    size_t end = at.RunEnd(other, kOther);
    if (at.Is(end, kNotAscii)) return kUndecided;
    while (is_break(end)) ++end;
    return at.Exactly(end);
  }
  const size_t blanks_end = at.RunEnd(offset, kBlank);
  if (at.Is(blanks_end, kNotAscii)) return kUndecided;
  for (size_t end = blanks_end; end > offset; --end) {
    if (is_break(end - 1)) return at.Exactly(end);
  }
  return at.Blanks();
}

// \p{N}
ScannedMatch ScanDigit(std::string_view text, size_t offset) {
  for (size_t i = offset; i < text.size(); ++i) {
    const Class kind = kClasses[static_cast<uint8_t>(text[i])];
    if (kind == kNotAscii) return kUndecided;
    if (kind == kDigit) return {ScannedMatch::Kind::kMatch, i, i + 1};
  }
  return {ScannedMatch::Kind::kNone, 0, 0};
}

struct KnownPattern {
  std::string_view pattern;
  PatternScanner scanner;
};

#define TF_LLAMA3(digits)                                                                                        \
  R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" digits R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)" \
  R"(\s+(?!\S)|\s+)"

constexpr KnownPattern kKnownPatterns[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", ScanGpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", ScanGpt2},
    {TF_LLAMA3(R"(\p{N}{1,3})"), ScanLlama3<3>},
    {TF_LLAMA3(R"(\p{N})"), ScanLlama3<1>},
    {R"(\p{N})", ScanDigit},
};

#undef TF_LLAMA3

}  // namespace

PatternScanner FindScanner(std::string_view pattern) {
  for (const KnownPattern& known : kKnownPatterns) {
    if (known.pattern == pattern) return known.scanner;
  }
  return nullptr;
}

}  // namespace toolformer
