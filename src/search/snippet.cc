#include "src/search/snippet.h"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/utf8.h"
#include "src/search/analyzer.h"

namespace toolformer {
namespace {

constexpr size_t kMostWords = 10000, kMaxWordBytes = 80;

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size() && words.size() < kMostWords;) {
    if (IsBlank(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !IsBlank(text[end])) ++end;
    words.push_back(Utf8Prefix(text.substr(at, end - at), kMaxWordBytes));
    at = end;
  }
  return words;
}

bool EndsSentence(std::string_view word) {
  while (!word.empty() && (word.back() == '"' || word.back() == ')' || word.back() == '\'')) word.remove_suffix(1);
  return !word.empty() && (word.back() == '.' || word.back() == '!' || word.back() == '?');
}

// A passage may begin inside a sentence, as a small letter shows.
bool BeginsSentence(const std::vector<std::string_view>& words, size_t at) {
  return at == 0 ? !(words[0][0] >= 'a' && words[0][0] <= 'z') : EndsSentence(words[at - 1]);
}

// Where the best `count` words begin.
size_t BestWindow(const std::vector<std::string_view>& words, std::string_view query, size_t count) {
  const absl::StatusOr<std::unique_ptr<Analyzer>> analyzer = Analyzer::Make("english");
  if (!analyzer.ok()) return 0;
  std::map<std::string, size_t> numbers;  // of the query's terms
  for (std::string& term : (*analyzer)->Terms(query)) numbers.emplace(std::move(term), numbers.size());
  // The query's terms of each word; the different ones of a window that moves from word to word.
  std::vector<std::vector<size_t>> hits(words.size());
  for (size_t i = 0; i < words.size() && !numbers.empty(); ++i) {
    (*analyzer)->ForEach(words[i], [&](std::string_view term) {
      if (const auto found = numbers.find(std::string(term)); found != numbers.end()) hits[i].push_back(found->second);
    });
  }
  std::vector<size_t> times(numbers.size(), 0);
  size_t different = 0, best = 0, best_score = 0;
  for (size_t end = 0; end < words.size(); ++end) {
    for (const size_t term : hits[end]) different += times[term]++ == 0 ? 1 : 0;
    if (end + 1 < count) continue;
    const size_t begin = end + 1 - count;
    const size_t score = 2 * different + (BeginsSentence(words, begin) ? 1 : 0);
    if (score > best_score) {
      best = begin;
      best_score = score;
    }
    for (const size_t term : hits[begin]) different -= --times[term] == 0 ? 1 : 0;
  }
  return best;
}

}  // namespace

std::string Snippet(std::string_view text, std::string_view query, int64_t words) {
  const std::vector<std::string_view> all = Words(text);
  const size_t count = std::min(all.size(), static_cast<size_t>(std::max<int64_t>(words, 1)));
  const size_t begin = count < all.size() ? BestWindow(all, query, count) : 0;
  std::string snippet;
  if (count < all.size() && !BeginsSentence(all, begin)) snippet = "...";
  for (size_t i = begin; i < begin + count; ++i) {
    if (!snippet.empty()) snippet += ' ';
    snippet += all[i];
  }
  if (begin + count < all.size() && !EndsSentence(all[begin + count - 1])) snippet += " ...";
  return snippet;
}

}  // namespace toolformer
