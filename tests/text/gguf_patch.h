// Changes to the metadata of a GGUF file that a test has read as bytes.
#ifndef TOOLFORMER_TESTS_TEXT_GGUF_PATCH_H_
#define TOOLFORMER_TESTS_TEXT_GGUF_PATCH_H_

#include <cstring>
#include <string>
#include <string_view>

#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing {

class GgufPatch {
 public:
  explicit GgufPatch(const std::string& path) : bytes_(ReadText(path)) {}

  // The value of a string member.
  void SetString(std::string_view key, std::string_view value) {
    const size_t at = ValueOf(key, 8);
    uint64_t old_size;
    memcpy(&old_size, &bytes_[at], sizeof(old_size));
    const uint64_t size = value.size();
    std::string member(reinterpret_cast<const char*>(&size), sizeof(size));
    member.append(value);
    bytes_.replace(at, sizeof(old_size) + old_size, member);
  }
  // The name of a member: a file without it.
  void Rename(std::string_view key) {
    const size_t at = ValueOf(key, 8) - sizeof(uint32_t) - 1;
    bytes_[at] = '_';
  }
  // The elements of an array of int32 that are `from`.
  void ReplaceInts(std::string_view key, int32_t from, int32_t to) {
    size_t at = ValueOf(key, 9) + sizeof(uint32_t);
    uint64_t count;
    memcpy(&count, &bytes_[at], sizeof(count));
    at += sizeof(count);
    for (uint64_t i = 0; i < count; ++i, at += sizeof(from)) {
      if (memcmp(&bytes_[at], &from, sizeof(from)) == 0) memcpy(&bytes_[at], &to, sizeof(to));
    }
  }
  void Write(const std::string& path) const { WriteText(path, bytes_); }

 private:
  // Where the value of `key`, of a type of GGUF, begins.
  size_t ValueOf(std::string_view key, uint32_t type) {
    const size_t at = bytes_.find(key);
    REQUIRE(at != std::string::npos);
    uint32_t found;
    memcpy(&found, &bytes_[at + key.size()], sizeof(found));
    REQUIRE(found == type);
    return at + key.size() + sizeof(found);
  }

  std::string bytes_;
};

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_TEXT_GGUF_PATCH_H_
