#include "src/answer/span_source.h"

#include <algorithm>
#include <span>
#include <utility>

#include "src/base/utf8.h"
#include "src/text/unicode.h"

namespace toolformer {
namespace {

// Behind these a word may begin without a blank before it, as the year in "(1912-1915)". A model that writes it as an
// answer puts the blank there, and so does the source.
bool OpensWord(std::string_view text, size_t at, size_t length) {
  static constexpr std::string_view kOpeners[] = {"(", "[", "\"", "-", "/", "\u2013", "\u2014", "\u201c", "\u2018"};
  const std::string_view mark = text.substr(at, length);
  return std::any_of(std::begin(kOpeners), std::end(kOpeners), [&](std::string_view opener) { return opener == mark; });
}

bool BeginsWithWordCharacter(std::string_view text) {
  if (text.empty()) return false;
  const CodePoint c = NextCodePoint(text);
  // Bytes of a code point that other tokens hold the rest of are of a word, more often than not.
  return !c.valid || IsWordCharacter(c.value);
}

}  // namespace

SpanSource::SpanSource(const Tokenizer& tokenizer, std::string text) : tokenizer_(tokenizer), text_(std::move(text)) {
  std::string spaced = " ";
  std::vector<uint32_t> origin = {0};  // of every byte of `spaced`, in text_
  for (size_t i = 0; i < text_.size();) {
    const size_t length = NextCodePoint(std::string_view(text_).substr(i)).length;
    for (size_t j = 0; j < length; ++j) {
      spaced += text_[i + j];
      origin.push_back(static_cast<uint32_t>(i + j));
    }
    i += length;
    if (i < text_.size() && text_[i] != ' ' && OpensWord(text_, i - length, length)) {
      spaced += ' ';
      origin.push_back(static_cast<uint32_t>(i));
    }
  }
  origin.push_back(static_cast<uint32_t>(text_.size()));
  ids_ = tokenizer.EncodeContinuation(spaced);
  if (tokenizer.Decode(ids_) == spaced) {
    size_t byte = 0;
    for (const int32_t id : ids_) {
      begins_.push_back(origin[byte]);
      byte += tokenizer.TokenBytes(id).size();
    }
    begins_.push_back(static_cast<uint32_t>(text_.size()));
  }
  for (size_t i = 0; i < ids_.size(); ++i) {
    const std::string_view bytes = tokenizer.TokenBytes(ids_[i]);
    word_ends_.push_back(!BeginsWithWordCharacter(bytes));
    if (bytes.starts_with(' ')) starts_[ids_[i]].push_back(static_cast<uint32_t>(i + 1));
  }
  word_ends_.push_back(true);
}

std::map<int32_t, std::vector<uint32_t>> SpanSource::Continuations(const std::vector<uint32_t>& positions) const {
  std::map<int32_t, std::vector<uint32_t>> next;
  for (const uint32_t position : positions) {
    if (position < ids_.size()) next[ids_[position]].push_back(position + 1);
  }
  return next;
}

bool SpanSource::MayEnd(const std::vector<uint32_t>& positions) const {
  return std::any_of(positions.begin(), positions.end(), [&](uint32_t position) { return word_ends_[position]; });
}

std::string SpanSource::Text(uint32_t position, size_t tokens) const {
  if (begins_.empty()) return tokenizer_.Decode(std::span(ids_).subspan(position - tokens, tokens));
  const uint32_t begin = begins_[position - tokens];
  return text_.substr(begin, begins_[position] - begin);
}

}  // namespace toolformer
