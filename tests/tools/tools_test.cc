// The tools that ship: what they tell a model and what they answer.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "src/tools/prompt.h"
#include "toolformer/call_syntax.h"
#include "toolformer/tool.h"

namespace toolformer::tools_test {
namespace {

const Date kMonday{2023, 1, 30};

std::vector<Tool> ShippedTools() { return {MakeCalculator(), MakeCalendar(FixedClock(kMonday))}; }

Document TextDocument(std::string text) {
  Document document;
  document.text = std::move(text);
  return document;
}

TEST_CASE("Shipped tools: parameters of the paper") {
  const Tool calculator = MakeCalculator();
  CHECK(calculator.name == "Calculator");
  CHECK(calculator.parameters.tau_s == 0.0);
  CHECK(calculator.parameters.k == 20);
  CHECK(calculator.parameters.m == 10);
  CHECK(calculator.parameters.tau_f == 0.5);
  CHECK(calculator.takes_input);
  const Tool calendar = MakeCalendar(FixedClock(kMonday));
  CHECK(calendar.name == "Calendar");
  CHECK(calendar.parameters.tau_s == 0.05);
  CHECK(calendar.parameters.k == 5);
  CHECK(calendar.parameters.m == 5);
  CHECK(calendar.parameters.tau_f == 1.0);
  CHECK_FALSE(calendar.takes_input);
}

TEST_CASE("Shipped tools: examples are their inputs with true calls") {
  for (const Tool& tool : ShippedTools()) {
    CAPTURE(tool.name);
    CHECK(tool.examples.size() >= 5);
    CHECK(tool.instruction.ends_with('.'));
    for (const ToolExample& example : tool.examples) {
      CAPTURE(example.output);
      CHECK(RemoveCalls(example.output, tool.name) == example.input);
      const std::vector<CallSpan> calls = FindCalls(example.output);
      REQUIRE(calls.size() == 1);
      CHECK(calls[0].call.tool == tool.name);
      REQUIRE(calls[0].result.has_value());
      CHECK(calls[0].call.input.find_first_not_of(tool.input_characters) == std::string::npos);
      if (tool.takes_input) {
        const absl::StatusOr<std::string> value = tool.call(calls[0].call.input, {});
        REQUIRE(value.ok());
        CHECK(*value == *calls[0].result);
        // The call stands right before the number that it gives.
        std::string_view rest = std::string_view(example.output).substr(calls[0].end);
        rest.remove_prefix(rest.starts_with(" $") ? 2 : 1);
        CHECK(rest.starts_with(*value));
      }
    }
  }
}

TEST_CASE("Calendar: the dates of the examples are true") {
  const std::vector<Date> days = {{2019, 3, 4},   {2017, 6, 15}, {2015, 9, 12},
                                  {2021, 12, 22}, {2022, 5, 20}, {2020, 1, 14}};
  const Tool calendar = MakeCalendar(FixedClock(kMonday));
  REQUIRE(calendar.examples.size() == days.size());
  for (size_t i = 0; i < days.size(); ++i) {
    ToolContext context;
    context.document_date = days[i];
    CHECK(FindCalls(calendar.examples[i].output).at(0).result == *calendar.call("", context));
  }
}

TEST_CASE("Calendar: the document's date, else the clock's") {
  const Tool calendar = MakeCalendar(FixedClock(kMonday));
  CHECK(*calendar.call("", {}) == "Today is Monday, January 30, 2023.");
  CHECK(*calendar.call(" \t", {}) == "Today is Monday, January 30, 2023.");
  ToolContext context;
  context.document_date = Date{2024, 2, 29};
  CHECK(*calendar.call("", context) == "Today is Thursday, February 29, 2024.");
  context.document_date = Date{2023, 2, 29};
  CHECK(calendar.call("", context).status().code() == absl::StatusCode::kInvalidArgument);
  for (const char* input : {"tomorrow", "2023-01-30", "\n", "()"}) {
    CHECK(calendar.call(input, {}).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(MakeCalendar(nullptr).call("", {})->starts_with("Today is "));  // the system's clock
}

TEST_CASE("Calendar: the clock is read at each call") {
  class Ticking : public Clock {
   public:
    Date Today() const override { return {2023, 1, ++day_}; }

   private:
    mutable int day_ = 0;
  };
  const Tool calendar = MakeCalendar(std::make_shared<Ticking>());
  CHECK(*calendar.call("", {}) == "Today is Sunday, January 1, 2023.");
  CHECK(*calendar.call("", {}) == "Today is Monday, January 2, 2023.");
}

TEST_CASE("Calendar: accepts documents with a date") {
  const Tool calendar = MakeCalendar(FixedClock(kMonday));
  Document document = TextDocument("It is Monday.");
  CHECK_FALSE(calendar.accepts(document, 0));
  document.date = kMonday;
  CHECK(calendar.accepts(document, 0));
}

TEST_CASE("Shipped prompts hold the calls and no result") {
  for (const Tool& tool : ShippedTools()) {
    const std::string head = SamplingPromptHead(tool);
    CHECK(head.find("->") == std::string::npos);
    CHECK(head.ends_with("\nInput: "));
    CHECK(FindCalls(head).size() >= tool.examples.size());
  }
  CHECK(SamplingPromptHead(MakeCalculator()).find("[Calculator(18 * 26)] 468 guests") != std::string::npos);
  CHECK(InContextExamples(MakeCalculator()).find("[Calculator(18 * 26) -> 468] 468 guests") != std::string::npos);
}

}  // namespace
}  // namespace toolformer::tools_test
