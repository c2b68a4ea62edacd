// Whatever a tool does, the caller gets a result or an error in time.
#include "toolformer/tool_executor.h"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
namespace toolformer::tool_executor_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Tool Named(const std::string& name, ToolFunction call) {
  Tool tool;
  tool.name = name;
  tool.instruction = "Calls help.";
  tool.call = std::move(call);
  return tool;
}

TEST_CASE("results are neutralized, errors and exceptions are tool errors") {
  ToolRegistry registry;
  REQUIRE(registry
              .Register(Named("Echo",
                              [](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
                                return std::string(input) + "]";
                              }))
              .ok());
  REQUIRE(registry
              .Register(Named("Throw",
                              [](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
                                throw std::runtime_error("%s%n broke");
                              }))
              .ok());
  REQUIRE(registry
              .Register(Named("ThrowOdd",
                              [](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> { throw 7; }))
              .ok());
  ToolExecutor executor(registry);
  CHECK(executor.Execute({"Echo", "a -> b"}, {}).value() == "a => b)");
  CHECK(absl::IsInternal(executor.Execute({"Throw", ""}, {}).status()));
  CHECK(std::string(executor.Execute({"Throw", ""}, {}).status().message()).find("%s%n broke") != std::string::npos);
  CHECK(absl::IsInternal(executor.Execute({"ThrowOdd", ""}, {}).status()));
  const absl::Status unknown = executor.Execute({"echo", ""}, {}).status();
  CHECK(absl::IsNotFound(unknown));
  CHECK(std::string(unknown.message()).find("Echo, Throw") != std::string::npos);
}

TEST_CASE("equal calls run once, on the same date") {
  auto runs = std::make_shared<std::atomic<int>>(0);
  ToolRegistry registry;
  REQUIRE(registry
              .Register(Named("Count",
                              [runs](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
                                return std::to_string(++*runs);
                              }))
              .ok());
  Tool changing = Named("Changing", [runs](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    return std::to_string(++*runs);
  });
  changing.cacheable = false;
  REQUIRE(registry.Register(changing).ok());
  ToolExecutor executor(registry);
  CHECK(executor.Execute({"Count", "x"}, {}).value() == "1");
  CHECK(executor.Execute({"Count", "x"}, {}).value() == "1");
  CHECK(executor.Execute({"Count", "y"}, {}).value() == "2");
  CHECK(executor.Execute({"Count", "x"}, {Date{2023, 1, 30}, {}}).value() == "3");
  CHECK(executor.Execute({"Changing", "x"}, {}).value() == "4");
  CHECK(executor.Execute({"Changing", "x"}, {}).value() == "5");
}

TEST_CASE("equal requests of a batch run once, whatever is cached, unless the answers change") {
  auto runs = std::make_shared<std::atomic<int>>(0);
  ToolRegistry registry;
  const auto count = [runs](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
    if (input == "bad") return absl::InvalidArgumentError(std::to_string(++*runs));
    return std::to_string(++*runs);
  };
  REQUIRE(registry.Register(Named("Count", count)).ok());
  Tool changing = Named("Changing", count);
  changing.cacheable = false;
  REQUIRE(registry.Register(changing).ok());
  ToolExecutorOptions options;
  options.max_cached_results = 0;
  ToolExecutor executor(registry, options);
  const Date day{2023, 1, 30};
  const std::vector<ToolRequest> requests = {{{"Count", "x"}, {}},    {{"Count", "y"}, {}},   {{"Count", "x"}, {}},
                                             {{"Count", "x"}, day},   {{"Count", "x"}, day},  {{"Changing", "x"}, {}},
                                             {{"Changing", "x"}, {}}, {{"Count", "bad"}, {}}, {{"Count", "bad"}, {}},
                                             {{"None", "x"}, {}}};
  const auto results = executor.ExecuteAll(requests, {});
  REQUIRE(results.ok());
  REQUIRE(results->size() == requests.size());
  const auto said = [&](size_t i) {
    const absl::StatusOr<std::string>& result = (*results)[i];
    return result.ok() ? *result : "!" + std::string(result.status().message());
  };
  CHECK(said(0) == said(2));
  CHECK(said(0) != said(1));
  CHECK(said(3) == said(4));
  CHECK(said(3) != said(0));
  CHECK(said(5) != said(6));
  CHECK(said(7).starts_with("!"));
  CHECK(said(7) == said(8));
  CHECK(absl::IsNotFound((*results)[9].status()));
  CHECK(*runs == 6);
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(executor.ExecuteAll(requests, {&cancel}).status()));
  CHECK(*runs == 6);
}

TEST_CASE("a tool that hangs is left behind at its deadline, and only so many are") {
  auto release = std::make_shared<std::atomic<bool>>(false);
  auto running = std::make_shared<std::atomic<int>>(0);
  ToolRegistry registry;
  REQUIRE(registry
              .Register(Named("Hang",
                              [=](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
                                ++*running;
                                while (!*release) std::this_thread::sleep_for(milliseconds(1));
                                --*running;
                                return "late";
                              }))
              .ok());
  ToolExecutorOptions options;
  options.deadline = milliseconds(30);
  options.max_abandoned = 2;
  ToolExecutor executor(registry, options);
  const absl::Status late = executor.Execute({"Hang", "1"}, {}).status();
  CHECK(absl::IsDeadlineExceeded(late));
  CHECK(late.message().find("30 ms") != std::string::npos);
  CHECK(absl::IsDeadlineExceeded(executor.Execute({"Hang", "2"}, {}).status()));
  CHECK(absl::IsResourceExhausted(executor.Execute({"Hang", "3"}, {}).status()));
  CHECK(*running == 2);
  *release = true;
  while (*running > 0) std::this_thread::sleep_for(milliseconds(1));
  // The threads count down after the tool has returned.
  const auto give_up = steady_clock::now() + std::chrono::seconds(30);
  absl::StatusOr<std::string> result = absl::UnknownError("");
  for (int i = 4; !result.ok() && steady_clock::now() < give_up; ++i) {
    result = executor.Execute({"Hang", std::to_string(i)}, {});
  }
  CHECK(result.ok());
}

TEST_CASE("a tool's own deadline goes before the executor's") {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  ToolRegistry registry;
  const auto wait = [=](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    while (!*release) std::this_thread::sleep_for(milliseconds(1));
    return "late";
  };
  Tool impatient = Named("Impatient", wait);
  impatient.deadline = milliseconds(20);
  REQUIRE(registry.Register(impatient).ok());
  ToolExecutor executor(registry);
  const absl::Status late = executor.Execute({"Impatient", ""}, {}).status();
  CHECK(absl::IsDeadlineExceeded(late));
  CHECK(late.message().find("20 ms") != std::string::npos);
  *release = true;
}

TEST_CASE("cancelling ends the wait, tells the tool, and is not remembered as its answer") {
  auto seen = std::make_shared<std::atomic<bool>>(false);
  ToolRegistry registry;
  REQUIRE(registry
              .Register(Named("Wait",
                              [=](std::string_view, const ToolContext& context) -> absl::StatusOr<std::string> {
                                for (int i = 0; i < 30000 && context.interrupt.Check().ok(); ++i)
                                  std::this_thread::sleep_for(milliseconds(1));
                                *seen = true;
                                return context.interrupt.Check().ok() ? absl::StatusOr<std::string>("done")
                                                                      : context.interrupt.Check();
                              }))
              .ok());
  ToolExecutor executor(registry);
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(milliseconds(50));
    cancel.Cancel();
  });
  CHECK(absl::IsCancelled(executor.Execute({"Wait", ""}, {std::nullopt, {&cancel}}).status()));
  canceller.join();
  const auto give_up = steady_clock::now() + std::chrono::seconds(30);
  while (!*seen && steady_clock::now() < give_up) std::this_thread::sleep_for(milliseconds(1));
  CHECK(*seen);
}

TEST_CASE("many threads may use one executor") {
  ToolRegistry registry;
  REQUIRE(registry.Register(MakeCalculator()).ok());
  ToolExecutor executor(registry);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const auto result = executor.Execute({"Calculator", std::to_string(i) + " + 1"}, {});
        right += result.ok() && *result == std::to_string(i + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 800);
}

}  // namespace
}  // namespace toolformer::tool_executor_test
