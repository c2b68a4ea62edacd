#include "src/search/snippet.h"

#include <doctest/doctest.h>

namespace toolformer::snippet_test {
namespace {

TEST_CASE("a snippet is the part with the words that were asked for") {
  const std::string text =
      "Tea is a drink. It is made of leaves.\nIn  Japan the ceremony takes hours. Coffee is made of roasted beans and "
      "hot water.";
  CHECK(Snippet(text, "tea", 100) ==
        "Tea is a drink. It is made of leaves. In Japan the ceremony takes hours. Coffee is made of roasted beans and "
        "hot "
        "water.");
  CHECK(Snippet(text, "japanese ceremonies", 6) == "In Japan the ceremony takes hours.");
  CHECK(Snippet(text, "roasting beans", 4) == "... made of roasted beans ...");
  CHECK(Snippet(text, "", 4) == "Tea is a drink.");
  CHECK(Snippet(text, "zebra", 2) == "Tea is ...");
  CHECK(Snippet("of it. Then tea came. More", "tea", 3) == "Then tea came.");
  CHECK(Snippet("of it. Then tea came.", "tea", 30) == "of it. Then tea came.");
  CHECK(Snippet("", "tea", 4).empty());
  CHECK(Snippet("one two", "two", 0) == "... two");
}

TEST_CASE("snippets of hostile texts are bounded") {
  CHECK(Snippet(std::string(1 << 20, 'x'), "x", 5).size() <= 80);
  std::string many;
  for (int i = 0; i < 300000; ++i) many += "a\xff ";
  CHECK(Snippet(many, "a", 1000).size() <= 1000 * 83);
  CHECK(Snippet(many, std::string(100000, ' ') + "a", 3).size() < 20);
}

}  // namespace
}  // namespace toolformer::snippet_test
