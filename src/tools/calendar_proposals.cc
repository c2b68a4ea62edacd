#include "src/tools/calendar_proposals.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace toolformer {
namespace {

constexpr size_t kWordsApart = 10;

// As they are written in the middle of a sentence. "May" and "March" are words of their own at its start.
constexpr std::array<std::string_view, 19> kNames = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",  "Sunday",  "January",  "February", "March",
    "April",  "May",     "June",      "July",     "August", "September", "October", "November", "December"};
constexpr std::array<std::string_view, 8> kRelative = {"today",     "tomorrow", "yesterday", "tonight",
                                                       "currently", "nowadays", "recently",  "ago"};

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool SaysADate(std::string_view word, const Date& date) {
  if (std::find(kNames.begin(), kNames.end(), word) != kNames.end()) return true;
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; });
  if (std::find(kRelative.begin(), kRelative.end(), lower) != kRelative.end()) return true;
  const bool year =
      word.size() == 4 && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  return year && std::abs(std::atoi(lower.c_str()) - date.year) <= 1;
}

}  // namespace

std::vector<WorkedOutCall> CalendarProposals(const Document& document) {
  std::vector<WorkedOutCall> proposals;
  if (!document.date) return proposals;
  const std::string_view text = document.text;
  size_t words = 0, next_word = 0;  // the first word before which a call may stand again
  for (size_t begin = 0; begin < text.size();) {
    if (!IsWordByte(text[begin])) {
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < text.size() && IsWordByte(text[end])) ++end;
    if (words >= next_word && SaysADate(text.substr(begin, end - begin), *document.date)) {
      if (proposals.size() >= kMostDatesOfAText) break;
      proposals.push_back({begin, {"Calendar", ""}});
      next_word = words + kWordsApart;
    }
    ++words;
    begin = end;
  }
  return proposals;
}

}  // namespace toolformer
