// The words of a passage as the tokens that an answer may be made of.
#ifndef TOOLFORMER_SRC_ANSWER_SPAN_SOURCE_H_
#define TOOLFORMER_SRC_ANSWER_SPAN_SOURCE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "toolformer/tokenizer.h"

namespace toolformer {

// A position is an index of a token. Spans are the tokens that a model would write behind "Answer:", with a blank
// before the first word, wherever the words stand in the passage.
class SpanSource {
 public:
  // `text` is one line. Keeps a reference to the tokenizer.
  SpanSource(const Tokenizer& tokenizer, std::string text);

  // Tokens that a span may begin with, with the positions behind them.
  const std::map<int32_t, std::vector<uint32_t>>& starts() const { return starts_; }
  // The same for a span that has come to `positions`.
  std::map<int32_t, std::vector<uint32_t>> Continuations(const std::vector<uint32_t>& positions) const;
  // Whether a span that has come to any of `positions` ends with a word there.
  bool MayEnd(const std::vector<uint32_t>& positions) const;

  // What the text says before `position`, in the last `tokens` tokens.
  std::string Text(uint32_t position, size_t tokens) const;

 private:
  const Tokenizer& tokenizer_;
  std::string text_;
  std::vector<int32_t> ids_;
  // In text_, of the bytes of every token; one more. Empty where the tokenizer changes texts.
  std::vector<uint32_t> begins_;
  std::vector<bool> word_ends_;  // before every token; one more
  std::map<int32_t, std::vector<uint32_t>> starts_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANSWER_SPAN_SOURCE_H_
