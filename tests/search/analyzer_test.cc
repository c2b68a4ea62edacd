#include "src/search/analyzer.h"

#include <doctest/doctest.h>

#include "src/search/passages.h"

namespace toolformer::analyzer_test {
namespace {

using Words = std::vector<std::string>;

Words Terms(const std::string& language, std::string_view text) {
  auto analyzer = Analyzer::Make(language);
  REQUIRE(analyzer.ok());
  return (*analyzer)->Terms(text);
}

TEST_CASE("words become folded stems, English stop words are left out") {
  // Stems as in Snowball's published vocabulary of its English stemmer.
  CHECK(Terms("english", "The running of the Bulls, generously!") == Words{"run", "bull", "generous"});
  CHECK(Terms("english", "caf\u00e9 CAF\u00c9 \ufb01sh") == Words{"caf\u0065", "cafe", "fish"});
  CHECK(Terms("english", "the boy's and O\u2019Brien 'quoted'") == Words{"boy", "o'brien", "quot"});
  CHECK(Terms("english", "3.14 H2O") == Words{"3", "14", "h2o"});
  CHECK(Terms("none", "The Running") == Words{"the", "running"});
  CHECK(Terms("german", "H\u00e4user und B\u00e4ume") == Words{"haus", "und", "baum"});
  CHECK(Terms("none", "\u6771\u4eac tower") == Words{"\u6771", "\u4eac", "tower"});
  CHECK(Terms("none",
              "a\xff\xfe"
              "b\x80") == Words{"a", "b"});
  CHECK(Terms("none", "") == Words{});
}

TEST_CASE("a word of any length makes a bounded term") {
  const Words terms = Terms("english", std::string(1 << 20, 'x') + " y");
  REQUIRE(terms.size() == 2);
  CHECK(terms[0].size() <= 64);
}

TEST_CASE("an unknown language is an error that lists the known ones") {
  const auto analyzer = Analyzer::Make("klingon");
  REQUIRE(absl::IsInvalidArgument(analyzer.status()));
  CHECK(analyzer.status().message().find("english") != absl::string_view::npos);
  CHECK_FALSE(Analyzer::Make("").ok());
}

TEST_CASE("titles are compared by their words") {
  CHECK(FoldedTitle("  The Caf\u00e9, (Paris) ") == "the cafe paris");
  CHECK(FoldedTitle("...").empty());
}

std::vector<std::string> Cut(std::string_view text, int64_t words) {
  std::vector<std::string> passages;
  for (const PassageRange& range : CutIntoPassages(text, words))
    passages.emplace_back(text.substr(range.begin, range.end - range.begin));
  return passages;
}

TEST_CASE("passages have so many words, and no blanks around them") {
  CHECK(Cut(" one two\nthree  four five ", 2) == Words{"one two", "three  four", "five"});
  CHECK(Cut("one two", 2) == Words{"one two"});
  CHECK(Cut(" \n ", 2).empty());
  // A text without blanks ends after 20 bytes a word, at a character's end.
  std::string han;
  for (int i = 0; i < 30; ++i) han += "\u6771";
  const Words cut = Cut(han, 2);
  REQUIRE(cut.size() == 3);
  CHECK(cut[0].size() == 39);
  CHECK(cut[0] + cut[1] + cut[2] == han);
}

}  // namespace
}  // namespace toolformer::analyzer_test
