// What holds for every text, however hostile.
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "src/base/random.h"
#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing::tokenizer_property_test {
namespace {

std::string RandomBytes(RandomStream* random, size_t size) {
  std::string bytes;
  // Runs of bytes of one kind, so that words, spaces and broken sequences of some length appear.
  while (bytes.size() < size) {
    const uint64_t kind = random->Next() % 5, run = 1 + random->Next() % 6;
    for (uint64_t i = 0; i < run && bytes.size() < size; ++i) {
      const uint64_t dice = random->Next();
      constexpr std::string_view kSpaces = " \n\t\r_'";
      if (kind == 0) bytes.push_back(static_cast<char>(dice % 256));
      if (kind == 1) bytes.push_back(static_cast<char>('a' + dice % 26));
      if (kind == 2) bytes.push_back(kSpaces[dice % kSpaces.size()]);
      if (kind == 3) bytes += "\u00e9\u65e5\U0001f999";
      if (kind == 4) bytes.push_back(static_cast<char>(0x80 + dice % 128));
    }
  }
  return bytes;
}

// The byte-level and byte-fallback vocabularies that spell every byte; of the second kind, without a prefix.
const char* const kByteLevel[] = {"byte_level", "byte_level.gguf"};
const char* const kFallback[] = {"byte_fallback", "scores.gguf", "scores_no_prefix.gguf"};

}  // namespace

TEST_CASE("decoding undoes encoding, for any bytes") {
  RandomStream random(7);
  for (const char* name : kByteLevel) {
    const auto tokenizer = LoadFixture(name);
    for (int i = 0; i < 2000; ++i) {
      const std::string bytes = RandomBytes(&random, random.Next() % 200);
      const auto ids = tokenizer->Encode(bytes);
      INFO(name, ", text ", i);
      REQUIRE(tokenizer->Decode(ids) == bytes);
      REQUIRE(tokenizer->EncodeContinuation(bytes) == ids);
    }
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
    CHECK(tokenizer->Decode(tokenizer->Encode(all)) == all);
  }
  for (const char* name : kFallback) {
    const auto tokenizer = LoadFixture(name);
    for (int i = 0; i < 2000; ++i) {
      const std::string bytes = RandomBytes(&random, random.Next() % 200);
      INFO(name, ", text ", i);
      REQUIRE(tokenizer->Decode(tokenizer->EncodeContinuation(bytes)) == bytes);
      const bool prefix = std::string(name) != "scores_no_prefix.gguf" && !bytes.empty();
      REQUIRE(tokenizer->Decode(tokenizer->Encode(bytes)) == (prefix ? " " + bytes : bytes));
    }
  }
}

TEST_CASE("a continuation takes no space before its first word") {
  const auto tokenizer = LoadFixture("byte_fallback");
  CHECK(tokenizer->TokenBytes(tokenizer->Encode("the end")[0]).starts_with(" "));
  CHECK(tokenizer->TokenBytes(tokenizer->EncodeContinuation("the end")[0]).starts_with("t"));
  CHECK(tokenizer->Encode("the end") == tokenizer->EncodeContinuation(" the end"));
  CHECK(tokenizer->EncodeContinuation("").empty());
  CHECK(tokenizer->Encode("").empty());
}

TEST_CASE("no text yields a control token") {
  struct Case {
    const char* name;
    std::set<int32_t> control;
  };
  const Case cases[] = {{"byte_level", {0, 1, 2}},
                        {"byte_level.gguf", {0, 1, 2}},
                        {"byte_fallback", {1, 2}},
                        {"scores.gguf", {1, 2}},
                        {"scores_no_prefix.gguf", {1, 2}}};
  const std::string spellings[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>"};
  for (const Case& c : cases) {
    const auto tokenizer = LoadFixture(c.name);
    for (const int32_t id : c.control) CHECK(tokenizer->TokenBytes(id).empty());
    for (const std::string& spelling : spellings) {
      for (const std::string& text : {spelling, "a" + spelling + "b", spelling + spelling, " " + spelling + "\n"}) {
        const auto ids = tokenizer->Encode(text);
        INFO(c.name, ": ", text);
        CHECK(std::none_of(ids.begin(), ids.end(), [&](int32_t id) { return c.control.contains(id); }));
        CHECK(tokenizer->Decode(ids).ends_with(text));
      }
    }
  }
}

TEST_CASE("tokens outside the vocabulary add nothing") {
  const auto tokenizer = LoadFixture("byte_level");
  for (const int32_t id : {-1, tokenizer->vocab_size(), INT32_MAX, INT32_MIN}) CHECK(tokenizer->TokenBytes(id).empty());
  const std::vector<int32_t> ids = {-5, tokenizer->Encode("x")[0], INT32_MAX};
  CHECK(tokenizer->Decode(ids) == "x");
}

TEST_CASE("byte tokens are their byte and a space mark is a space") {
  const auto tokenizer = LoadFixture("byte_fallback");
  CHECK(tokenizer->TokenBytes(3) == std::string_view("\0", 1));
  CHECK(tokenizer->TokenBytes(3 + 0xff) == "\xff");
  // Three byte tokens after the space.
  CHECK(tokenizer->EncodeContinuation("\u1234") == std::vector<int32_t>{3 + 0xe1, 3 + 0x88, 3 + 0xb4});
  CHECK(tokenizer->EncodeContinuation("\xe1\x88") == std::vector<int32_t>{3 + 0xe1, 3 + 0x88});
}

TEST_CASE("long texts without a place to cut take time linear in their length but for a logarithm") {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kCount = 131072;
  std::vector<std::shared_ptr<const Tokenizer>> tokenizers;
  for (const char* name : kByteLevel) tokenizers.push_back(LoadFixture(name));
  for (const char* name : kFallback) tokenizers.push_back(LoadFixture(name));
  if (const auto path = SmolLm2()) tokenizers.push_back(Load(*path));
  if (const auto path = Gemma3()) tokenizers.push_back(Load(*path));
  for (const auto& tokenizer : tokenizers) {
    for (const std::string unit :
         {"Z", " ", "\n", "\U0001f642", "_", "\u4e2d", "e\u0301\u0301", "\xff", " \n", "a1", "\r\t"}) {
      std::string text;
      for (size_t i = 0; i < kCount; ++i) text += unit;
      const auto start = Clock::now();
      const auto ids = tokenizer->EncodeContinuation(text);
      // A quadratic merge would take hours.
      CHECK(Clock::now() - start < std::chrono::seconds(60));
      // SmolLM2 alone has no token for some bytes.
      if (unit != "\xff") CHECK(tokenizer->Decode(ids) == text);
    }
  }
}

TEST_CASE("encoding in several threads") {
  const auto tokenizer = LoadFixture("byte_level");
  const std::vector<std::string> lines = Lines();
  std::vector<std::vector<int32_t>> expected;
  for (const std::string& line : lines) expected.push_back(tokenizer->Encode(line));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int round = 0; round < 3; ++round) {
        for (size_t i = 0; i < lines.size(); ++i) count += tokenizer->Encode(lines[i]) != expected[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

}  // namespace toolformer::testing::tokenizer_property_test
