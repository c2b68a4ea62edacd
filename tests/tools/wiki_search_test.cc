#include "toolformer/wiki_search.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "src/tools/names.h"
#include "src/tools/search_input.h"
#include "tests/paths.h"
#include "toolformer/tool_registry.h"

namespace toolformer::wiki_search_test {
namespace {

std::shared_ptr<const SearchIndex> Rivers(const testing::TemporaryFolder& folder, int64_t passage_words = 12) {
  SearchIndexOptions options;
  options.passage_words = passage_words;
  auto builder = SearchIndexBuilder::Open(folder.file("index"), options, "test");
  REQUIRE(builder.ok());
  REQUIRE((*builder)
              ->Add({"1", "Nile",
                     "The Nile is a river in Africa. It flows north through eleven countries. Its delta lies in Egypt. "
                     "The river floods in summer.",
                     ""})
              .ok());
  REQUIRE((*builder)
              ->Add({"2", "Amazon River", "The Amazon is the largest river by discharge. It is in Brazil.", ""})
              .ok());
  REQUIRE((*builder)->Add({"3", "Egypt", "Egypt is a country in Africa. Its river is the Nile [b].", ""}).ok());
  REQUIRE((*builder)->Finish().ok());
  return SearchIndex::Open(folder.file("index")).value();
}

std::string Ask(const Tool& tool, std::string_view input) {
  const auto answer = tool.call(input, {});
  return answer.ok() ? *answer : "ERROR " + std::string(answer.status().message());
}

TEST_CASE("snippets, further pages, reading on, narrower searches") {
  const testing::TemporaryFolder folder;
  const Tool tool = MakeWikiSearch(MakeIndexSource(Rivers(folder)), {.results = 1});
  CHECK(Ask(tool, "\"largest river\"") ==
        "Amazon River > The Amazon is the largest river by discharge. It is in Brazil.");
  CHECK(Ask(tool, "largest river") == Ask(tool, "\"largest river\""));
  CHECK(Ask(tool, "\"largest river #1\"") == Ask(tool, "\"largest river\""));
  CHECK(Ask(tool, "\"largest river #2\"") != Ask(tool, "\"largest river\""));
  CHECK(Ask(tool, "\"open: nile\"") == "Nile (1 of 2) > The Nile is a river in Africa. It flows north through eleven");
  CHECK(Ask(tool, "\"OPEN: Nile #2\"") ==
        "Nile (2 of 2) > countries. Its delta lies in Egypt. The river floods in summer.");
  CHECK(Ask(tool, "\"river +country\"") == "Egypt > Egypt is a country in Africa. Its river is the Nile [b].");
  CHECK(Ask(tool, "\"river -Amazon -nile\"") == "ERROR search: nothing has any of these words");
  CHECK(Ask(tool, "\"river -nile\"").starts_with("Amazon River > "));
  const Tool two = MakeWikiSearch(MakeIndexSource(Rivers(testing::TemporaryFolder())), {.results = 2});
  // Of an article its best passage alone.
  CHECK(Ask(tool, "\"nile delta\"") == "Nile > countries. Its delta lies in Egypt. The river floods in summer.");
  CHECK(Ask(tool, "\"nile delta #2\"").starts_with("Egypt > "));
  CHECK(Ask(tool, "\"nile delta #3\"") == "ERROR search: there is no page 3 of results");
  const std::string both = Ask(two, "\"Amazon Egypt\"");
  CHECK(both.find("Amazon River > ") != std::string::npos);
  CHECK(both.find(" | ") != std::string::npos);
}

TEST_CASE("what cannot be answered is an error that says why") {
  const testing::TemporaryFolder folder;
  const Tool tool = MakeWikiSearch(MakeIndexSource(Rivers(folder)), {.results = 2, .most_pages = 3});
  const auto code = [&](std::string_view input) { return tool.call(input, {}).status().code(); };
  CHECK(code("\"zebra\"") == absl::StatusCode::kNotFound);
  CHECK(code("\"the of\"") == absl::StatusCode::kNotFound);
  CHECK(code("\"river #3\"") == absl::StatusCode::kOutOfRange);
  CHECK(code("\"river #4\"") == absl::StatusCode::kOutOfRange);
  CHECK(code("\"river #0\"") == absl::StatusCode::kOutOfRange);
  CHECK(code("\"river #99999999999999999999\"") == absl::StatusCode::kOutOfRange);
  CHECK(code("\"open: Nile #9\"") == absl::StatusCode::kOutOfRange);
  CHECK(code("\"open:\"") == absl::StatusCode::kInvalidArgument);
  CHECK(code("") == absl::StatusCode::kInvalidArgument);
  CHECK(code("\"\"") == absl::StatusCode::kInvalidArgument);
  CHECK(code("\"-Nile\"") == absl::StatusCode::kInvalidArgument);
  CHECK(code("\"river") == absl::StatusCode::kInvalidArgument);
  CHECK(code("\"a\" b") == absl::StatusCode::kInvalidArgument);
  CHECK(code(std::string(1025, 'x')) == absl::StatusCode::kResourceExhausted);
  CHECK(Ask(tool, "\"open: Amazon\"") == "ERROR search: no article is called 'Amazon'; near: Amazon River");
  CancelToken cancel;
  cancel.Cancel();
  ToolContext context;
  context.interrupt.cancel = &cancel;
  CHECK(absl::IsCancelled(tool.call("\"river\"", context).status()));
}

TEST_CASE("whatever a model writes gets an answer or an error") {
  const testing::TemporaryFolder folder;
  const Tool tool = MakeWikiSearch(MakeIndexSource(Rivers(folder)));
  std::mt19937 draw(11);
  const std::string_view pieces[] = {"\"", "\\",   "open:", "#",    "1",      "+", "-",
                                     " ",  "nile", "river", "\xff", "\u00e9", "("};
  for (int i = 0; i < 3000; ++i) {
    std::string input;
    for (unsigned n = draw() % 9; n > 0; --n) input += pieces[draw() % std::size(pieces)];
    const auto answer = tool.call(input, {});
    CHECK(((answer.ok() && !answer->empty()) || (!answer.ok() && !answer.status().message().empty())));
  }
  // An empty index.
  const testing::TemporaryFolder empty;
  REQUIRE((*SearchIndexBuilder::Open(empty.file("index"), {}, "test"))->Finish().ok());
  const Tool nothing = MakeWikiSearch(MakeIndexSource(SearchIndex::Open(empty.file("index")).value()));
  CHECK(absl::IsNotFound(nothing.call("\"river\"", {}).status()));
  CHECK(absl::IsNotFound(nothing.call("\"open: Nile\"", {}).status()));
}

TEST_CASE("the tool has the paper's parameters and a prompt that the registry takes") {
  const testing::TemporaryFolder folder;
  const auto index = Rivers(folder);
  Tool tool = MakeWikiSearch(MakeIndexSource(index));
  CHECK(tool.parameters.tau_s == 0.05);
  CHECK(tool.parameters.k == 5);
  CHECK(tool.parameters.m == 5);
  CHECK(tool.parameters.tau_f == 1.0);
  CHECK(tool.examples.size() == 3);
  CHECK(tool.free_of_side_effects);
  CHECK(tool.version.find(index->identity()) != std::string::npos);
  CHECK(tool.version.size() <= 256);
  CHECK(MakeWikiSearch(MakeIndexSource(index), {.results = 3}).version != tool.version);
  CHECK(absl::IsFailedPrecondition(MakeWikiSearch(nullptr).call("\"river\"", {}).status()));
  CHECK(SamplingPrompt(tool, "x").find("[WikiSearch(\"flag of Estonia\")]") != std::string::npos);
  ToolRegistry registry;
  CHECK(registry.Register(tool).ok());
  CHECK(registry.Register(MakeWikiSearch(MakeIndexSource(index), {.name = "Lookup"})).ok());
}

TEST_CASE("inputs are read as they are meant") {
  CHECK(Unquote(" \"a \\\"b\\\" \\\\ \\c\" ").value() == "a \"b\" \\ \\c");
  const SearchInput input = ParseSearchInput("\"gold +coins -Spain -40 C++ C# #2\"").value();
  CHECK(input.text == "gold coins -40 C++ C#");
  CHECK(input.required == std::vector<std::string>{"coins"});
  CHECK(input.excluded == std::vector<std::string>{"Spain"});
  CHECK(input.page == 2);
  CHECK(ParseSearchInput("We are #one").value().text == "We are #one");
  CHECK(ParseSearchInput("open: A #b").value().text == "A #b");
}

TEST_CASE("documents that name something are worth a search") {
  CHECK(NamesSomething("The bridge over the river was built by Gustave Eiffel in ten months of work."));
  CHECK(NamesSomething("In 1889 the tower was opened in \"Paris\" and stayed there for good."));
  CHECK_FALSE(NamesSomething("The bridge was built in ten months. It was old, and I liked its colour very much."));
  CHECK_FALSE(NamesSomething("It was built by Gustave Eiffel."));
  CHECK_FALSE(NamesSomething(""));
  std::string han;
  for (int i = 0; i < 50; ++i) han += "\u6771\u4eac";
  CHECK(NamesSomething(han));
  CHECK_FALSE(NamesSomething("\xff\xfe \xff"));
}

}  // namespace
}  // namespace toolformer::wiki_search_test
