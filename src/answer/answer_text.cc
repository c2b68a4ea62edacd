#include "src/answer/answer_text.h"

#include <algorithm>
#include <array>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/unicode.h"
#include "src/text/words.h"

namespace toolformer {
namespace {

constexpr std::string_view kMarks = ".,;:!?";

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

struct Pair {
  std::string_view open, close;
};
constexpr std::array<Pair, 6> kPairs = {
    {{"\"", "\""}, {"'", "'"}, {"\u201c", "\u201d"}, {"\u2018", "\u2019"}, {"(", ")"}, {"[", "]"}}};

// Without a pair of quotes or brackets that the text begins and ends with.
std::string_view Unwrapped(std::string_view text) {
  for (const Pair& pair : kPairs) {
    if (text.size() < pair.open.size() + pair.close.size()) continue;
    if (!text.starts_with(pair.open) || !text.ends_with(pair.close)) continue;
    const std::string_view inside = text.substr(pair.open.size(), text.size() - pair.open.size() - pair.close.size());
    if (inside.find(pair.close) == std::string_view::npos) return Trimmed(inside);
  }
  return text;
}

// Without a full stop, unless it belongs to an abbreviation: a letter that stands alone before it, as in "U.S." or
// "p.m.".
std::string_view WithoutMarks(std::string_view text) {
  while (!text.empty() && kMarks.find(text.back()) != std::string_view::npos) {
    const size_t size = text.size();
    const bool after_letter = size >= 2 && static_cast<unsigned char>(text[size - 2] | 0x20) >= 'a' &&
                              static_cast<unsigned char>(text[size - 2] | 0x20) <= 'z';
    if (text.back() == '.' && after_letter && size >= 4 && text[size - 3] == '.') break;
    text = Trimmed(text.substr(0, size - 1));
  }
  return text;
}

// A quote or bracket at one end only belongs to what stands around the span.
std::string_view WithoutHalves(std::string_view text) {
  for (const Pair& pair : kPairs) {
    if (text.starts_with(pair.open) && text.find(pair.close, pair.open.size()) == std::string_view::npos) {
      text.remove_prefix(pair.open.size());
    }
    if (pair.open != "'" && text.ends_with(pair.close) &&
        text.substr(0, text.size() - pair.close.size()).find(pair.open) == std::string_view::npos) {
      text.remove_suffix(pair.close.size());
    }
    if (text.ends_with(pair.open) && pair.open != pair.close) text.remove_suffix(pair.open.size());
    if (text.starts_with(pair.close) && pair.open != pair.close) text.remove_prefix(pair.close.size());
  }
  return Trimmed(text);
}

bool HasWord(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    if (c.valid && IsWordCharacter(c.value)) return true;
    text.remove_prefix(c.length);
  }
  return false;
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return line;
}

std::string AskedQuestion(std::string_view input) {
  std::string line = OneLine(input);
  std::string question(Unwrapped(Trimmed(line)));
  if (!HasWord(question)) return "";
  if (!question.ends_with('?')) question += '?';
  return question;
}

absl::StatusOr<std::string> CheckedQuestion(std::string_view input) {
  if (input.size() > kMaxQuestionBytes) {
    return ResourceExhausted("question answering: a question of {} bytes; at most {} are read", input.size(),
                             kMaxQuestionBytes);
  }
  std::string asked = AskedQuestion(input);
  if (asked.empty()) return InvalidArgument("question answering: the question has no word");
  return asked;
}

std::string_view TrimmedSpan(std::string_view span) {
  span = Trimmed(span);
  for (size_t before = span.size() + 1; span.size() < before;) {
    before = span.size();
    span = Unwrapped(WithoutMarks(WithoutHalves(span)));
  }
  return HasWord(span) ? span : std::string_view();
}

std::string WrittenAnswer(std::string_view text) {
  text = Trimmed(text);
  constexpr std::string_view kEcho = "answer:";
  while (LowerCase(text.substr(0, kEcho.size())) == kEcho) text = Trimmed(text.substr(kEcho.size()));
  const std::string line = OneLine(text.substr(0, text.find_first_of("\r\n")));
  return std::string(TrimmedSpan(line));
}

}  // namespace toolformer
