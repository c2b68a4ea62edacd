// Thousands of calls of tools that hang, answer rubbish and die: nothing is lost, nothing is stuck, counts add up.
// bench/faults.py does the same with programs and servers of other processes.
#include <cctype>

#include "src/base/random.h"
#include "tests/execute/faulty.h"

namespace toolformer::fault_test {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

enum class Fault { kNone, kHang, kGarbage, kDeath, kThrow };

// One call in a hundred of each kind, by its input and the attempt.
Fault FaultOf(std::string_view input, int attempt) {
  switch (CombineSeeds({HashBytes(input), static_cast<uint64_t>(attempt)}) % 100) {
    case 0:
      return Fault::kHang;
    case 1:
      return Fault::kGarbage;
    case 2:
      return Fault::kDeath;
    case 3:
      return Fault::kThrow;
    default:
      return Fault::kNone;
  }
}

struct FaultyHost {
  std::shared_ptr<std::atomic<bool>> release = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<int>> hanging = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<std::vector<std::atomic<int>>> attempts;

  explicit FaultyHost(size_t calls) : attempts(std::make_shared<std::vector<std::atomic<int>>>(calls)) {}

  Tool Make(const std::string& name, bool deaf) const {
    Tool tool =
        Named(name, [=, *this](std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
          const int attempt = (*attempts)[std::stoul(std::string(input))]++;
          switch (FaultOf(name + std::string(input), attempt)) {
            case Fault::kHang:
              ++*hanging;
              while (!*release && (deaf || context.interrupt.Check().ok()))
                std::this_thread::sleep_for(milliseconds(1));
              --*hanging;
              return "late";
            case Fault::kGarbage:
              return std::string("\0\xff[Faulty(1)] -> \x1b[2J", 20) + std::string(100000, '\x80');
            case Fault::kDeath:
              return absl::UnavailableError("connection reset");
            case Fault::kThrow:
              throw std::runtime_error("died");
            case Fault::kNone:
              break;
          }
          return name + " says " + std::string(input);
        });
    tool.deadline = milliseconds(40);
    tool.max_retries = 3;
    return tool;
  }
};

TEST_CASE("nothing is lost among faulty tools, and counts add up") {
  constexpr size_t kCalls = 2000;
  const FaultyHost polite(kCalls), deaf(kCalls);
  const ToolRegistry registry = RegistryOf({polite.Make("Polite", false), deaf.Make("Deaf", true)});
  ToolExecutorOptions options;
  options.retry = {milliseconds(1), milliseconds(4), 5};
  options.max_abandoned = 1000;
  options.max_result_bytes = 1000;
  ToolExecutor executor(registry, options);
  std::vector<ToolRequest> requests;
  for (size_t i = 0; i < kCalls; ++i) {
    requests.push_back({{i % 2 == 0 ? "Polite" : "Deaf", std::to_string(i / 2)}, {}});
  }
  const auto results = executor.ExecuteAll(requests, {});
  REQUIRE(results.ok());
  REQUIRE(results->size() == kCalls);
  size_t right = 0, garbage = 0, failed = 0;
  for (size_t i = 0; i < kCalls; ++i) {
    const absl::StatusOr<std::string>& result = (*results)[i];
    const std::string expected = requests[i].call.tool + " says " + requests[i].call.input;
    if (!result.ok()) {
      ++failed;
      CHECK((absl::IsInternal(result.status()) || absl::IsDeadlineExceeded(result.status()) ||
             absl::IsUnavailable(result.status())));
    } else if (*result == expected) {
      ++right;
    } else {
      ++garbage;
      CHECK(result->size() <= 1000);
      for (const char c : *result) CHECK((c != '[' && c != ']' && static_cast<unsigned char>(c) >= ' '));
    }
  }
  CHECK(right + garbage + failed == kCalls);
  // Hangs and deaths are tried again; garbage and exceptions are answers.
  CHECK(right > kCalls * 95 / 100);
  CHECK(garbage > 0);
  ToolStatistics sum;
  for (const ToolStatistics& statistics : executor.Statistics()) {
    CheckAddsUp(statistics);
    CHECK(statistics.requests == static_cast<int64_t>(kCalls) / 2);
    CHECK(statistics.retries > 0);
    CHECK(statistics.abandoned > 0);
    sum.answered += statistics.answered;
    sum.attempts += statistics.attempts;
  }
  CHECK(sum.answered == static_cast<int64_t>(right + garbage));
  int64_t attempts = 0;
  for (size_t i = 0; i < kCalls; ++i) attempts += (*polite.attempts)[i] + (*deaf.attempts)[i];
  CHECK(attempts == sum.attempts);
  CHECK(Becomes([&] { return *polite.hanging == 0; }));
  CHECK(*deaf.hanging > 0);
  *deaf.release = true;
  CHECK(Becomes([&] { return *deaf.hanging == 0; }));
}

TEST_CASE("tools that hang for good take no more threads than they may, and no other tool down") {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const auto inside = std::make_shared<std::atomic<int>>(0);
  Tool hang = Named("Hang", [=](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    ++*inside;
    while (!*release) std::this_thread::sleep_for(milliseconds(1));
    --*inside;
    return "late";
  });
  hang.deadline = milliseconds(5);
  const ToolRegistry registry =
      RegistryOf({hang, Named("Well", [](std::string_view input, const ToolContext&) { return std::string(input); })});
  ToolExecutorOptions options;
  options.breaker.failures = 0;  // else it would have stopped them first
  options.max_abandoned = 6;
  ToolExecutor executor(registry, options);
  std::vector<ToolRequest> requests;
  for (int i = 0; i < 200; ++i) requests.push_back({{i % 2 == 0 ? "Hang" : "Well", std::to_string(i)}, {}});
  const auto results = executor.ExecuteAll(requests, {});
  REQUIRE(results.ok());
  for (size_t i = 0; i < requests.size(); ++i) CHECK((*results)[i].ok() == (i % 2 == 1));
  const ToolStatistics statistics = StatisticsOf(executor, "Hang");
  CheckAddsUp(statistics);
  CHECK(statistics.errors.at(absl::StatusCode::kDeadlineExceeded) == statistics.called);
  CHECK(statistics.errors.at(absl::StatusCode::kResourceExhausted) == statistics.refused);
  // Those that began before the sixth was left behind, at most as many as may run at a time.
  CHECK(statistics.called >= 6);
  CHECK(statistics.called <= 6 + 8);
  CHECK(*inside <= 6 + 8);
  *release = true;
  CHECK(Becomes([&] { return *inside == 0; }));
}

}  // namespace
}  // namespace toolformer::fault_test
