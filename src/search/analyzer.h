// Words of texts and queries as the terms that an index knows.
#ifndef TOOLFORMER_SRC_SEARCH_ANALYZER_H_
#define TOOLFORMER_SRC_SEARCH_ANALYZER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"

struct sb_stemmer;

namespace toolformer {

// One thread at a time.
class Analyzer {
 public:
  // A language as SearchIndexOptions says. kInvalidArgument lists those that there are.
  static absl::StatusOr<std::unique_ptr<Analyzer>> Make(const std::string& language);
  ~Analyzer();
  Analyzer(const Analyzer&) = delete;
  Analyzer& operator=(const Analyzer&) = delete;

  // Calls `visit` with each term of `text`, valid during the call. Words are runs of letters, digits and marks, with
  // apostrophes inside; those of scripts without blanks (Han, kana) are single characters. A word of over 64 bytes is
  // cut.
  void ForEach(std::string_view text, const std::function<void(std::string_view term)>& visit);

  std::vector<std::string> Terms(std::string_view text);

 private:
  Analyzer(sb_stemmer* stemmer, bool english) : stemmer_(stemmer), english_(english) {}
  // The term of a word, empty for a stop word. Remembered: texts repeat their words.
  const std::string& TermOf(const std::string& word);

  sb_stemmer* const stemmer_;  // null: none
  const bool english_;
  std::string word_;
  std::unordered_map<std::string, std::string> terms_;
};

// `title` as titles are compared: its words, folded, with single blanks.
std::string FoldedTitle(std::string_view title);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_ANALYZER_H_
