#include "src/tools/search_input.h"

#include <charconv>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr size_t kMaxBytes = 1024;
constexpr int64_t kMostPages = 10000;
constexpr std::string_view kOpen = "open:";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// Of a word: no punctuation that stands for itself, as in "- -" or "+++".
bool BeginsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

bool BeginsWith(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (size_t i = 0; i < lower.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

// Takes "#3" from the end of `text`.
absl::Status TakePage(std::string_view* text, int64_t* page) {
  const size_t mark = text->rfind('#');
  if (mark == std::string_view::npos || mark + 1 == text->size()) return absl::OkStatus();
  if (mark > 0 && !IsBlank((*text)[mark - 1])) return absl::OkStatus();  // part of a word
  const std::string_view digits = text->substr(mark + 1);
  for (const char c : digits) {
    if (!IsDigit(c)) return absl::OkStatus();
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *page);
  if (error != std::errc() || *page < 1 || *page > kMostPages) {
    return OutOfRange("search: page {} is not within 1 and {}", digits, kMostPages);
  }
  *text = Trim(text->substr(0, mark));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Unquote(std::string_view argument) {
  argument = Trim(argument);
  if (argument.empty() || argument.front() != '"') return std::string(argument);
  std::string text;
  for (size_t i = 1; i < argument.size(); ++i) {
    if (argument[i] == '"') {
      if (i + 1 != argument.size()) return InvalidArgument("search: text behind the closing quote");
      return std::string(Trim(text));
    }
    const bool escaped = argument[i] == '\\' && i + 1 < argument.size();
    if (escaped && (argument[i + 1] == '"' || argument[i + 1] == '\\')) ++i;
    text += argument[i];
  }
  return InvalidArgument("search: the quote is not closed");
}

absl::StatusOr<SearchInput> ParseSearchInput(std::string_view argument) {
  if (argument.size() > kMaxBytes) return ResourceExhausted("search: the input has over {} bytes", kMaxBytes);
  TF_ASSIGN_OR_RETURN(const std::string unquoted, Unquote(argument));
  std::string_view text = unquoted;
  SearchInput input;
  TF_RETURN_IF_ERROR(TakePage(&text, &input.page));
  if (BeginsWith(text, kOpen)) {
    input.kind = SearchInput::Kind::kOpen;
    input.text = Trim(text.substr(kOpen.size()));
    if (input.text.empty()) return InvalidArgument("search: 'open:' without a title");
    return input;
  }
  while (!(text = Trim(text)).empty()) {
    size_t end = 0;
    while (end < text.size() && !IsBlank(text[end])) ++end;
    std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    const bool marked = word.size() > 1 && BeginsWord(word[1]);
    if (marked && word.front() == '-') {
      input.excluded.emplace_back(word.substr(1));
      continue;
    }
    if (marked && word.front() == '+') {
      word.remove_prefix(1);
      input.required.emplace_back(word);
    }
    if (!input.text.empty()) input.text += ' ';
    input.text += word;
  }
  if (input.text.empty()) return InvalidArgument("search: no words to search for");
  return input;
}

}  // namespace toolformer
