// How many calls run at a time, and in which order their results come.
#include <algorithm>
#include <mutex>
#include <set>

#include "tests/execute/faulty.h"

namespace toolformer::concurrency_test {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

// Counts how many calls are inside it.
struct Gauge {
  std::atomic<int> inside{0}, most{0}, runs{0};
  void Enter() {
    ++runs;
    const int now = ++inside;
    int seen = most;
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
  }
  void Leave() { --inside; }
};

Tool Waiting(const std::string& name, const std::shared_ptr<Gauge>& gauge, std::shared_ptr<Gauge> all = nullptr) {
  return Named(name, [=](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
    gauge->Enter();
    if (all != nullptr) all->Enter();
    // Later calls return sooner: results in the order of their arrival would be in the wrong one.
    std::this_thread::sleep_for(milliseconds(input.size() % 3 == 0 ? 6 : 2));
    if (all != nullptr) all->Leave();
    gauge->Leave();
    return name + std::string(input);
  });
}

std::vector<ToolRequest> Requests(const std::vector<std::string>& tools, int count) {
  std::vector<ToolRequest> requests;
  for (int i = 0; i < count; ++i) requests.push_back({{tools[i % tools.size()], std::string(i, 'x')}, {}});
  return requests;
}

TEST_CASE("calls of a batch run several at a time, and their results come in their order") {
  for (const int limit : {0, 1, 3, 8}) {
    CAPTURE(limit);
    const auto gauge = std::make_shared<Gauge>();
    Tool tool = Waiting("Wait", gauge);
    tool.max_concurrent_calls = limit;
    const ToolRegistry registry = RegistryOf({tool});
    ToolExecutorOptions options;
    options.max_concurrent_calls = 16;
    ToolExecutor executor(registry, options);
    const std::vector<ToolRequest> requests = Requests({"Wait"}, 60);
    const auto results = executor.ExecuteAll(requests, {});
    REQUIRE(results.ok());
    for (size_t i = 0; i < requests.size(); ++i) CHECK((*results)[i].value() == "Wait" + requests[i].call.input);
    CHECK(gauge->runs == 60);
    const int most = limit == 0 ? 16 : limit;
    CHECK(gauge->most <= most);
    CHECK(gauge->most >= std::min(most, 2));
    CheckAddsUp(StatisticsOf(executor, "Wait"));
  }
}

TEST_CASE("the limit over all tools holds for all callers together, and no tool takes all places") {
  const auto all = std::make_shared<Gauge>(), a = std::make_shared<Gauge>(), b = std::make_shared<Gauge>();
  const ToolRegistry registry = RegistryOf({Waiting("A", a, all), Waiting("B", b, all)});
  ToolExecutorOptions options;
  options.max_concurrent_calls = 4;
  ToolExecutor executor(registry, options);
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&, t] {
      std::vector<ToolRequest> requests = Requests({"A", "B"}, 20);
      for (ToolRequest& request : requests) request.call.input += std::to_string(t);
      const auto results = executor.ExecuteAll(requests, {});
      for (size_t i = 0; i < requests.size(); ++i) {
        right += results.ok() && (*results)[i].ok() && *(*results)[i] == requests[i].call.tool + requests[i].call.input;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(right == 60);
  CHECK(all->most <= 4);
  CHECK(a->most >= 1);
  CHECK(b->most >= 1);
}

TEST_CASE("calls under way leave their thread free") {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const ToolRegistry registry =
      RegistryOf({Named("Slow",
                        [=](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
                          while (!*release) std::this_thread::sleep_for(milliseconds(1));
                          return std::string(input);
                        }),
                  MakeCalculator()});
  ToolExecutor executor(registry);
  PendingCalls calls(executor, {});
  CHECK(calls.Take(PendingCalls::Wait::kForOne).empty());
  calls.Add(7, {{"Slow", "a"}, {}});
  CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
  calls.Add(8, {{"Calculator", "6 * 7"}, {}});
  calls.Add(9, {{"Nobody", ""}, {}});
  CHECK(calls.size() == 3);
  std::vector<PendingCalls::Ended> ended = calls.Take(PendingCalls::Wait::kForOne);
  REQUIRE(ended.size() == 2);
  CHECK(ended[0].id == 8);
  CHECK(ended[0].result.value() == "42");
  CHECK(ended[1].id == 9);
  CHECK(absl::IsNotFound(ended[1].result.status()));
  CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
  *release = true;
  ended = calls.Take(PendingCalls::Wait::kForOne);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].id == 7);
  CHECK(ended[0].result.value() == "a");
  CHECK(calls.size() == 0);
}

TEST_CASE("calls that are let go of are told, and their places are free again") {
  const auto told = std::make_shared<std::atomic<int>>(0);
  Tool tool = Named("Wait", [=](std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
    if (input == "short") return "done";
    while (context.interrupt.Check().ok()) std::this_thread::sleep_for(milliseconds(1));
    ++*told;
    return context.interrupt.Check();
  });
  tool.max_concurrent_calls = 2;
  const ToolRegistry registry = RegistryOf({tool});
  ToolExecutor executor(registry);
  {
    PendingCalls calls(executor, {});
    for (int i = 0; i < 5; ++i) calls.Add(i, {{"Wait", std::to_string(i)}, {}});
  }
  CHECK(executor.Execute({"Wait", "short"}, {}).value() == "done");
  CHECK(Becomes([&] { return *told == 2; }));
  const ToolStatistics statistics = StatisticsOf(executor, "Wait");
  CheckAddsUp(statistics);
  CHECK(statistics.requests == 6);
  CHECK(statistics.errors.at(absl::StatusCode::kCancelled) == 5);
  CHECK(statistics.abandoned == 2);
  CHECK(statistics.refused == 3);
}

TEST_CASE("cancelling a batch ends it in time, whatever its tools do") {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const ToolRegistry registry = RegistryOf({Named("Deaf", [=](std::string_view, const ToolContext&) {
    while (!*release) std::this_thread::sleep_for(milliseconds(1));
    return std::string("late");
  })});
  ToolExecutor executor(registry);
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(milliseconds(30));
    cancel.Cancel();
  });
  const auto began = steady_clock::now();
  CHECK(absl::IsCancelled(executor.ExecuteAll(Requests({"Deaf"}, 100), {&cancel}).status()));
  CHECK(steady_clock::now() - began < std::chrono::seconds(10));
  canceller.join();
  *release = true;
  const ToolStatistics statistics = StatisticsOf(executor, "Deaf");
  CheckAddsUp(statistics);
  CHECK(statistics.requests == 100);
}

TEST_CASE("tools may call tools: nobody starves, and there is a bottom") {
  ToolExecutor* executor = nullptr;
  std::atomic<int> deepest{0};
  // Asks for itself, one less deep, as often as its input says.
  const auto call_on = [&](std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
    const int depth = std::stoi(std::string(input));
    int seen = deepest;
    while (depth > seen && !deepest.compare_exchange_weak(seen, depth)) {
    }
    absl::StatusOr<std::string> inner = executor->Execute({"Nest", std::to_string(depth + 1)}, context);
    if (!inner.ok()) return "bottom at " + std::to_string(depth) + ": " + std::string(inner.status().message());
    return inner;
  };
  for (const bool at_once : {false, true}) {
    CAPTURE(at_once);
    deepest = 0;
    Tool nest = Named("Nest", call_on);
    nest.returns_at_once = at_once;
    nest.max_concurrent_calls = 1;
    const ToolRegistry registry = RegistryOf({nest});
    ToolExecutorOptions options;
    options.max_concurrent_calls = 1;
    ToolExecutor own(registry, options);
    executor = &own;
    const auto result = own.Execute({"Nest", "1"}, {});
    REQUIRE(result.ok());
    CHECK(result->find("more than 8 deep") != std::string::npos);
    CHECK(deepest == 8);
    CheckAddsUp(StatisticsOf(own, "Nest"));
  }
}

TEST_CASE("a great many results pass through one batch") {
  const ToolRegistry registry = RegistryOf({Named("Big", [](std::string_view input, const ToolContext&) {
    return std::string(input == "ten" ? size_t{10} << 20 : 10, 'y');
  })});
  ToolExecutor executor(registry);
  std::vector<ToolRequest> requests = {{{"Big", "ten"}, {}}};
  for (int i = 0; i < 3000; ++i) requests.push_back({{"Big", std::to_string(i % 1500)}, {}});
  const auto results = executor.ExecuteAll(requests, {});
  REQUIRE(results.ok());
  CHECK((*results)[0].value().size() == 50000);
  CHECK((*results)[0].value().ends_with("..."));
  for (size_t i = 1; i < requests.size(); ++i) REQUIRE((*results)[i].value() == "yyyyyyyyyy");
  const ToolStatistics statistics = StatisticsOf(executor, "Big");
  CheckAddsUp(statistics);
  CHECK(statistics.called == 1501);
  CHECK(statistics.shared == 1500);
}

}  // namespace
}  // namespace toolformer::concurrency_test
