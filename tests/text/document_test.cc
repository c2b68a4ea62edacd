#include "toolformer/document.h"

#include <doctest/doctest.h>

#include <string>

namespace toolformer::document_test {
namespace {

absl::StatusCode CodeOf(std::string_view line) { return ParseDocument(line).status().code(); }
std::string MessageOf(std::string_view line) { return std::string(ParseDocument(line).status().message()); }

TEST_CASE("ParseDocument: all fields") {
  const auto document = ParseDocument(
      R"({"text": "caf\u00e9\n", "id": "a1", "url": "https://example.org/x", "date": "2015-01-30 10:00:00 -0500", "n": [1]})");
  REQUIRE(document.ok());
  CHECK(document->text == "caf\xc3\xa9\n");
  CHECK(document->id == "a1");
  CHECK(document->url == "https://example.org/x");
  REQUIRE(document->date.has_value());
  CHECK(*document->date == Date{2015, 1, 30});
}

TEST_CASE("ParseDocument: optional fields may be absent or null") {
  for (const char* line :
       {R"({"text": ""})", R"({"text": "", "id": null, "url": null, "date": null})", "{\"text\":\"\"}\r\n"}) {
    CAPTURE(line);
    const auto document = ParseDocument(line);
    REQUIRE(document.ok());
    CHECK(document->text.empty());
    CHECK(document->id.empty());
    CHECK(document->url.empty());
    CHECK_FALSE(document->date.has_value());
  }
}

TEST_CASE("ParseDocument: a number names a document too") {
  CHECK(ParseDocument(R"({"text": "x", "id": 17})")->id == "17");
  CHECK(ParseDocument(R"({"text": "x", "id": 18446744073709551615})")->id == "18446744073709551615");
  CHECK(ParseDocument(R"({"text": "x", "id": -3})")->id == "-3");
}

TEST_CASE("ParseDocument: the date comes from the field, else from the URL") {
  const auto date = [](std::string_view line) {
    const auto document = ParseDocument(line);
    REQUIRE(document.ok());
    return document->date ? FormatIsoDate(*document->date) : std::string("none");
  };
  CHECK(date(R"({"text": "", "url": "https://example.org/2019/05/06/x", "date": "2015-01-30"})") == "2015-01-30");
  CHECK(date(R"({"text": "", "url": "https://example.org/2019/05/06/x"})") == "2019-05-06");
  CHECK(date(R"({"text": "", "url": "https://example.org/2019/05/06/x", "date": "last spring"})") == "2019-05-06");
  CHECK(date(R"({"text": "", "url": "https://example.org/x", "date": "last spring"})") == "none");
}

TEST_CASE("ParseDocument: bytes that JSON can hold are kept") {
  const auto document = ParseDocument("{\"text\": \"a\\u0000b\\ud83d\\ude00\"}");
  REQUIRE(document.ok());
  CHECK(document->text == std::string("a\0b\xf0\x9f\x98\x80", 7));
}

TEST_CASE("ParseDocument: errors name the field or the byte") {
  for (const char* line : {"{}", R"({"Text": "x"})"}) {
    CHECK(CodeOf(line) == absl::StatusCode::kInvalidArgument);
    CHECK(MessageOf(line) == "document: field 'text' is missing");
  }
  CHECK(MessageOf(R"({"text": 5})").find("'text'") != std::string::npos);
  CHECK(MessageOf(R"({"text": null})").find("'text'") != std::string::npos);
  CHECK(MessageOf(R"({"text": "", "id": []})").find("'id'") != std::string::npos);
  CHECK(MessageOf(R"({"text": "", "id": true})").find("'id'") != std::string::npos);
  CHECK(MessageOf(R"({"text": "", "url": 5})").find("'url'") != std::string::npos);
  CHECK(MessageOf(R"({"text": "", "date": 20150130})").find("'date'") != std::string::npos);
  CHECK(CodeOf(R"({"text": "", "date": 20150130})") == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(R"({"text": "x", })").find("byte 15") != std::string::npos);
  for (const char* line :
       {"", " ", "null", "[]", "\"text\"", "{\"text\": \"x\"} x", "{\"text\": \"\xff\"}", "{\"text\": \"x"}) {
    CAPTURE(line);
    CHECK(CodeOf(line) == absl::StatusCode::kInvalidArgument);
    CHECK(MessageOf(line).find('\n') == std::string::npos);
  }
}

TEST_CASE("ParseDocument: nesting is bounded") {
  const std::string deep = "{\"text\": \"x\", \"n\": " + std::string(100000, '[');
  CHECK(CodeOf(deep) == absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace toolformer::document_test
