// Patterns scanned by hand cut as PCRE2 does.
#include "src/text/pattern_scanner.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "src/text/tokenizer_presets.h"
#include "src/text/tokenizer_regex.h"
#include "src/text/word_cache.h"

namespace toolformer::pattern_scanner_test {
namespace {

const std::string kLlama3Head = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
const std::string kLlama3Tail = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const std::vector<std::string> kPatterns = {std::string(kGpt2Pattern), R"(\p{N})",
                                            kLlama3Head + R"(\p{N}{1,3})" + kLlama3Tail,
                                            kLlama3Head + R"(\p{N})" + kLlama3Tail};

// Everything that patterns tell apart, and characters of other scripts that they might be taken for.
const std::vector<std::string> kPieces = {
    "a",      "Z",      "the",    "'",      "'s",     "'S",      "'ll",        "'LL",    "'re",    "'Ve",
    "'x",     "0",      "7",      "42",     "1234",   " ",       "  ",         "\t",     "\n",     "\r",
    "\v",     "\f",     "\r\n",   "\n\n",   ".",      "-->",     "(",          "_",      "\x1c",   "\x7f",
    "$",      "!?",     "''",     "\u00e9", "\u017f", "'\u017f", "\u212a",     "\u0301", "\u00a0", "\u0085",
    "\u2003", "\u200b", "\u0660", "\u00b2", "\u2167", "\u4e2d",  "\U0001f600", "\u1d2c", "\u02bc", "\ufeff"};

std::vector<std::pair<size_t, size_t>> Pairs(const std::vector<ByteRange>& ranges) {
  std::vector<std::pair<size_t, size_t>> pairs;
  for (const ByteRange& range : ranges) pairs.emplace_back(range.begin, range.end);
  return pairs;
}

void CheckSame(const Regex& regex, const std::string& text) {
  Regex::Scratch scratch;
  std::vector<ByteRange> scanned, matched;
  regex.FindMatches(text, &scratch, &scanned);
  regex.FindMatchesByRegex(text, &scratch, &matched);
  INFO("text: ", text);
  CHECK(Pairs(scanned) == Pairs(matched));
}

}  // namespace

TEST_CASE("scanned patterns match as the regular expressions") {
  for (const std::string& pattern : kPatterns) {
    INFO("pattern: ", pattern);
    const bool known = FindScanner(pattern) != nullptr;
    REQUIRE(known);
    const auto regex = Regex::Compile(pattern);
    REQUIRE(regex.ok());
    // All sequences of up to three pieces, then long random ones.
    for (const std::string& a : kPieces) {
      CheckSame(**regex, a);
      for (const std::string& b : kPieces) {
        CheckSame(**regex, a + b);
        for (size_t c = 0; c < kPieces.size(); c += 2) CheckSame(**regex, a + b + kPieces[c]);
      }
    }
    std::mt19937 random(1);
    for (int round = 0; round < 3000; ++round) {
      std::string text;
      for (size_t count = random() % 40; count > 0; --count) text += kPieces[random() % kPieces.size()];
      CheckSame(**regex, text);
    }
  }
  const bool unknown = FindScanner(R"(\p{L}+)") == nullptr;
  CHECK(unknown);
}

TEST_CASE("the cache of words knows its owner, and drops what it has no place for") {
  WordCache cache;
  const uint32_t one = WordCache::NewOwner(), two = WordCache::NewOwner();
  CHECK(one != two);
  std::vector<int32_t> ids = {9};
  const auto key = [](uint32_t owner, std::string_view word) { return WordCache::MakeKey(owner, word); };
  CHECK_FALSE(cache.Find(key(one, "word"), &ids));
  const std::vector<int32_t> word = {1, 2, 3};
  cache.Add(key(one, "word"), word);
  CHECK(cache.Find(key(one, "word"), &ids));
  CHECK(ids == std::vector<int32_t>{9, 1, 2, 3});
  CHECK_FALSE(cache.Find(key(two, "word"), &ids));
  CHECK_FALSE(cache.Find(key(one, "wor"), &ids));
  CHECK_FALSE(cache.Find(key(one, std::string_view("word\0", 5)), &ids));
  const std::vector<int32_t> many(WordCache::kMaxIds + 1, 4);
  cache.Add(key(one, "many"), many);
  CHECK_FALSE(cache.Find(key(one, "many"), &ids));
  // More words than there are places: what is found is right.
  for (int32_t i = 0; i < 20000; ++i) cache.Add(key(one, std::to_string(i)), std::vector<int32_t>{i});
  size_t found = 0;
  for (int32_t i = 0; i < 20000; ++i) {
    ids.clear();
    if (!cache.Find(key(one, std::to_string(i)), &ids)) continue;
    ++found;
    REQUIRE(ids == std::vector<int32_t>{i});
  }
  CHECK(found > 1000);
}

}  // namespace toolformer::pattern_scanner_test
