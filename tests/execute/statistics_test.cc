#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/base/random.h"
#include "src/execute/latency_histogram.h"
#include "tests/execute/faulty.h"
#include "toolformer/tool_statistics.h"

namespace toolformer::statistics_test {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

TEST_CASE("LatencyHistogram: quantiles are right to a tenth, from a microsecond to an hour") {
  LatencyHistogram histogram;
  CHECK(histogram.QuantileMs(0.5) == 0.0);
  RandomStream random(3);
  std::vector<double> times;
  for (int i = 0; i < 5000; ++i) {
    const double ms = std::exp(random.Uniform() * std::log(3.6e6 / 1e-3)) * 1e-3;
    times.push_back(ms);
    histogram.Add(std::chrono::nanoseconds(static_cast<int64_t>(ms * 1e6)));
  }
  std::sort(times.begin(), times.end());
  CHECK(histogram.count() == 5000);
  for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = times[std::max<int64_t>(0, static_cast<int64_t>(std::ceil(share * 5000)) - 1)];
    CAPTURE(share);
    CHECK(histogram.QuantileMs(share) >= exact * 0.999);
    CHECK(histogram.QuantileMs(share) <= exact * 1.1);
  }
  histogram.Add(std::chrono::nanoseconds(-5));
  histogram.Add(std::chrono::hours(24 * 365 * 200));
  CHECK(histogram.QuantileMs(0.0) > 0.0);
  CHECK(std::isfinite(histogram.QuantileMs(1.0)));
}

TEST_CASE("statistics are of the tools that were asked for, in their order, and latencies by the clock that is given") {
  MovableTime time;
  const ToolRegistry registry = RegistryOf({MakeCalendar(FixedClock({2023, 1, 30})), MakeCalculator(),
                                            Named("Slow", [&](std::string_view, const ToolContext&) {
                                              time.Advance(milliseconds(2000));
                                              return std::string("1");
                                            })});
  ToolExecutorOptions options;
  options.now = time.Function();
  ToolExecutor executor(registry, options);
  CHECK(executor.Statistics().empty());
  CHECK(executor.Execute({"Slow", ""}, {}).ok());
  CHECK(executor.Execute({"Slow", ""}, {}).ok());
  CHECK(executor.Execute({"Calculator", "1 + 1"}, {}).ok());
  CHECK(!executor.Execute({"Calculator", "1 / 0"}, {}).ok());
  CHECK(!executor.Execute({"Calculator", "one"}, {}).ok());
  const std::vector<ToolStatistics> statistics = executor.Statistics();
  REQUIRE(statistics.size() == 2);
  CHECK(statistics[0].tool == "Calculator");
  CHECK(statistics[1].tool == "Slow");
  CHECK(statistics[1].from_memory == 1);
  CHECK(statistics[1].latency_p50_ms >= 2000.0);
  CHECK(statistics[1].latency_p50_ms <= 2200.0);
  for (const ToolStatistics& each : statistics) CheckAddsUp(each);
  const nlohmann::json json = nlohmann::json::parse(FormatToolStatistics(statistics));
  REQUIRE(json.size() == 2);
  CHECK(json[0]["tool"] == "Calculator");
  CHECK(json[0]["requests"] == 3);
  CHECK(json[0]["errors"] == nlohmann::json{{"invalid_argument", 1}, {"out_of_range", 1}});
  CHECK(json[1]["from_memory"] == 1);
  CHECK(FormatToolStatistics({}) == "[]");
}

TEST_CASE("kinds of errors that have no name are one kind") {
  ToolStatistics statistics;
  statistics.errors = {{absl::StatusCode::kUnknown, 2}, {static_cast<absl::StatusCode>(77), 3}};
  CHECK(nlohmann::json::parse(FormatToolStatistics({&statistics, 1}))[0]["errors"] == nlohmann::json{{"unknown", 5}});
}

}  // namespace
}  // namespace toolformer::statistics_test
