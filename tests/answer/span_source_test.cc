// Spans of a text as tokens.
#include "src/answer/span_source.h"

#include <set>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/toy_model.h"

namespace toolformer::span_source_test {
namespace {

using testing::ToyTokenizer;

// All spans of at most `most` tokens.
std::set<std::string> Spans(const SpanSource& source, size_t most) {
  std::set<std::string> spans;
  struct State {
    std::vector<uint32_t> positions;
    size_t tokens;
  };
  std::vector<State> states;
  for (const auto& [token, positions] : source.starts()) states.push_back({positions, 1});
  while (!states.empty()) {
    const State state = states.back();
    states.pop_back();
    if (source.MayEnd(state.positions)) spans.insert(source.Text(state.positions.front(), state.tokens));
    if (state.tokens == most) continue;
    for (const auto& [token, positions] : source.Continuations(state.positions)) {
      states.push_back({positions, state.tokens + 1});
    }
  }
  return spans;
}

TEST_CASE("spans are whole words, wherever they stand") {
  const ToyTokenizer tokenizer({" red", " blue", " boat", " s", "ail"});
  const SpanSource source(tokenizer, "red boat sail, red sail");
  const std::set<std::string> spans = Spans(source, 2);
  // " s" alone is no word, " s" + "ail" is one.
  CHECK(spans.count(" s") == 0);
  CHECK(spans.count(" sail") == 1);
  CHECK(spans.count("red boat") == 1);
  // What occurs twice goes on in both ways.
  const auto found = source.starts().find(258);  // " red"
  REQUIRE(found != source.starts().end());
  CHECK(found->second.size() == 2);
  CHECK(source.Continuations(found->second).size() == 2);
}

TEST_CASE("words behind brackets, quotes and dashes begin as if a blank stood before them") {
  const ToyTokenizer tokenizer({" 1912", "1912", " 1915", "1915", " Emma"});
  const SpanSource source(tokenizer, "(1912-1915) \"Emma\" 1912\u20131915");
  const std::set<std::string> spans = Spans(source, 1);
  CHECK(spans.count("1912") + spans.count(" 1912") >= 1);
  CHECK(spans.count("1915") == 1);
  CHECK(spans.count("Emma") == 1);
}

TEST_CASE("any bytes") {
  const ToyTokenizer tokenizer({});
  for (const std::string& text : {std::string(), std::string(" "), std::string("\xff\xfe \xc3"), std::string("a\0b", 3),
                                  std::string("\u2013\u2013("), std::string(3000, '-')}) {
    const SpanSource source(tokenizer, text);
    for (const std::string& span : Spans(source, 2)) CHECK(span.size() <= text.size());
  }
}

}  // namespace
}  // namespace toolformer::span_source_test
