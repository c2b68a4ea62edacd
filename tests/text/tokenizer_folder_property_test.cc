// What holds for every text with every kind of vocabulary file.
#include <algorithm>
#include <chrono>
#include <set>

#include "src/base/random.h"
#include "src/base/utf8.h"
#include "tests/text/tokenizer_folder_fixture.h"

namespace toolformer::testing::tokenizer_folder_property_test {
namespace {

using nlohmann::json;

// Valid UTF-8 of many scripts, with runs of spaces and marks.
std::string RandomText(RandomStream* random, size_t characters) {
  struct Range {
    uint32_t first, last;
  };
  constexpr Range kRanges[] = {{0x20, 0x7e},        {0x61, 0x7a},      {0x0, 0x250},     {0x20, 0x20},
                               {0x300, 0x36f},      {0x250, 0x3000},   {0x3000, 0xd7ff}, {0xe000, 0xffff},
                               {0x10000, 0x10ffff}, {0x1f300, 0x1fa00}};
  std::string text;
  for (size_t i = 0; i < characters; ++i) {
    const Range& range = kRanges[random->Next() % std::size(kRanges)];
    AppendUtf8(range.first + static_cast<uint32_t>(random->Next() % (range.last - range.first + 1)), &text);
  }
  return text;
}

std::string Repeat(const std::string& unit, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += unit;
  return text;
}

}  // namespace

TEST_CASE("decoding undoes encoding where the vocabulary spells bytes and nothing normalizes") {
  RandomStream random(17);
  for (const char* name : {"opt", "sp_bpe"}) {
    const auto tokenizer = LoadKind(FindKind(name));
    const std::string prefix = std::string(name) == "opt" ? "" : " ";
    for (int i = 0; i < 2000; ++i) {
      const std::string text = RandomText(&random, 1 + random.Next() % 80);
      INFO(name, ", text ", i);
      REQUIRE(tokenizer->Decode(tokenizer->Encode(text)) == prefix + text);
      REQUIRE(tokenizer->Decode(tokenizer->EncodeContinuation(text)) == text);
    }
    // Bytes that are no text, too.
    std::string bytes = "a\xff\xfe\xc3 b\xe2\x82";
    CHECK(tokenizer->Decode(tokenizer->EncodeContinuation(bytes)) == bytes);
  }
}

TEST_CASE("no text yields a control token of any kind of folder") {
  for (const json& kind : Kinds()) {
    INFO(kind["name"].get<std::string>());
    const auto tokenizer = LoadKind(kind);
    std::set<int32_t> control(tokenizer->end_ids().begin(), tokenizer->end_ids().end());
    control.insert(tokenizer->start_id());
    for (const std::string text :
         {"<s>", "</s>", "a</s>b", "[CLS]", "[SEP] x [MASK]", "<pad> </s> <s>", "<|im_end|>"}) {
      for (const auto& ids : {tokenizer->Encode(text), tokenizer->EncodeContinuation(text)}) {
        CHECK(std::none_of(ids.begin(), ids.end(), [&](int32_t id) { return control.contains(id); }));
      }
    }
  }
}

TEST_CASE("any bytes are encoded, and a run that is no text at most as unknown or bytes") {
  RandomStream random(23);
  for (const json& kind : Kinds()) {
    INFO(kind["name"].get<std::string>());
    const auto tokenizer = LoadKind(kind);
    for (int i = 0; i < 100; ++i) {
      std::string bytes;
      const size_t size = random.Next() % 60;
      for (size_t j = 0; j < size; ++j) bytes.push_back(static_cast<char>(random.Next() % 256));
      const auto ids = tokenizer->Encode(bytes);
      REQUIRE(std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= 0 && id < tokenizer->vocab_size(); }));
    }
    CHECK(tokenizer->Encode("").empty());
    CHECK(tokenizer->EncodeContinuation("").empty());
  }
}

// The square of the length would take hours.
TEST_CASE("long texts without a place to cut take linear time with every kind of folder") {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kCount = 131072;
  for (const json& kind : Kinds()) {
    const auto tokenizer = LoadKind(kind);
    for (const std::string unit : {"Z", " ", "\U0001f642", "e\u0301\u0323", "the", "\xff", "\u4e2d", "a "}) {
      INFO(kind["name"].get<std::string>(), ": ", unit);
      const std::string text = Repeat(unit, kCount);
      const auto start = Clock::now();
      const auto ids = tokenizer->Encode(text);
      CHECK(Clock::now() - start < std::chrono::seconds(60));
      CHECK(ids.size() <= text.size() + 1);
    }
  }
}

TEST_CASE("WordPiece: a long limit of characters does not make long words slow") {
  json kind = FindKind("wordpiece");
  kind["changes"]["model.max_input_chars_per_word"] = 1000000000;
  const auto tokenizer = LoadKind(kind);
  const auto ids = tokenizer->Encode(Repeat("the", 131072));
  CHECK(ids.size() > 100000);
  CHECK(tokenizer->Encode(Repeat("the", 131072) + "\u4e01\u1234") != ids);
}

}  // namespace toolformer::testing::tokenizer_folder_property_test
