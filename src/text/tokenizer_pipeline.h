// The steps of a tokenizer before its vocabulary: normalise the text, then cut it into words.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_PIPELINE_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_PIPELINE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "src/text/tokenizer_regex.h"

namespace toolformer {

// Whether a section of text is the start of a text, and so takes the prefix that some vocabularies put there.
enum class TextPosition { kStart, kAfterToken, kContinuation };

struct NormalizerStep {
  enum class Kind {
    kPrepend,  // `content` before a section that is not empty
    kReplace,  // matches of `pattern` become `content`
    kNfc,      // Unicode normalisation form C
  };
  Kind kind;
  std::string content;
  std::shared_ptr<const Regex> pattern;
};

struct PreTokenizerStep {
  enum class Kind {
    kSplit,          // at matches of `pattern`
    kPrefix,         // `content` before a word that does not start with it
    kReplaceSpaces,  // " " becomes `content`
  };
  // What becomes of a match of kSplit: a word of its own, nothing, part of its neighbour, or one word with the matches
  // (and one with the gaps) that touch it.
  enum class Behavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };
  Kind kind;
  std::shared_ptr<const Regex> pattern;
  Behavior behavior = Behavior::kIsolated;
  bool invert = false;              // the gaps are the matches
  bool at_text_start_only = false;  // kPrefix: not after a token that was matched whole
  std::string content;
};

// Words of `text`, which lies in the list or outside it.
struct WordList {
  struct Word {
    size_t begin, end;
    bool valid;  // UTF-8; the steps leave other words alone
  };
  std::string_view text;
  std::string buffer;
  std::vector<Word> words;

  std::string_view Get(const Word& word) const { return text.substr(word.begin, word.end - word.begin); }
};

std::string Normalize(const std::vector<NormalizerStep>& steps, std::string_view text, TextPosition position,
                      Regex::Scratch* scratch);

// Cuts list->text into list->words.
void PreTokenize(const std::vector<PreTokenizerStep>& steps, TextPosition position, Regex::Scratch* scratch,
                 WordList* list);

// Finds tokens that are matched whole in text: the leftmost, and of those the longest.
class TokenMatcher {
 public:
  // Bounds the time for one position.
  static constexpr size_t kMaxTokenBytes = 1024;

  // False where the token, which must not be empty, is there already.
  bool Add(std::string_view token, int32_t id);
  bool empty() const { return children_.empty(); }

  struct Match {
    size_t begin, end;
    int32_t id;
  };
  std::optional<Match> FindNext(std::string_view text, size_t begin) const;

 private:
  std::unordered_map<uint64_t, uint32_t> children_;  // node * 256 + byte -> node
  std::vector<int32_t> ids_{-1};                     // of nodes; -1 where no token ends
  std::array<bool, 256> starts_{};                   // bytes that some token starts with
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_PIPELINE_H_
