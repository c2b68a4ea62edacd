#include "src/base/utf8.h"

#include <doctest/doctest.h>

namespace toolformer::utf8_test {
namespace {

TEST_CASE("NextCodePoint: the edges of each length") {
  struct Row {
    std::string_view text;
    uint32_t value;
    size_t length;
  };
  const Row rows[] = {
      {{"\0x", 2}, 0, 1},
      {"\x7fx", 0x7f, 1},
      {"\xc2\x80x", 0x80, 2},
      {"\xdf\xbfx", 0x7ff, 2},
      {"\xe0\xa0\x80x", 0x800, 3},
      {"\xed\x9f\xbfx", 0xd7ff, 3},
      {"\xee\x80\x80x", 0xe000, 3},
      {"\xef\xbf\xbfx", 0xffff, 3},
      {"\xf0\x90\x80\x80x", 0x10000, 4},
      {"\xf4\x8f\xbf\xbfx", 0x10ffff, 4},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    const CodePoint point = NextCodePoint(row.text);
    CHECK(point.valid);
    CHECK_EQ(point.value, row.value);
    CHECK_EQ(point.length, row.length);
    std::string written;
    AppendUtf8(row.value, &written);
    CHECK_EQ(written, row.text.substr(0, row.length));
  }
}

TEST_CASE("every code point is written and read back") {
  int wrong = 0;
  for (uint32_t value = 0; value <= 0x10ffff; ++value) {
    if (value >= 0xd800 && value <= 0xdfff) continue;
    std::string text;
    AppendUtf8(value, &text);
    const CodePoint point = NextCodePoint(text);
    if (!point.valid || point.value != value || point.length != text.size()) ++wrong;
  }
  CHECK_EQ(wrong, 0);
}

TEST_CASE("invalid bytes are taken one at a time") {
  const std::string_view rows[] = {
      "\x80",  // a continuation without a lead
      "\xbf",
      "\xc0\x80",  // overlong
      "\xc1\xbf",
      "\xe0\x9f\xbf",
      "\xf0\x8f\xbf\xbf",
      "\xed\xa0\x80",  // surrogates
      "\xed\xbf\xbf",
      "\xf4\x90\x80\x80",  // above U+10FFFF
      "\xf5\x80\x80\x80",
      "\xff",
      "\xc2",  // cut off
      "\xe2\x82",
      "\xf0\x9f\x98",
      "\xc2x",  // no continuation
      "\xe2\x82x",
  };
  for (const std::string_view text : rows) {
    CAPTURE(static_cast<int>(static_cast<uint8_t>(text[0])));
    const CodePoint point = NextCodePoint(text);
    CHECK_FALSE(point.valid);
    CHECK_EQ(point.length, 1);
    CHECK_FALSE(IsValidUtf8(text));
    CHECK_FALSE(IsValidUtf8("good " + std::string(text) + " good"));
  }
  CHECK(IsValidUtf8(""));
  CHECK(IsValidUtf8("a\u00e9\u4e2d\U0001f600"));
}

TEST_CASE("Utf8Prefix: never ends inside a code point") {
  const std::string_view text = "a\u00e9\u4e2d\U0001f600z";  // 1 + 2 + 3 + 4 + 1 bytes
  const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (size_t max_bytes = 0; max_bytes < std::size(ends); ++max_bytes) {
    CAPTURE(max_bytes);
    CHECK_EQ(Utf8Prefix(text, max_bytes), text.substr(0, ends[max_bytes]));
  }
  CHECK_EQ(Utf8Prefix("", 0), "");
  const std::string stray(10, '\x80');
  CHECK_EQ(Utf8Prefix(stray, 5).size(), 2);  // goes back at most three bytes
}

}  // namespace
}  // namespace toolformer::utf8_test
