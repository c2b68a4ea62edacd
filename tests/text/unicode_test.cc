#include "src/text/unicode.h"

#include "src/base/utf8.h"
#include "src/text/tokenizer_json_steps.h"
#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing::unicode_test {
namespace {

std::string Nfc(std::string_view text) {
  std::string out;
  AppendUnicodeForm(UnicodeForm::kNfc, text, &out);
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

TEST_CASE("normalizers change every code point as the reference does") {
  const nlohmann::json entries = TokenizerFixture("folders/unicode.json");
  REQUIRE(entries.size() == 12);
  constexpr uint32_t kBlock = 4096, kBlocks = 0x32000 / kBlock;
  for (const nlohmann::json& entry : entries) {
    const auto steps = ParseNormalizer(entry["normalizer"], "here");
    REQUIRE(steps.ok());
    const std::vector<std::string> hashes = SplitWords(entry["hashes"]);
    REQUIRE(hashes.size() == kBlocks + 2);
    Regex::Scratch scratch;
    for (uint32_t block = 0; block < kBlocks + 2; ++block) {
      const uint32_t begin = block < kBlocks ? block * kBlock : 0xe0000 + (block - kBlocks) * 0x10000;
      IdHash hash;
      for (uint32_t code = begin; code < begin + kBlock; ++code) {
        if (code >= 0xd800 && code < 0xe000) continue;
        std::string text = "x\u0315";
        AppendUtf8(code, &text);
        std::vector<int32_t> values;
        for (const char c : Normalize(*steps, text + "\u0323", TextPosition::kStart, &scratch)) {
          values.push_back(static_cast<uint8_t>(c));
        }
        values.push_back(-1);
        hash.Add(values);
      }
      INFO(PrintJson(entry["normalizer"]), ", from ", begin);
      CHECK(hash.hex() == hashes[block]);
    }
  }
}

}  // namespace toolformer::testing::unicode_test
