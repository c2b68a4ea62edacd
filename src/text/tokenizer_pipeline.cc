#include "src/text/tokenizer_pipeline.h"

#include <algorithm>
#include <utility>

#include "src/base/utf8.h"
#include "src/text/unicode.h"

namespace toolformer {
namespace {

using Word = WordList::Word;

// Maximal runs of valid UTF-8 and of invalid bytes.
std::vector<Word> SplitByValidity(std::string_view text) {
  std::vector<Word> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t ascii = AsciiEights(text, begin);
    const CodePoint point = ascii > 0 ? CodePoint{0, ascii, true} : NextCodePoint(text.substr(begin));
    const size_t end = begin + point.length;
    if (!words.empty() && words.back().valid == point.valid) {
      words.back().end = end;
    } else {
      words.push_back({begin, end, point.valid});
    }
    begin = end;
  }
  return words;
}

struct Span {
  Word word;
  bool match;
};

// Applies step.behavior to the matches and gaps of one word, in order.
void Arrange(const PreTokenizerStep& step, const std::vector<Span>& spans, std::vector<Word>* words) {
  using Behavior = PreTokenizerStep::Behavior;
  bool previous = false;
  const auto extend_or_push = [&](bool extend, const Word& word) {
    if (extend) {
      words->back().end = word.end;
    } else {
      words->push_back(word);
    }
  };
  switch (step.behavior) {
    case Behavior::kIsolated:
      for (const Span& span : spans) words->push_back(span.word);
      break;
    case Behavior::kRemoved:
      for (const Span& span : spans) {
        if (!span.match) words->push_back(span.word);
      }
      break;
    case Behavior::kContiguous:
      for (size_t i = 0; i < spans.size(); ++i) {
        extend_or_push(i > 0 && spans[i].match == spans[i - 1].match, spans[i].word);
      }
      break;
    case Behavior::kMergedWithPrevious:
      for (size_t i = 0; i < spans.size(); ++i) {
        extend_or_push(i > 0 && spans[i].match && !previous, spans[i].word);
        previous = spans[i].match;
      }
      break;
    case Behavior::kMergedWithNext:
      // A match joins the word after it only where that is no match itself.
      for (size_t i = 0; i < spans.size(); ++i) {
        extend_or_push(i > 0 && spans[i - 1].match && !spans[i].match, spans[i].word);
      }
      break;
  }
}

// Where the groups of `size` characters end, counted from the end of `text`: only the first may be shorter.
std::vector<size_t> GroupEnds(std::string_view text, size_t size) {
  std::vector<size_t> ends;
  for (size_t end = 0; end < text.size();) {
    end += NextCodePoint(text.substr(end)).length;
    ends.push_back(end);
  }
  std::vector<size_t> kept;
  for (size_t i = 0; i < ends.size(); ++i) {
    if ((ends.size() - 1 - i) % size == 0) kept.push_back(ends[i]);
  }
  return kept;
}

void SplitWords(const PreTokenizerStep& step, Regex::Scratch* scratch, WordList* list) {
  std::vector<Word> words;
  words.reserve(list->words.size());
  std::vector<ByteRange> matches;
  std::vector<Span> spans;
  for (const Word& word : list->words) {
    if (!word.valid) {
      words.push_back(word);
      continue;
    }
    matches.clear();
    spans.clear();
    step.pattern->FindMatches(list->Get(word), scratch, &matches);
    size_t done = word.begin;
    const auto add = [&](size_t end, bool match) {
      if (end > done) spans.push_back({{done, end, true}, match != step.invert});
      done = end;
    };
    for (const ByteRange& match : matches) {
      add(word.begin + match.begin, false);
      if (step.group > 0) {
        for (const size_t end : GroupEnds(list->Get(word).substr(match.begin, match.end - match.begin), step.group)) {
          add(word.begin + match.begin + end, true);
        }
      }
      add(word.begin + match.end, true);
    }
    add(word.end, false);
    Arrange(step, spans, &words);
  }
  list->words = std::move(words);
  list->starts_text = list->starts_text && !list->words.empty() && list->words[0].begin == 0;
}

// Rewrites every word: `prefix` before those that `takes_prefix` says, and " " as `space`.
template <typename TakesPrefix>
void Rewrite(std::string_view prefix, std::string_view space, TakesPrefix takes_prefix, WordList* list) {
  std::string buffer;
  buffer.reserve(list->text.size() + prefix.size());
  for (size_t i = 0; i < list->words.size(); ++i) {
    Word& word = list->words[i];
    const std::string_view old = list->Get(word);
    const size_t begin = buffer.size();
    if (takes_prefix(i, old)) buffer.append(prefix);
    for (const char c : old) {
      if (c == ' ' && word.valid) {
        buffer.append(space);
      } else {
        buffer.push_back(c);
      }
    }
    word = {begin, buffer.size(), word.valid};
  }
  list->buffer = std::move(buffer);
  list->text = list->buffer;
}

void Prefix(const PreTokenizerStep& step, TextPosition position, WordList* list) {
  const auto takes_prefix = [&](size_t index, std::string_view word) {
    const bool first = index == 0 && list->starts_text;
    if (step.at_text_start_only && (!first || position != TextPosition::kStart)) return false;
    if (first && position == TextPosition::kContinuation) return false;
    // Bytes that are no text, and what follows them, continue a word.
    if (!list->words[index].valid || (index > 0 && !list->words[index - 1].valid)) return false;
    return !word.starts_with(step.content);
  };
  Rewrite(step.content, " ", takes_prefix, list);
}

}  // namespace

void PreTokenize(const std::vector<PreTokenizerStep>& steps, TextPosition position, Regex::Scratch* scratch,
                 WordList* list) {
  list->words = SplitByValidity(list->text);
  list->starts_text = true;
  for (const PreTokenizerStep& step : steps) {
    switch (step.kind) {
      case PreTokenizerStep::Kind::kSplit:
        SplitWords(step, scratch, list);
        break;
      case PreTokenizerStep::Kind::kPrefix:
        Prefix(step, position, list);
        break;
      case PreTokenizerStep::Kind::kReplaceSpaces:
        Rewrite(
            "", step.content, [](size_t, std::string_view) { return false; }, list);
        break;
    }
  }
}

}  // namespace toolformer
