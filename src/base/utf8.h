// UTF-8, read one code point at a time.
#ifndef TOOLFORMER_SRC_BASE_UTF8_H_
#define TOOLFORMER_SRC_BASE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace toolformer {

struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;  // bytes; 1 for an invalid byte
  bool valid = false;
};

// The code point at the start of `text`, which must not be empty. Overlong forms, surrogates and values above U+10FFFF
// are invalid bytes.
CodePoint NextCodePoint(std::string_view text);

void AppendUtf8(uint32_t code_point, std::string* out);

bool IsValidUtf8(std::string_view text);

// The longest prefix of at most `max_bytes` that does not end inside a code point.
std::string_view Utf8Prefix(std::string_view text, size_t max_bytes);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_UTF8_H_
