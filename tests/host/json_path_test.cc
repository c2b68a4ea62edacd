#include "src/host/json_path.h"

#include <doctest/doctest.h>

#include "src/base/json.h"
#include "src/host/fill_template.h"

namespace toolformer::json_path_test {
namespace {

using nlohmann::json;

std::string Read(const char* path, const json& value) {
  const auto parsed = JsonPath::Parse(path);
  if (!parsed.ok()) return "not a path";
  const auto read = parsed->Read(value);
  return read.ok() ? *read : std::string(read.status().message());
}

// The examples of RFC 6901, section 5.
TEST_CASE("JSON pointers") {
  const json document = ParseJson(R"({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
                                      "k\"l": 6, " ": 7, "m~n": 8})")
                            .value();
  CHECK(Read("", document) == PrintJson(document));
  CHECK(Read("/foo", document) == R"(["bar","baz"])");
  CHECK(Read("/foo/0", document) == "bar");
  CHECK(Read("/", document) == "0");
  CHECK(Read("/a~1b", document) == "1");
  CHECK(Read("/c%d", document) == "2");
  CHECK(Read("/e^f", document) == "3");
  CHECK(Read("/g|h", document) == "4");
  CHECK(Read("/i\\j", document) == "5");
  CHECK(Read("/k\"l", document) == "6");
  CHECK(Read("/ ", document) == "7");
  CHECK(Read("/m~0n", document) == "8");
  for (const char* nowhere :
       {"/none", "/foo/2", "/foo/01", "/foo/-1", "/foo/-", "/foo/0/x", "/foo/18446744073709551616"}) {
    CAPTURE(nowhere);
    CHECK(Read(nowhere, document).find("leads nowhere in the answer") != std::string::npos);
  }
  for (const char* bad : {"foo", "/a~", "/a~2", "a/b"}) CHECK(Read(bad, document) == "not a path");
}

TEST_CASE("JSONPath") {
  const json document = ParseJson(R"({"a": [{"b": 1}, {"b": "x"}, {"c": null}], "d e": {"f": true}, "ü": 3})").value();
  CHECK(Read("$", document) == PrintJson(document));
  CHECK(Read("$.a[0].b", document) == "1");
  CHECK(Read("$.a[1].b", document) == "x");
  CHECK(Read("$.a[-2].b", document) == "x");
  CHECK(Read("$['d e'][\"f\"]", document) == "true");
  CHECK(Read("$.a[*].b", document) == "1, x");
  CHECK(Read("$.a.*.b", document) == "1, x");
  CHECK(Read("$.a[2].c", document) == "null");
  CHECK(Read("$.\xc3\xbc", document) == "3");
  CHECK(Read("$.a[3]", document) == "'[3]' leads nowhere in the answer");
  CHECK(Read("$.a[-4]", document) == "'[-4]' leads nowhere in the answer");
  CHECK(Read("$.x.y", document) == "'.x' leads nowhere in the answer");
  for (const char* bad : {"$a", "$.", "$..a", "$.a[", "$.a[]", "$.a[?(@.b)]", "$.a['x]", "$.a[1", "$.a[1:2]", "$ .a"}) {
    CAPTURE(bad);
    CHECK(Read(bad, document) == "not a path");
  }
  CHECK(JsonPath::Parse("$" + std::string(2000, '.')).status().code() == absl::StatusCode::kInvalidArgument);
  json wide = json::array();
  for (int i = 0; i < 1001; ++i) wide.push_back(i);
  CHECK(Read("$[*]", wide).find("more than 1000") != std::string::npos);
}

std::string Fill(const char* text, TemplateKind kind, const json& values) {
  const auto parsed = Template::Parse(text, kind);
  if (!parsed.ok()) return "no template";
  const auto filled = parsed->Fill(values);
  return filled.ok() ? *filled : std::string(filled.status().message());
}

TEST_CASE("what is filled in stays in its place") {
  const json hostile = {{"input", "a b&c=\"d\"\n/../?#{input}\xc3\xa9"}, {"n", 3}, {"list", {1, "x"}}};
  CHECK(Fill("http://h/{input}?q={input}&n={n}", TemplateKind::kUrl, hostile) ==
        "http://h/"
        "a%20b%26c%3D%22d%22%0A%2F..%2F%3F%23%7Binput%7D%C3%A9?q=a%20b%26c%3D%22d%22%0A%2F..%2F%3F%23%7Binput%7D%C3%A9&"
        "n=3");
  CHECK(Fill("q={input}", TemplateKind::kForm, {{"input", "a&b=c"}}) == "q=a%26b%3Dc");
  const std::string body =
      Fill(R"({"q": "<{input}>", "n": {n}, "m": "{n}", "l": {list}, "z": {missing}})", TemplateKind::kJson, hostile);
  const json parsed = ParseJson(body).value();
  CHECK(parsed["q"] == "<" + hostile["input"].get<std::string>() + ">");
  CHECK(parsed["n"] == 3);
  CHECK(parsed["m"] == "3");
  CHECK(parsed["l"] == json({1, "x"}));
  CHECK(parsed["z"].is_null());
  CHECK(Fill("{input}", TemplateKind::kText, {{"input", "a{b}"}}) == "a{b}");
  CHECK(Fill("{ input} {} {1} {in put} {input", TemplateKind::kText, {{"input", "x"}}) ==
        "{ input} {} {1} {in put} {input");
  for (const char* host : {"http://{input}/", "http://a.{input}.b/x", "{input}", "http://h:{input}/"}) {
    CHECK(Fill(host, TemplateKind::kUrl, hostile) == "no template");
  }
  CHECK(Fill("http://h/a/{input}/b", TemplateKind::kUrl, {{"input", ".."}}) ==
        "'..' cannot stand in the path of a URL");
  CHECK(Fill("http://h/a?b={input}", TemplateKind::kUrl, {{"input", ".."}}) == "http://h/a?b=..");
}

}  // namespace
}  // namespace toolformer::json_path_test
