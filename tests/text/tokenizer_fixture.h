// What the tests of tokenizers share: the fixtures of scripts/fixtures/make_tokenizer_fixtures.py and small GGUF files.
#ifndef TOOLFORMER_TESTS_TEXT_TOKENIZER_FIXTURE_H_
#define TOOLFORMER_TESTS_TEXT_TOKENIZER_FIXTURE_H_

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/paths.h"
#include "toolformer/tokenizer.h"

namespace toolformer::testing {

inline std::string ReadText(const std::string& path) {
  auto text = ReadFile(path, uint64_t{64} << 20);
  REQUIRE_MESSAGE(text.ok(), path);
  return *text;
}

inline void WriteText(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

inline nlohmann::json TokenizerFixture(const std::string& name) {
  auto json = ParseJson(ReadText(Fixture("tokenizers/" + name)));
  REQUIRE_MESSAGE(json.ok(), name);
  return *json;
}

inline std::vector<std::string> Lines() { return TokenizerFixture("lines.json").get<std::vector<std::string>>(); }

inline std::shared_ptr<const Tokenizer> Load(const std::string& path) {
  auto tokenizer = LoadTokenizer(path);
  REQUIRE_MESSAGE(tokenizer.ok(), std::string(tokenizer.status().ToString()));
  return *tokenizer;
}
inline std::shared_ptr<const Tokenizer> LoadFixture(const std::string& name) {
  return Load(Fixture("tokenizers/" + name));
}

// FNV-1a over the ids as little-endian int32, as the script computes it.
class IdHash {
 public:
  void Add(const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
      for (int shift = 0; shift < 32; shift += 8) {
        value_ = (value_ ^ (static_cast<uint32_t>(id) >> shift & 0xff)) * 0x01000193u;
      }
    }
  }
  std::string hex() const { return fmt::format("{:08x}", value_); }

 private:
  uint32_t value_ = 0x811c9dc5u;
};

inline std::vector<std::string> SplitWords(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// A GGUF file of metadata only, member by member.
class TinyGguf {
 public:
  void AddString(const std::string& key, std::string_view value) {
    Key(key, 8);
    String(value);
  }
  void AddUint32(const std::string& key, uint32_t value) {
    Key(key, 4);
    Integer(value, 4);
  }
  void AddBool(const std::string& key, bool value) {
    Key(key, 7);
    Integer(value ? 1 : 0, 1);
  }
  void AddStrings(const std::string& key, const std::vector<std::string>& values) {
    Array(key, 8, values.size());
    for (const std::string& value : values) String(value);
  }
  void AddInts(const std::string& key, const std::vector<int32_t>& values) {
    Array(key, 5, values.size());
    for (const int32_t value : values) Integer(static_cast<uint32_t>(value), 4);
  }
  void AddFloats(const std::string& key, const std::vector<float>& values) {
    Array(key, 6, values.size());
    for (const float value : values) {
      uint32_t bits;
      static_assert(sizeof(bits) == sizeof(value));
      memcpy(&bits, &value, sizeof(bits));
      Integer(bits, 4);
    }
  }
  void Write(const std::string& path) const {
    TinyGguf header;
    header.bytes_ = "GGUF";
    header.Integer(3, 4);
    header.Integer(0, 8);
    header.Integer(count_, 8);
    WriteText(path, header.bytes_ + bytes_);
  }

 private:
  void Integer(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<char>(value >> 8 * i & 0xff));
  }
  void String(std::string_view value) {
    Integer(value.size(), 8);
    bytes_.append(value);
  }
  void Key(const std::string& key, uint32_t type) {
    String(key);
    Integer(type, 4);
    ++count_;
  }
  void Array(const std::string& key, uint32_t type, size_t size) {
    Key(key, 9);
    Integer(type, 4);
    Integer(size, 8);
  }

  std::string bytes_;
  uint64_t count_ = 0;
};

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_TEXT_TOKENIZER_FIXTURE_H_
