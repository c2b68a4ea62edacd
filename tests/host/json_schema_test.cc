#include "src/host/json_schema.h"

#include <doctest/doctest.h>

#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/paths.h"

namespace toolformer::json_schema_test {
namespace {

using nlohmann::json;

// Verdicts of pip's jsonschema: scripts/fixtures/make_json_schemas.py.
TEST_CASE("verdicts are those of an independent implementation") {
  const json fixture = ParseJson(ReadFile(testing::Fixture("schemas/cases.json"), 1 << 20).value()).value();
  int judged = 0;
  for (const json& entry : fixture["cases"]) {
    const auto schema = JsonSchema::Parse(entry["schema"]);
    REQUIRE_MESSAGE(schema.ok(), schema.status().ToString());
    const json without = entry.value("without", json::array());
    const std::string valid = entry["valid"];
    size_t at = 0;
    for (size_t i = 0; i < fixture["values"].size(); ++i) {
      if (std::find(without.begin(), without.end(), json(i)) != without.end()) continue;
      const absl::Status status = schema->Validate(fixture["values"][i]);
      CHECK_MESSAGE(status.ok() == (valid[at] == '1'), entry["schema"].dump() << " " << fixture["values"][i].dump());
      if (!status.ok()) CHECK(status.code() == absl::StatusCode::kInvalidArgument);
      ++at;
      ++judged;
    }
    CHECK(at == valid.size());
  }
  CHECK(judged > 3000);
}

TEST_CASE("what a schema must be") {
  for (const char* bad : {"1",
                          "\"x\"",
                          "[]",
                          R"({"type": "text"})",
                          R"({"type": 1})",
                          R"({"enum": 1})",
                          R"({"required": "a"})",
                          R"({"required": [1]})",
                          R"({"minLength": -1})",
                          R"({"minimum": "a"})",
                          R"({"multipleOf": 0})",
                          R"({"pattern": "("})",
                          R"({"pattern": 1})",
                          R"({"properties": []})",
                          R"({"properties": {"a": 1}})",
                          R"({"items": 1})",
                          R"({"allOf": {}})",
                          R"({"$ref": 1})",
                          R"({"$ref": "#/none"})",
                          R"({"$ref": "#x"})",
                          R"({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "$ref": "#/a"})",
                          R"({"$ref": "#/x", "x": {"type": "text"}})",
                          R"({"patternProperties": {"(": {}}})",
                          R"({"additionalProperties": 1})"}) {
    CAPTURE(bad);
    const auto schema = JsonSchema::Parse(ParseJson(bad).value());
    CHECK(schema.status().code() == absl::StatusCode::kInvalidArgument);
  }
  for (const char* elsewhere : {"https://example.com/schema", "other.json#/a", "/etc/passwd"}) {
    CHECK(JsonSchema::Parse({{"$ref", elsewhere}}).status().code() == absl::StatusCode::kUnimplemented);
  }
  CHECK(JsonSchema::Parse({{"description", std::string(300 << 10, 'x')}}).status().code() ==
        absl::StatusCode::kResourceExhausted);
}

TEST_CASE("work is bounded") {
  // Each level asks twice: 2^20 judgements.
  json doubling = {{"$defs", json::object()}, {"$ref", "#/$defs/d0"}};
  for (int i = 0; i < 20; ++i) {
    const json next = {{"$ref", "#/$defs/d" + std::to_string(i + 1)}};
    doubling["$defs"]["d" + std::to_string(i)] = {{"allOf", {next, next}}};
  }
  doubling["$defs"]["d20"] = true;
  CHECK(JsonSchema::Parse(doubling)->Validate(1).code() == absl::StatusCode::kResourceExhausted);
  // In a circle.
  const json circle = {{"$defs", {{"a", {{"allOf", {{{"$ref", "#/$defs/a"}}}}}}}}, {"$ref", "#/$defs/a"}};
  CHECK(JsonSchema::Parse(circle)->Validate(1).code() == absl::StatusCode::kResourceExhausted);
  // A pattern that backtracks without end.
  const auto pattern = JsonSchema::Parse({{"pattern", "^(a+)+$"}});
  CHECK(pattern->Validate(std::string(100, 'a') + "b").code() == absl::StatusCode::kResourceExhausted);
  json deep = true;
  for (int i = 0; i < 100; ++i) deep = {{"not", deep}};
  CHECK(JsonSchema::Parse(deep).status().code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("messages name the place") {
  const auto says = [](const char* schema, const char* value) {
    return std::string(JsonSchema::Parse(ParseJson(schema).value())->Validate(ParseJson(value).value()).message());
  };
  CHECK(says(R"({"required": ["time"]})", "{}") == "'time' is missing");
  CHECK(says(R"({"properties": {"n": {"type": "integer"}}})", R"({"n": "x"})") == "'n' is not an integer");
  CHECK(says(R"({"properties": {"a": {"items": {"type": "string"}}}})", R"({"a": ["x", 1]})") ==
        "'a[1]' is not a string");
  CHECK(says(R"({"properties": {"a": {"properties": {"b": {"maximum": 3}}}}})", R"({"a": {"b": 4}})") ==
        "'a.b' is above 3");
  CHECK(says(R"({"properties": {"u": {"enum": ["C", "F"]}}})", R"({"u": "K"})") == "'u' is none of [\"C\",\"F\"]");
  CHECK(says(R"({"additionalProperties": false})", R"({"x": 1})") == "'x' is not among the arguments");
}

}  // namespace
}  // namespace toolformer::json_schema_test
