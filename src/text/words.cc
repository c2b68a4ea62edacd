#include "src/text/words.h"

#include <limits>

#include "src/base/utf8.h"
#include "src/text/unicode.h"

namespace toolformer {
namespace {

bool IsAsciiPunctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

bool IsArticle(std::string_view word) { return word == "a" || word == "an" || word == "the"; }

// `word` without the articles that stand alone between its other marks.
std::string WithoutArticles(std::string_view word) {
  std::string out;
  size_t begin = 0;  // of the run of word characters
  const auto end_run = [&](size_t end) {
    const std::string_view run = word.substr(begin, end - begin);
    if (IsArticle(run)) {
      out += ' ';
    } else {
      out += run;
    }
  };
  for (size_t i = 0; i < word.size();) {
    const CodePoint c = NextCodePoint(word.substr(i));
    if (!c.valid || !IsWordCharacter(c.value)) {
      end_run(i);
      out += word.substr(i, c.length);
      begin = i + c.length;
    }
    i += c.length;
  }
  end_run(word.size());
  return out;
}

}  // namespace

std::vector<std::string_view> FirstWords(std::string_view text, size_t most) {
  std::vector<std::string_view> words;
  size_t begin = std::string_view::npos;
  for (size_t i = 0; i < text.size() && words.size() < most;) {
    const CodePoint c = NextCodePoint(text.substr(i));
    if (!c.valid || !IsWhiteSpace(c.value)) {
      if (begin == std::string_view::npos) begin = i;
    } else if (begin != std::string_view::npos) {
      words.push_back(text.substr(begin, i - begin));
      begin = std::string_view::npos;
    }
    i += c.length;
  }
  if (begin != std::string_view::npos && words.size() < most) words.push_back(text.substr(begin));
  return words;
}

std::string LowerCase(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    if (c.valid) {
      AppendLowerCase(c.value, &out);
    } else {
      out += text.front();
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string NormalizedAnswer(std::string_view text) {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  std::string plain = LowerCase(text);
  std::erase_if(plain, IsAsciiPunctuation);
  std::string without;
  for (const std::string_view word : FirstWords(plain, kAll)) without += WithoutArticles(word) + ' ';
  std::string out;
  for (const std::string_view word : FirstWords(without, kAll)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

}  // namespace toolformer
