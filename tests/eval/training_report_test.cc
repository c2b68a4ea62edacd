#include "toolformer/training_report.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "src/eval/report_lines.h"
#include "tests/check.h"
#include "tests/paths.h"

namespace toolformer::training_report_test {
namespace {

bool Holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

absl::StatusOr<std::vector<FineTuneProgress>> Read(const std::string& lines) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.path() + "/log.jsonl") << lines;
  return ReadTrainingLog(folder.path());
}

TEST_CASE("a log is read as it was written, an unfinished line left out") {
  const auto steps = Read(
      "{\"step\":1,\"loss\":2.5,\"gradient_norm\":0.5,\"learning_rate\":1e-05,\"tokens\":100}\n"
      "{\"step\":2,\"loss\":2.25,\"gradient_norm\":0.25,\"learning_rate\":2e-05,\"tokens\":90,\"development_loss\":1.5}"
      "\n"
      "{\"step\":3,\"lo");
  REQUIRE(steps.ok());
  REQUIRE(steps->size() == 2);
  CHECK((*steps)[1].step == 2);
  CHECK((*steps)[1].loss == 2.25);
  CHECK((*steps)[1].learning_rate == 2e-5);
  CHECK((*steps)[1].tokens == 90);
  CHECK((*steps)[1].development_loss == 1.5);
  CHECK(!(*steps)[0].development_loss);
}

TEST_CASE("numbers of a log that no step has do no harm") {
  const auto steps = Read("{\"step\":1e300,\"loss\":-1e308,\"tokens\":-1e300}\n{\"step\":2,\"loss\":1e308}\n");
  REQUIRE(steps.ok());
  CHECK((*steps)[0].step == 0);
  CHECK((*steps)[0].tokens == 0);
  TrainingReport report;
  report.steps = *steps;
  CHECK(Holds(RenderTrainingReport(report), "</html>"));
}

TEST_CASE("a log that is none is refused with its line") {
  const auto steps = Read("{\"step\":1,\"loss\":2.5}\n[1]\n");
  REQUIRE(!steps.ok());
  CHECK(Holds(std::string(steps.status().message()), "log.jsonl: line 2 "));
  CHECK(!Read("{\"step\":1,\"loss\":\"low\"}\n").ok());
  CHECK(ReadTrainingLog(testing::TemporaryFolder().path()).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("the page has the best perplexity, the counts and what was given, as text") {
  TrainingReport report;
  for (int64_t i = 1; i <= 40; ++i) {
    FineTuneProgress step;
    step.step = i;
    step.loss = 3.0 / static_cast<double>(i);
    step.tokens = 10;
    if (i % 10 == 0) step.development_loss = i == 30 ? std::log(7.5) : std::log(9.0);
    report.steps.push_back(step);
  }
  report.steps[4].loss = std::numeric_limits<double>::quiet_NaN();
  report.first_development_loss = std::log(12.0);
  report.dataset.emplace();
  report.dataset->tools["Calculator"] = {7, 11, {5, 4, 3, 2}};
  report.parameters = {{"model", "<script>alert(1)</script>"}};
  const std::string page = RenderTrainingReport(report);
  CHECK(Holds(page, "12 &#8594; 7.5"));
  CHECK(Holds(page, "best at step 30"));
  CHECK(Holds(page, "best: 7.5"));
  CHECK(Holds(page, "400</b>"));
  CHECK(Holds(page, "Calculator"));
  CHECK(Holds(page, "&lt;script&gt;"));
  CHECK(!Holds(page, "<script>"));
  CHECK(!Holds(page, "nan"));
  CHECK(!Holds(page, "inf"));
}

TEST_CASE("a page of nothing says so") {
  const std::string page = RenderTrainingReport({});
  CHECK(Holds(page, "nothing measured yet"));
  CHECK(!Holds(page, "nan"));
}

TEST_CASE("points stand where the axes say") {
  // 0 to 100 across 568 pixels from 56 on, 0 to 10 up 152 pixels from 178.
  LineChart chart{.title = "y", .x_label = "x"};
  chart.lines = {{{{0.0, 0.0}, {50.0, 5.0}, {100.0, 10.0}}, "line"}};
  CHECK(Holds(RenderLineChart(chart), "M56.0 178.0L340.0 102.0L624.0 26.0"));
}

TEST_CASE("means run over the window, long lines are thinned") {
  const auto means = RunningMean({{1, 2}, {2, 4}, {3, 6}, {4, 8}}, 2);
  REQUIRE(means.size() == 4);
  CHECK(means[0].second == 2);
  CHECK(means[1].second == 3);
  CHECK(means[3].second == 7);
  LineChart chart{.title = "y", .x_label = "x"};
  chart.lines = {{{}, "line"}};
  for (int i = 0; i < 100000; ++i) chart.lines[0].points.emplace_back(i, i % 7);
  CHECK(RenderLineChart(chart).size() < 40000);
}

}  // namespace
}  // namespace toolformer::training_report_test
