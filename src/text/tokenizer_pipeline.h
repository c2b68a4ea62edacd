// The second steps of a tokenizer: they cut a text into words.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_PIPELINE_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_PIPELINE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/text/tokenizer_normalizer.h"
#include "src/text/tokenizer_regex.h"

namespace toolformer {

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
  size_t group = 0;                 // kSplit: matches are cut into so many characters, counted from their end
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
  bool starts_text = true;  // the first word has the first byte: nothing before it was left out

  std::string_view Get(const Word& word) const { return text.substr(word.begin, word.end - word.begin); }
};

// Cuts list->text into list->words.
void PreTokenize(const std::vector<PreTokenizerStep>& steps, TextPosition position, Regex::Scratch* scratch,
                 WordList* list);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_PIPELINE_H_
