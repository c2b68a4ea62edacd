#include "src/base/json.h"

#include <doctest/doctest.h>

#include <string>

namespace toolformer::json_test {
namespace {

using Code = absl::StatusCode;

std::string Nested(std::string_view open, int times, std::string_view close) {
  std::string text;
  for (int i = 0; i < times; ++i) text += open;
  for (int i = 0; i < times; ++i) text += close;
  return text;
}

TEST_CASE("ParseJson: values") {
  const auto value = ParseJson(R"( {"a": [1, -2.5, true, null, "\u00e9\n"], "b": {}} )");
  REQUIRE(value.ok());
  CHECK_EQ((*value)["a"][0], 1);
  CHECK_EQ((*value)["a"][1], -2.5);
  CHECK_EQ((*value)["a"][2], true);
  CHECK((*value)["a"][3].is_null());
  CHECK_EQ((*value)["a"][4].get<std::string>(), "\u00e9\n");
  CHECK((*value)["b"].empty());
  CHECK_EQ(*ParseJson("3"), 3);
  CHECK_EQ(ParseJson("18446744073709551615")->get<uint64_t>(), 18446744073709551615ull);
}

TEST_CASE("ParseJson: errors name the byte") {
  struct Row {
    std::string text;
    const char* words;
  };
  const Row rows[] = {
      {"", "not valid JSON at byte 1"},
      {"   ", "not valid JSON at byte 4"},
      {"{", "at byte 2"},
      {"[1, 2", "at byte 6"},
      {"[1,]", "at byte 4"},
      {"{\"a\" 1}", "at byte 6"},
      {"{'a': 1}", "at byte 2"},
      {"nul", "at byte 4"},
      {"01", "at byte 2"},
      {"1 2", "at byte 3"},
      {"[1]]", "at byte 4"},
      {"// c\n1", "at byte 1"},
      {"\"a\nb\"", "at byte 3"},
      {"\"\xff\"", "at byte 2"},
      {"\"\\ud800\"", "at byte 8"},
      {"1e400", "not valid JSON"},
      {"NaN", "at byte 1"},
      {"\"open", "at byte 6"},
      {std::string("{}\0 more", 8), "at byte 2: a NUL byte"},
      {"\xef\xbb\xbf\xef\xbb\xbf"
       "1",
       "at byte"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto value = ParseJson(row.text);
    const std::string message(value.status().message());
    CAPTURE(message);
    CHECK_EQ(value.status().code(), Code::kInvalidArgument);
    CHECK(message.find(row.words) != std::string::npos);
  }
}

TEST_CASE("ParseJson: depth") {
  for (const int limit : {1, 3, kMaxJsonDepth}) {
    CAPTURE(limit);
    CHECK(ParseJson(Nested("[", limit - 1, "]") + (limit == 1 ? "1" : ""), limit).ok());
    CHECK(ParseJson(Nested("[", limit, "]"), limit).ok());
    const auto deep = ParseJson(Nested("[", limit + 1, "]"), limit);
    CHECK_EQ(deep.status().code(), Code::kResourceExhausted);
    CHECK_EQ(std::string(deep.status().message()),
             "JSON nests deeper than " + std::to_string(limit) + " levels at byte " + std::to_string(limit));
  }
  CHECK(ParseJson(Nested("{\"a\":", 63, "") + "{}" + std::string(63, '}')).ok());
  CHECK_EQ(ParseJson(Nested("{\"a\":", 64, "") + "{}" + std::string(64, '}')).status().code(),
           Code::kResourceExhausted);
  CHECK_EQ(ParseJson(std::string(100000, '[')).status().code(), Code::kResourceExhausted);
  CHECK_EQ(ParseJson(Nested("{\"a\":", 100000, "")).status().code(), Code::kResourceExhausted);
  // Side by side is not deep, and brackets inside strings are text.
  CHECK(ParseJson("[" + Nested("[],", 1000, "") + "[]]", 2).ok());
  CHECK(ParseJson("[\"" + std::string(1000, '[') + "\"]", 1).ok());
  CHECK(ParseJson(R"(["\"[[[[", "\\"])", 1).ok());
}

TEST_CASE("PrintJson: one line, always UTF-8") {
  nlohmann::ordered_json value;
  value["z"] = "a\nb";
  value["a"] = "\xff\u00e9";
  CHECK_EQ(PrintJson(value), "{\"z\":\"a\\nb\",\"a\":\"\ufffd\u00e9\"}");
  CHECK_EQ(PrintJson(nlohmann::json({{"b", 1}, {"a", 0.1}})), R"({"a":0.1,"b":1})");
}

}  // namespace
}  // namespace toolformer::json_test
