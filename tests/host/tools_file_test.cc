#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "src/host/tool_kind.h"
#include "tests/host/mcp_fixture.h"
#include "toolformer/tool_registry.h"

namespace toolformer::tools_file_test {
namespace {

absl::Status Load(const std::string& text, ToolRegistry* registry, const std::string& folder = "",
                  const ToolsFileOptions& options = {}) {
  const std::span<const ToolKind> kinds = HostKinds();
  return LoadToolsOfKinds(text, {kinds.begin(), kinds.end()}, {options, folder}, registry);
}

std::string Says(const std::string& text) {
  ToolRegistry registry;
  return std::string(Load(text, &registry).message());
}

// What is wrong with a file of one tool.
std::string SaysOf(const std::string& fields) { return Says("{\"tools\": [{" + fields + "}]}"); }

std::string Call(const ToolRegistry& registry, const std::string& name, std::string_view input,
                 const ToolContext& context = {}) {
  const auto tool = registry.Find(name);
  REQUIRE(tool != nullptr);
  const auto result = tool->call(input, context);
  return result.ok() ? *result : result.status().ToString();
}

Document Text(std::string text) {
  Document document;
  document.text = std::move(text);
  return document;
}

TEST_CASE("built-in tools, with other names and parameters") {
  ToolRegistry registry;
  const absl::Status loaded = Load(R"({"tools": [
      {"kind": "calculator", "name": "Sum", "parameters": {"tau_s": 0.1, "k": 3, "m": 2, "tau_f": 0.25}, "version": "v2",
       "max_concurrent_calls": 3, "max_retries": 1, "deadline_ms": 1500, "cacheable": false},
      {"kind": "calendar", "today": "2023-01-30", "documents": {"keywords": ["Today"], "pattern": "\\bnow\\b"}}]})",
                                   &registry);
  REQUIRE_MESSAGE(loaded.ok(), loaded.ToString());
  const auto sum = registry.Find("Sum");
  REQUIRE(sum != nullptr);
  CHECK(Call(registry, "Sum", "2+3") == "5");
  CHECK(sum->instruction.find("[Sum(") != std::string::npos);
  CHECK(sum->examples[0].output.find("[Sum(") != std::string::npos);
  CHECK(sum->parameters.k == 3);
  CHECK(sum->parameters.m == 2);
  CHECK(sum->parameters.tau_s == 0.1);
  CHECK(sum->parameters.tau_f == 0.25);
  CHECK(sum->version == "v2");
  CHECK(sum->max_concurrent_calls == 3);
  CHECK(sum->max_retries == 1);
  CHECK(sum->deadline == std::chrono::milliseconds(1500));
  CHECK_FALSE(sum->cacheable);
  CHECK(sum->free_of_side_effects);
  for (const WorkedOutCall& each : sum->propose(Text("The hall has 31 rows of 46 seats, so it seats 1426 people."))) {
    CHECK(each.call.tool == "Sum");
  }
  CHECK(Call(registry, "Calendar", "") == "Today is Monday, January 30, 2023.");
  const auto calendar = registry.Find("Calendar");
  CHECK(calendar->accepts(Text("what is TODAY?"), 0));
  CHECK(calendar->accepts(Text("and now?"), 0));
  CHECK_FALSE(calendar->accepts(Text("known"), 0));
  CHECK_FALSE(calendar->accepts(Text(""), 0));
}

TEST_CASE("documents: a share of the others, and a pattern that gives up") {
  ToolRegistry registry;
  REQUIRE(Load(R"({"tools": [{"kind": "calculator", "documents": {"pattern": "^(a+)+$", "share_of_others": 0.25}}]})",
               &registry)
              .ok());
  const auto tool = registry.Find("Calculator");
  int accepted = 0;
  for (int i = 0; i < 2000; ++i) accepted += tool->accepts(Text("text " + std::to_string(i)), 7) ? 1 : 0;
  CHECK(accepted > 400);
  CHECK(accepted < 600);
  CHECK(tool->accepts(Text("aaa"), 7));
  (void)tool->accepts(Text(std::string(10000, 'a') + "b"), 7);
}

TEST_CASE("programs and HTTP services") {
  testing::TemporaryFolder folder;
  std::ofstream(folder.file("tool.sh")) << "#!/bin/sh\nread line\necho \"$PWD|$GREETING|$HIDDEN|$PASSED|$line\"\n";
  CHECK(std::system(("chmod +x '" + folder.file("tool.sh") + "'").c_str()) == 0);
  setenv("HIDDEN", "hidden", 1);
  setenv("PASSED", "passed", 1);
  ToolRegistry registry;
  const absl::Status loaded = Load(R"({"tools": [
      {"kind": "program", "name": "Say", "description": "Says things.", "command": ["./tool.sh"],
       "environment": {"GREETING": {"environment": "PASSED"}, "PASSED": null, "NOT_THERE": null}},
      {"kind": "program", "name": "Upper", "command": ["tr", "a-z", "A-Z"], "instruction": "Mine.",
       "examples": [{"input": "a b", "output": "a [Upper(x) -> X] b"}], "free_of_side_effects": true},
      {"kind": "program", "name": "Typed", "command": ["echo", "{input}"], "input": "argument",
       "arguments": {"properties": {"n": {"type": "integer"}}, "required": ["n"]}},
      {"kind": "http", "name": "Web", "url": "http://127.0.0.1:1/{input}", "allowed_networks": ["127.0.0.1"]},
      {"kind": "http", "name": "Post", "url": "http://127.0.0.1:1/", "method": "POST", "body": {"q": "{input}"}}]})",
                                   &registry, folder.path());
  REQUIRE_MESSAGE(loaded.ok(), loaded.ToString());
  CHECK(Call(registry, "Say", "x") == folder.path() + "|passed||passed|x\n");
  CHECK(registry.Find("Say")->instruction.find("What it is for: Says things.") != std::string::npos);
  CHECK(registry.Find("Say")->instruction.find("[Say(input)]") != std::string::npos);
  CHECK(registry.Find("Say")->examples.size() == 2);
  CHECK_FALSE(registry.Find("Say")->free_of_side_effects);
  CHECK(registry.Find("Upper")->free_of_side_effects);
  CHECK(registry.Find("Upper")->instruction == "Mine.");
  CHECK(Call(registry, "Upper", "abc") == "ABC\n");
  CHECK(Call(registry, "Typed", "n=4") == "{\"n\":4}\n");
  CHECK(Call(registry, "Typed", "four").find("'n' is not an integer") != std::string::npos);
  CHECK(Call(registry, "Web", "x").find("UNAVAILABLE") == 0);
  CHECK(Call(registry, "Post", "x").find("PERMISSION_DENIED") == 0);
  unsetenv("HIDDEN");
  unsetenv("PASSED");
}

TEST_CASE("servers of the Model Context Protocol") {
  const std::string stand_in =
      R"("kind": "mcp_stdio", "command": ["python3", "-IS", ")" + testing::HostTest("mcp_stand_in.py") + "\"]";
  ToolRegistry registry;
  const absl::Status loaded =
      Load("{\"tools\": [{" + stand_in + R"(, "only": ["echo", "add"], "max_retries": 2, "name_prefix": "s_",
      "tools": {"add": {"name": "Plus", "instruction": "Adds.", "free_of_side_effects": true, "parameters": {"k": 1}}}}]})",
           &registry);
  REQUIRE_MESSAGE(loaded.ok(), loaded.ToString());
  CHECK(registry.Names() == "s_echo, Plus");
  CHECK(Call(registry, "s_echo", "hello") == "hello");
  CHECK(Call(registry, "Plus", "a=1, b=2") == "3");
  CHECK(registry.Find("Plus")->instruction == "Adds.");
  CHECK(registry.Find("Plus")->examples.at(0).output.find("[Plus(a=") != std::string::npos);
  CHECK(registry.Find("Plus")->parameters.k == 1);
  CHECK(registry.Find("Plus")->free_of_side_effects);
  CHECK(registry.Find("s_echo")->max_retries == 2);
  CHECK_FALSE(registry.Find("s_echo")->cacheable);

  CHECK(SaysOf(stand_in + R"(, "only": ["none"])")
            .find("tools[0] (mcp_stdio): field 'only': the server has no tool 'none'; there are: echo, ") == 0);
  CHECK(SaysOf(stand_in + R"(, "tools": {"none": {}})").find("field 'tools': the server has no tool 'none'") !=
        std::string::npos);
  CHECK(SaysOf(stand_in + R"(, "tools": {"echo": {"nme": "x"}})").find("field 'tools.echo.nme' is unknown") !=
        std::string::npos);
  CHECK(SaysOf(stand_in + R"(, "name": "x")").find("the server has several") != std::string::npos);
  CHECK(SaysOf(R"x("kind": "mcp_stdio", "command": ["python3", "-c", "import sys; sys.exit('no key')"])x")
            .find("ended with status 1: no key") != std::string::npos);
  CHECK(SaysOf(R"("kind": "mcp_http", "url": "http://127.0.0.1:1/")").find("not of the public internet") !=
        std::string::npos);
}

TEST_CASE("errors name the tool and the field") {
  CHECK(Says("{\"tools\": [}").find("not valid JSON at byte 1") == 0);
  CHECK(Says("[]").find("not a tools file") == 0);
  CHECK(Says("{\"tools\": {}}").find("not a tools file") == 0);
  CHECK(Says("{\"tools\": [], \"more\": 1}") == "field 'more' is unknown; there are: tools");
  CHECK(Says(std::string(1000, '[')).find("nests deeper") != std::string::npos);
  CHECK(Says("{\"tools\": [3]}") == "tools[0]: the tool is not an object");
  CHECK(SaysOf("") == "tools[0]: field 'kind' is missing");
  CHECK(SaysOf(R"("kind": "calculater")") ==
        "tools[0] (calculater): field 'kind': 'calculater' is none; there are: calculator, calendar, http, mcp_http, "
        "mcp_stdio, program");
  CHECK(
      SaysOf(R"("kind": "calculator", "paramters": {})")
          .find(
              "tools[0] (calculator): field 'paramters' is unknown; there are: cacheable, deadline_ms, documents, ") ==
      0);
  CHECK(SaysOf(R"("kind": "calculator", "parameters": {"tau": 1})")
            .find("field 'parameters': field 'parameters.tau' is unknown") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "parameters": {"k": "many"})")
            .find("field 'parameters.k' is not a whole number") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "parameters": {"k": 0})").find("parameters.k is 0") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "name": "a b")").find("a name is [A-Za-z_]") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "name": 3)").find("field 'name' is not a string") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "max_retries": 1e3)").find("field 'max_retries' is not a whole number") !=
        std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "max_retries": 99999999999)").find("field 'max_retries' is out of range") !=
        std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "max_retries": -1)").find("max_retries") != std::string::npos);
  CHECK(
      SaysOf(R"("kind": "calculator", "deadline_ms": 0)").find("field 'deadline_ms' is not a number of milliseconds") !=
      std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "cacheable": 1)").find("field 'cacheable' is neither true nor false") !=
        std::string::npos);
  CHECK(
      SaysOf(R"("kind": "calculator", "documents": {})").find("field 'documents' has neither keywords nor a pattern") !=
      std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "documents": {"pattern": "("})")
            .find("field 'documents.pattern': not a pattern") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "examples": [{"input": "a"}])").find("field 'examples[0].output' is missing") !=
        std::string::npos);
  CHECK(SaysOf(R"("kind": "calculator", "examples": [{"input": "a", "output": "b"}])")
            .find("examples[0].output is not its input") != std::string::npos);
  CHECK(SaysOf(R"("kind": "calendar", "today": "2023-02-30")").find("field 'today' is not a day") != std::string::npos);
  CHECK(SaysOf(R"("kind": "program", "command": ["true"])") == "tools[0] (program): field 'name' is missing");
  CHECK(SaysOf(R"("kind": "program", "name": "P")").find("(program 'P'): field 'command' is missing") !=
        std::string::npos);
  CHECK(SaysOf(R"("kind": "program", "name": "P", "command": "ls -l")")
            .find("field 'command' is not a list of strings") != std::string::npos);
  CHECK(SaysOf(R"("kind": "program", "name": "P", "command": ["ls"], "input": "shell")")
            .find("field 'input' is none of") != std::string::npos);
  CHECK(SaysOf(R"("kind": "program", "name": "P", "command": ["ls"], "environment": {"A": 1})")
            .find("field 'environment.A' is none of") != std::string::npos);
  CHECK(
      SaysOf(
          R"("kind": "program", "name": "P", "command": ["ls"], "environment": {"A": {"environment": "NO_SUCH_VARIABLE"}})")
          .find("has no 'NO_SUCH_VARIABLE'") != std::string::npos);
  CHECK(SaysOf(R"("kind": "program", "name": "P", "command": ["ls"], "arguments": {"type": "text"})")
            .find("field 'arguments': schema/type is no type") != std::string::npos);
  CHECK(SaysOf(R"("kind": "http", "name": "H")").find("field 'url' is missing") != std::string::npos);
  CHECK(SaysOf(R"("kind": "http", "name": "H", "url": "ftp://x/"  )").find("url: scheme 'ftp' is refused") !=
        std::string::npos);
  CHECK(SaysOf(R"("kind": "http", "name": "H", "url": "http://x/{city}")").find("'{city}' is no place") !=
        std::string::npos);
  CHECK(SaysOf(R"("kind": "http", "name": "H", "url": "http://x/", "allowed_networks": ["lan"])")
            .find("allowed_networks: 'lan' is not an IPv4") != std::string::npos);
  CHECK(SaysOf(R"("kind": "program", "name": "P", "command": ["ls"], "input_pattern": "[")")
            .find("field 'input_pattern': not a pattern") != std::string::npos);
  CHECK(SaysOf(R"("kind": "mcp_http")").find("field 'url' is missing") != std::string::npos);
}

TEST_CASE("all tools of a file are added, or none") {
  ToolRegistry registry;
  REQUIRE(registry.Register(MakeCalculator()).ok());
  const absl::Status twice = Load(R"({"tools": [{"kind": "calendar"}, {"kind": "calculator"}]})", &registry);
  CHECK(twice.code() == absl::StatusCode::kAlreadyExists);
  CHECK(twice.message() == "tools[1] (calculator): tool 'Calculator' is already registered");
  CHECK(registry.Names() == "Calculator");
}

}  // namespace
}  // namespace toolformer::tools_file_test
