// Words and answers compared as people compare them.
#ifndef TOOLFORMER_SRC_TEXT_WORDS_H_
#define TOOLFORMER_SRC_TEXT_WORDS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace toolformer {

// The first words of a text, parted by white space; at most `most`.
std::vector<std::string_view> FirstWords(std::string_view text, size_t most);

// Invalid bytes stay as they are.
std::string LowerCase(std::string_view text);

// What answers to questions are compared by, as the evaluation of SQuAD has it: lower case, ASCII punctuation left out,
// the words "a", "an" and "the" left out, one blank between words.
std::string NormalizedAnswer(std::string_view text);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_WORDS_H_
