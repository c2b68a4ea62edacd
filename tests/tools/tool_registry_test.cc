#include "toolformer/tool_registry.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace toolformer::tool_registry_test {
namespace {

Tool Valid() {
  Tool tool;
  tool.name = "Echo";
  tool.instruction = "Add calls.";
  tool.examples = {{"a b", "a [Echo(x) -> 1] b"}};
  tool.call = [](std::string_view input, const ToolContext&) { return std::string(input); };
  return tool;
}

TEST_CASE("ToolRegistry: registered tools are found by their exact name") {
  ToolRegistry registry;
  CHECK(registry.Names().empty());
  REQUIRE(registry.Register(MakeCalculator()).ok());
  REQUIRE(registry.Register(MakeCalendar(FixedClock({2023, 1, 30}))).ok());
  REQUIRE(registry.Register(Valid()).ok());
  CHECK(registry.Names() == "Calculator, Calendar, Echo");
  CHECK(registry.tools().size() == 3);
  REQUIRE(registry.Find("Calendar") != nullptr);
  CHECK(registry.Find("Calendar")->name == "Calendar");
  CHECK(registry.Find("calendar") == nullptr);
  CHECK(registry.Find("Calendar ") == nullptr);
  CHECK(registry.Find("") == nullptr);
  CHECK(registry.Register(Valid()).code() == absl::StatusCode::kAlreadyExists);
  CHECK(registry.tools().size() == 3);
}

TEST_CASE("ToolRegistry: a tool outlives the registry where it is held") {
  std::shared_ptr<const Tool> held;
  {
    ToolRegistry registry;
    REQUIRE(registry.Register(Valid()).ok());
    held = registry.Find("Echo");
  }
  CHECK(*held->call("still here", {}) == "still here");
}

// Registers Valid() after `change`; the error names `field`.
template <typename Change>
void CheckRejected(const char* field, Change change) {
  Tool tool = Valid();
  change(&tool);
  ToolRegistry registry;
  const absl::Status status = registry.Register(std::move(tool));
  CAPTURE(field);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(status.message()).find(field) != std::string::npos);
  CHECK(std::string(status.message()).find('\n') == std::string::npos);
  CHECK(registry.tools().empty());
}

TEST_CASE("ToolRegistry: what is not a tool is refused") {
  for (const std::string& name : {std::string(""), std::string("1a"), std::string("a b"), std::string("a-b"),
                                  std::string("a()"), std::string("a("), std::string("caf\xc3\xa9"),
                                  std::string("a\0", 2), std::string("a\n"), std::string(65, 'a')}) {
    CheckRejected("name", [&](Tool* tool) { tool->name = name, tool->examples.clear(); });
  }
  CheckRejected("call", [](Tool* tool) { tool->call = nullptr; });
  const double nan = std::nan("");
  CheckRejected("tau_s", [](Tool* tool) { tool->parameters.tau_s = -0.1; });
  CheckRejected("tau_s", [](Tool* tool) { tool->parameters.tau_s = 1.1; });
  CheckRejected("tau_s", [&](Tool* tool) { tool->parameters.tau_s = nan; });
  CheckRejected("parameters.k", [](Tool* tool) { tool->parameters.k = 0; });
  CheckRejected("parameters.m", [](Tool* tool) { tool->parameters.m = 0; });
  CheckRejected("parameters.m", [](Tool* tool) { tool->parameters.m = int64_t{1} << 40; });
  CheckRejected("tau_f", [&](Tool* tool) { tool->parameters.tau_f = nan; });
  CheckRejected("tau_f", [](Tool* tool) { tool->parameters.tau_f = HUGE_VAL; });
  CheckRejected("version", [](Tool* tool) { tool->version = std::string(257, '1'); });
  CheckRejected("max_concurrent_calls", [](Tool* tool) { tool->max_concurrent_calls = -1; });
  CheckRejected("max_concurrent_calls", [](Tool* tool) { tool->max_concurrent_calls = 1001; });
  CheckRejected("max_retries", [](Tool* tool) { tool->max_retries = -1; });
  CheckRejected("max_retries", [](Tool* tool) { tool->max_retries = 101; });
  CheckRejected("deadline", [](Tool* tool) { tool->deadline = std::chrono::milliseconds(0); });
  CheckRejected("deadline", [](Tool* tool) { tool->deadline = std::chrono::milliseconds::max(); });
  CheckRejected("examples[0]", [](Tool* tool) { tool->examples[0].input = "a c"; });
  CheckRejected("examples[0]", [](Tool* tool) { tool->examples[0].output = "a b"; });
  CheckRejected("examples[0]", [](Tool* tool) { tool->examples[0].output = "a [Other(x) -> 1] b"; });
  CheckRejected("examples[1]", [](Tool* tool) { tool->examples.push_back({"a b", "a [Echo(x) -> 1 b"}); });
  CheckRejected("takes none", [](Tool* tool) { tool->takes_input = false; });
}

TEST_CASE("ToolRegistry: the edges of what is allowed") {
  ToolRegistry registry;
  Tool tool = Valid();
  tool.name = std::string(64, 'a');
  tool.examples.clear();
  tool.parameters = {.tau_s = 1, .k = INT64_MAX, .m = 1, .tau_f = -3};
  tool.version = std::string(256, '1');
  tool.max_concurrent_calls = 1000;
  tool.max_retries = 100;
  tool.deadline = std::chrono::hours(24 * 365);
  CHECK(registry.Register(tool).ok());
  tool.name = "_";
  tool.parameters.tau_s = 0;
  tool.max_concurrent_calls = 0;
  tool.deadline = std::chrono::milliseconds(1);
  CHECK(registry.Register(tool).ok());
}

}  // namespace
}  // namespace toolformer::tool_registry_test
