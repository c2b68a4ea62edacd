// Failures of the moment: tried again, or waited out.
#include "src/execute/circuit_breaker.h"
#include "tests/execute/faulty.h"

namespace toolformer::retry_test {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

// Fails as often as its input says, then answers.
struct Flaky {
  std::shared_ptr<std::atomic<int>> runs = std::make_shared<std::atomic<int>>(0);
  absl::StatusCode code = absl::StatusCode::kUnavailable;

  Tool Make(int max_retries) const {
    Tool tool = Named("Flaky", [*this](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
      const int run = ++*runs;
      if (run <= std::stoi(std::string(input))) return absl::Status(code, "not now");
      return "after " + std::to_string(run);
    });
    tool.max_retries = max_retries;
    return tool;
  }
};

ToolExecutorOptions Quick() {
  ToolExecutorOptions options;
  options.retry.first_rest = milliseconds(2);
  options.retry.longest_rest = milliseconds(5);
  return options;
}

TEST_CASE("a call that fails for the moment is tried again as often as its tool allows") {
  for (const auto code : {absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded}) {
    const Flaky flaky{.code = code};
    const ToolRegistry registry = RegistryOf({flaky.Make(3)});
    ToolExecutor executor(registry, Quick());
    CHECK(executor.Execute({"Flaky", "3"}, {}).value() == "after 4");
    *flaky.runs = 0;
    CHECK(executor.Execute({"Flaky", "4"}, {}).status().code() == code);
    CHECK(*flaky.runs == 4);
    const ToolStatistics statistics = StatisticsOf(executor, "Flaky");
    CheckAddsUp(statistics);
    CHECK(statistics.attempts == 8);
    CHECK(statistics.retries == 6);
    CHECK(statistics.answered == 1);
    // It is not remembered as the answer.
    *flaky.runs = 4;
    CHECK(executor.Execute({"Flaky", "4"}, {}).value() == "after 5");
  }
}

TEST_CASE("an answer that is an error is no reason to try again") {
  for (const auto code : {absl::StatusCode::kInvalidArgument, absl::StatusCode::kInternal,
                          absl::StatusCode::kResourceExhausted, absl::StatusCode::kCancelled}) {
    const Flaky flaky{.code = code};
    const ToolRegistry registry = RegistryOf({flaky.Make(3)});
    ToolExecutor executor(registry, Quick());
    CHECK(executor.Execute({"Flaky", "1"}, {}).status().code() == code);
    CHECK(*flaky.runs == 1);
  }
}

TEST_CASE("rests double up to the longest, differ by the seed, and hold up no other call") {
  MovableTime time;
  const Flaky flaky;
  const ToolRegistry registry =
      RegistryOf({flaky.Make(4), MakeCalculator(), Named("Other", [](auto, auto&) { return std::string("here"); })});
  ToolExecutorOptions options;
  options.now = time.Function();
  options.retry = {milliseconds(1000), milliseconds(3000), 7};
  options.breaker.failures = 0;
  options.max_concurrent_calls = 1;
  ToolExecutor executor(registry, options);
  PendingCalls calls(executor, {});
  calls.Add(1, {{"Flaky", "4"}, {}});
  int runs = 1;
  for (const int most : {1000, 2000, 3000, 3000}) {
    REQUIRE(Becomes([&] { return *flaky.runs == runs; }));
    calls.Add(2, {{"Other", std::to_string(runs)}, {}});
    std::vector<PendingCalls::Ended> ended = calls.Take(PendingCalls::Wait::kForOne);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].id == 2);
    // Not before half of the rest.
    time.Advance(milliseconds(most / 2 - 1));
    CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
    CHECK(*flaky.runs == runs);
    time.Advance(milliseconds(most / 2 + 1));
    CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
    ++runs;
  }
  const std::vector<PendingCalls::Ended> ended = calls.Take(PendingCalls::Wait::kForOne);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].result.value() == "after 5");
}

TEST_CASE("no rest goes beyond the caller's deadline, and cancelling ends it") {
  const Flaky flaky;
  const ToolRegistry registry = RegistryOf({flaky.Make(100)});
  ToolExecutorOptions options;
  options.retry = {std::chrono::hours(1), std::chrono::hours(1), 0};
  options.breaker.failures = 0;
  ToolExecutor executor(registry, options);
  const auto began = steady_clock::now();
  const Interrupt soon{nullptr, began + std::chrono::seconds(60)};
  CHECK(absl::IsUnavailable(executor.Execute({"Flaky", "100"}, {std::nullopt, soon}).status()));
  CHECK(*flaky.runs == 1);
  CancelToken cancel;
  std::thread canceller([&] {
    Becomes([&] { return *flaky.runs == 2; });
    cancel.Cancel();
  });
  CHECK(absl::IsCancelled(executor.Execute({"Flaky", "99"}, {std::nullopt, {&cancel}}).status()));
  canceller.join();
  CHECK(steady_clock::now() - began < std::chrono::seconds(30));
  CheckAddsUp(StatisticsOf(executor, "Flaky"));
}

TEST_CASE("a call that is late is tried again, too") {
  const auto runs = std::make_shared<std::atomic<int>>(0);
  Tool tool = Named("Late", [=](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    if (++*runs == 2) return "in time";
    while (*runs < 2) std::this_thread::sleep_for(milliseconds(1));
    return "too late";
  });
  tool.deadline = milliseconds(20);
  tool.max_retries = 1;
  const ToolRegistry registry = RegistryOf({tool});
  ToolExecutor executor(registry, Quick());
  CHECK(executor.Execute({"Late", ""}, {}).value() == "in time");
  const ToolStatistics statistics = StatisticsOf(executor, "Late");
  CHECK(statistics.abandoned == 1);
  CHECK(statistics.latency_p99_ms >= 20.0 * 0.9);
  CheckAddsUp(statistics);
}

// ---- The breaker alone: every step at a time that is given ----

using At = steady_clock::time_point;
const absl::Status kDead = absl::UnavailableError("dead");

TEST_CASE("a breaker opens after failures in a row, probes, and rests longer each time") {
  CircuitBreaker breaker({3, milliseconds(100), milliseconds(350)});
  const At t0{};
  const auto fail = [&](At at) { breaker.Record(breaker.Admit(at), kDead, at); };
  fail(t0);
  fail(t0);
  breaker.Record(breaker.Admit(t0), absl::InvalidArgumentError("an answer"), t0);
  fail(t0);
  fail(t0);
  CHECK(!breaker.open());
  fail(t0);
  CHECK(breaker.open());
  CHECK(breaker.opened() == 1);
  CHECK(!breaker.GivenUp(t0 + milliseconds(99)));
  At until = t0;
  int probes = 0;
  for (const int rest : {100, 200, 350, 350}) {
    until += milliseconds(rest);
    CHECK(!breaker.Admit(until - milliseconds(1)).admitted);
    CHECK(breaker.GivenUp(until - milliseconds(1)) == (++probes > 3));
    CHECK(!breaker.GivenUp(until));
    const CircuitBreaker::Admission probe = breaker.Admit(until);
    CHECK(probe.admitted);
    CHECK(probe.probe);
    CHECK(!breaker.Admit(until + std::chrono::hours(1)).admitted);  // one at a time
    breaker.Record(probe, kDead, until);
  }
  until += milliseconds(350);
  const CircuitBreaker::Admission forgotten = breaker.Admit(until);
  breaker.Forget(forgotten);
  const CircuitBreaker::Admission probe = breaker.Admit(until);
  CHECK(probe.admitted);
  breaker.Record(probe, absl::OkStatus(), until);
  CHECK(!breaker.open());
  CHECK(breaker.Admit(until).admitted);
  fail(until);
  fail(until);
  fail(until);
  CHECK(!breaker.Admit(until + milliseconds(99)).admitted);  // from the first rest again
  CHECK(breaker.Admit(until + milliseconds(100)).admitted);
  CHECK(breaker.opened() == 2);
}

TEST_CASE("calls that were under way say nothing of a breaker that has opened, but an answer closes it") {
  CircuitBreaker breaker({1, milliseconds(100), milliseconds(1000)});
  const At t0{};
  const auto a = breaker.Admit(t0), b = breaker.Admit(t0), c = breaker.Admit(t0);
  breaker.Record(a, kDead, t0);
  breaker.Record(b, kDead, t0 + milliseconds(90));
  CHECK(breaker.open());
  CHECK(!breaker.Admit(t0 + milliseconds(99)).admitted);
  breaker.Record(c, absl::OkStatus(), t0 + milliseconds(99));
  CHECK(breaker.Admit(t0 + milliseconds(99)).admitted);
  CHECK(!breaker.open());
}

TEST_CASE("a breaker of 0 failures never opens") {
  CircuitBreaker breaker({0, milliseconds(1), milliseconds(1)});
  for (int i = 0; i < 100; ++i) breaker.Record(breaker.Admit(At{}), kDead, At{});
  CHECK(breaker.Admit(At{}).admitted);
  CHECK(!breaker.open());
}

TEST_CASE("the calls of a dead tool fail in the end, others go on, and it is found when it is back") {
  MovableTime time;
  const auto alive = std::make_shared<std::atomic<bool>>(false);
  const auto runs = std::make_shared<std::atomic<int>>(0);
  const ToolRegistry registry =
      RegistryOf({Named("Dead",
                        [=](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
                          ++*runs;
                          if (!*alive) return absl::UnavailableError("connection refused");
                          return std::string(input);
                        }),
                  Named("Well", [&](std::string_view input, const ToolContext&) {
                    time.Advance(std::chrono::hours(1));
                    return std::string(input);
                  })});
  ToolExecutorOptions options;
  options.now = time.Function();
  options.breaker = {4, std::chrono::hours(1), std::chrono::hours(1000)};
  options.max_concurrent_calls = 1;
  ToolExecutor executor(registry, options);
  std::vector<ToolRequest> requests;
  for (int i = 0; i < 50; ++i) {
    requests.push_back({{"Dead", std::to_string(i)}, {}});
    requests.push_back({{"Well", std::to_string(i)}, {}});
  }
  const auto results = executor.ExecuteAll(requests, {});
  REQUIRE(results.ok());
  CHECK(*runs == 4 + 3);
  for (size_t i = 0; i < requests.size(); ++i) {
    CHECK((*results)[i].ok() == (requests[i].call.tool == "Well"));
    if (!(*results)[i].ok()) CHECK(absl::IsUnavailable((*results)[i].status()));
  }
  ToolStatistics statistics = StatisticsOf(executor, "Dead");
  CheckAddsUp(statistics);
  CHECK(statistics.breaker_refused == 43);
  CHECK(statistics.breaker_opened == 1);
  CHECK(statistics.breaker_open);
  // One is let through; the next fails at once, and so until the next rest, of 16 hours, is over.
  time.Advance(std::chrono::hours(8));
  CHECK(absl::IsUnavailable(executor.Execute({"Dead", "0"}, {}).status()));
  CHECK(*runs == 8);
  *alive = true;
  CHECK(absl::IsUnavailable(executor.Execute({"Dead", "0"}, {}).status()));
  CHECK(*runs == 8);
  time.Advance(std::chrono::hours(16));
  CHECK(executor.Execute({"Dead", "0"}, {}).value() == "0");
  CHECK(executor.Execute({"Dead", "1"}, {}).value() == "1");
  statistics = StatisticsOf(executor, "Dead");
  CHECK(!statistics.breaker_open);
  CheckAddsUp(statistics);
}

TEST_CASE("calls wait for a tool that is away for a moment, and no other tool's call waits for them") {
  MovableTime time;
  const auto alive = std::make_shared<std::atomic<bool>>(true);
  const auto runs = std::make_shared<std::atomic<int>>(0);
  const ToolRegistry registry =
      RegistryOf({Named("Away",
                        [=](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
                          ++*runs;
                          if (!*alive) return absl::UnavailableError("gone");
                          return std::string(input);
                        }),
                  Named("Well", [](std::string_view input, const ToolContext&) { return std::string(input); })});
  ToolExecutorOptions options;
  options.now = time.Function();
  options.breaker = {2, milliseconds(1000), milliseconds(8000)};
  ToolExecutor executor(registry, options);
  PendingCalls calls(executor, {});
  const auto take = [&](size_t count) {
    std::vector<PendingCalls::Ended> ended;
    while (ended.size() < count) {
      for (PendingCalls::Ended& each : calls.Take(PendingCalls::Wait::kForOne)) ended.push_back(std::move(each));
    }
    return ended;
  };
  *alive = false;
  for (int i = 0; i < 2; ++i) calls.Add(i, {{"Away", std::to_string(i)}, {}});
  for (const PendingCalls::Ended& ended : take(2)) CHECK(absl::IsUnavailable(ended.result.status()));
  // It is away: these wait, others do not.
  for (int i = 2; i < 30; ++i) calls.Add(i, {{"Away", std::to_string(i)}, {}});
  calls.Add(100, {{"Well", "x"}, {}});
  CHECK(take(1)[0].id == 100);
  CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
  CHECK(*runs == 2);
  // The first probe fails, the second finds it back.
  time.Advance(milliseconds(1000));
  CHECK(absl::IsUnavailable(take(1)[0].result.status()));
  CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
  CHECK(*runs == 3);
  *alive = true;
  time.Advance(milliseconds(2000));
  for (const PendingCalls::Ended& ended : take(27)) CHECK(ended.result.value() == std::to_string(ended.id));
  // Away for good: after the third that is let through, calls fail at once.
  *alive = false;
  for (int i = 30; i < 32; ++i) calls.Add(i, {{"Away", std::to_string(i)}, {}});
  take(2);
  for (int i = 32; i < 60; ++i) calls.Add(i, {{"Away", std::to_string(i)}, {}});
  for (const int rest : {1000, 2000}) {
    CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
    time.Advance(milliseconds(rest));
    take(1);
  }
  CHECK(calls.Take(PendingCalls::Wait::kNo).empty());
  time.Advance(milliseconds(4000));
  for (const PendingCalls::Ended& ended : take(26)) CHECK(absl::IsUnavailable(ended.result.status()));
  const ToolStatistics statistics = StatisticsOf(executor, "Away");
  CheckAddsUp(statistics);
  CHECK(statistics.breaker_refused == 25);
  CHECK(statistics.breaker_opened == 2);
}

TEST_CASE("what returns at once is never thought dead") {
  Tool tool = Named("Odd", [](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
    if (input != "42") throw std::runtime_error("odd");
    return "even";
  });
  tool.returns_at_once = true;
  const ToolRegistry registry = RegistryOf({tool});
  ToolExecutor executor(registry);
  for (int i = 0; i < 20; ++i) CHECK(absl::IsInternal(executor.Execute({"Odd", std::to_string(i)}, {}).status()));
  CHECK(executor.Execute({"Odd", "42"}, {}).value() == "even");
}

}  // namespace
}  // namespace toolformer::retry_test
