#include "src/search/passages.h"

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr int64_t kBytesPerWord = 20;

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

std::vector<PassageRange> CutIntoPassages(std::string_view text, int64_t words) {
  const size_t most_bytes = static_cast<size_t>(words * kBytesPerWord);
  std::vector<PassageRange> passages;
  size_t begin = 0, end = 0;  // of the passage so far
  int64_t count = 0;
  const auto finish = [&] {
    if (end > begin) passages.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    count = 0;
  };
  for (size_t at = 0; at < text.size();) {
    if (IsBlank(text[at])) {
      ++at;
      continue;
    }
    size_t word_end = at;
    while (word_end < text.size() && !IsBlank(text[word_end])) ++word_end;
    if (count == words || (count > 0 && word_end - begin > most_bytes)) {
      finish();
    }
    if (count == 0) begin = at;
    // A word longer than a passage may be.
    if (word_end - begin > most_bytes)
      word_end = begin + Utf8Prefix(text.substr(begin, word_end - begin), most_bytes).size();
    end = word_end;
    at = word_end;
    ++count;
  }
  finish();
  return passages;
}

}  // namespace toolformer
