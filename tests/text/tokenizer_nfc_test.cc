#include "src/text/tokenizer_nfc.h"

#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing {
namespace {

std::string Nfc(std::string_view text) {
  std::string out;
  AppendNfc(text, &out);
  return out;
}

}  // namespace

TEST_CASE("normalisation form C") {
  const auto pairs = TokenizerFixture("nfc.json");
  REQUIRE(pairs.size() >= 250);
  for (const auto& pair : pairs) {
    const std::string text = pair[0], expected = pair[1];
    INFO(text);
    CHECK(Nfc(text) == expected);
    CHECK(Nfc(expected) == expected);
  }
  CHECK(Nfc("") == "");
  CHECK(Nfc("plain ASCII and \u00e9") == "plain ASCII and \u00e9");
}

TEST_CASE("normalisation of a heap of marks") {
  std::string marks;
  for (int i = 0; i < 50000; ++i) marks += "\u0301\u0323";
  // U+0323 has the lower class: all of them come first, and the first composes.
  const std::string normalized = Nfc("a" + marks);
  CHECK(normalized.starts_with("\u1ea1\u0323\u0323"));
  CHECK(normalized.ends_with("\u0301\u0301"));
  CHECK(normalized.size() == marks.size() - 2 + 3);
}

}  // namespace toolformer::testing
