#include "toolformer/training_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/eval/report_html.h"
#include "src/eval/report_lines.h"

namespace toolformer {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr int64_t kMostLogBytes = int64_t{1} << 30;
constexpr std::string_view kSteps = "steps";

std::optional<double> NumberAt(const nlohmann::json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

// 0 where there is none.
int64_t IntegerAt(const nlohmann::json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

Points PointsOf(const std::vector<FineTuneProgress>& steps, double FineTuneProgress::*value) {
  Points points;
  for (const FineTuneProgress& step : steps) points.emplace_back(static_cast<double>(step.step), step.*value);
  return points;
}

Points DevelopmentPerplexities(const TrainingReport& report) {
  Points points;
  if (report.first_development_loss) points.emplace_back(0.0, std::exp(*report.first_development_loss));
  for (const FineTuneProgress& step : report.steps) {
    if (step.development_loss) points.emplace_back(static_cast<double>(step.step), std::exp(*step.development_loss));
  }
  return points;
}

std::string RenderLoss(const TrainingReport& report) {
  const Points losses = PointsOf(report.steps, &FineTuneProgress::loss);
  const size_t window = std::clamp<size_t>(losses.size() / 20, 1, 50);
  const std::string title = fmt::format("Loss, nats a token: each step, and the mean of the last {}", window);
  LineChart chart{.title = title, .x_label = kSteps};
  chart.lines = {{losses, "line thin"}, {RunningMean(losses, window), "line"}};
  return RenderLineChart(chart);
}

std::string RenderPerplexity(const Points& points, const std::optional<std::pair<double, double>>& best) {
  const std::string mark = best ? fmt::format("best: {:.4g}", best->second) : "";
  LineChart chart{.title = "Perplexity of the development texts", .x_label = kSteps};
  chart.lines = {{points, "line", true}};
  chart.marked = best;
  chart.mark = mark;
  return RenderLineChart(chart);
}

std::string RenderSteps(const TrainingReport& report, std::string_view title, double FineTuneProgress::*value) {
  LineChart chart{.title = title, .x_label = kSteps};
  chart.lines = {{PointsOf(report.steps, value), "line"}};
  return RenderLineChart(chart);
}

std::string RenderDataset(const DatasetCounts& counts) {
  std::string out = "<h2>Texts</h2>\n";
  out += fmt::format(
      "<p class=\"note\">{} texts, {} of them with calls that are kept; {} without calls beside them.</p>\n",
      counts.texts, counts.texts_with_calls, counts.originals);
  HtmlTable table;
  table.head = {"tool", "texts", "calls"};
  for (const double threshold : kReportedThresholds) table.head.push_back(fmt::format("texts at {} nats", threshold));
  for (const auto& [tool, of_tool] : counts.tools) {
    std::vector<std::string> row = {EscapeHtml(tool), fmt::format("{}", of_tool.texts),
                                    fmt::format("{}", of_tool.calls)};
    for (const int64_t texts : of_tool.texts_at) row.push_back(fmt::format("{}", texts));
    table.rows.push_back(std::move(row));
  }
  return out + RenderTable(table);
}

}  // namespace

absl::StatusOr<std::vector<FineTuneProgress>> ReadTrainingLog(const std::string& folder) {
  const std::string path = folder + "/log.jsonl";
  TF_ASSIGN_OR_RETURN(const std::string log, ReadFile(path, kMostLogBytes));
  std::vector<FineTuneProgress> steps;
  for (size_t begin = 0, number = 1; begin < log.size(); ++number) {
    const size_t end = log.find('\n', begin);
    if (end == std::string::npos) break;  // still being written
    const absl::StatusOr<nlohmann::json> line = ParseJson(std::string_view(log).substr(begin, end - begin));
    begin = end + 1;
    if (!line.ok() || !line->is_object() || !NumberAt(*line, "step") || !NumberAt(*line, "loss")) {
      return InvalidArgument("{}: line {} is not a step of a training run", path, number);
    }
    FineTuneProgress& step = steps.emplace_back();
    step.step = IntegerAt(*line, "step");
    step.loss = *NumberAt(*line, "loss");
    step.gradient_norm = NumberAt(*line, "gradient_norm").value_or(0.0);
    step.learning_rate = NumberAt(*line, "learning_rate").value_or(0.0);
    step.tokens = IntegerAt(*line, "tokens");
    step.development_loss = NumberAt(*line, "development_loss");
  }
  return steps;
}

std::string RenderTrainingReport(const TrainingReport& report) {
  const Points perplexities = DevelopmentPerplexities(report);
  std::optional<std::pair<double, double>> best;
  for (const auto& point : perplexities) {
    if (std::isfinite(point.second) && (!best || point.second < best->second)) best = point;
  }
  int64_t tokens = 0;
  for (const FineTuneProgress& step : report.steps) tokens += step.tokens;
  std::string page = PageHead("Training") + "<div class=\"cards\">";
  page += RenderCard(fmt::format("{}", report.steps.empty() ? 0 : report.steps.back().step), "steps");
  page += RenderCard(fmt::format("{}", tokens), "tokens learned from");
  if (best) {
    page += RenderCard(fmt::format("{:.4g} &#8594; {:.4g}", perplexities.front().second, best->second),
                       fmt::format("development perplexity, best at step {:.0f}", best->first));
  }
  page += "</div>\n" + RenderLoss(report) + RenderPerplexity(perplexities, best);
  page += RenderSteps(report, "Norm of the gradient, before it is scaled down", &FineTuneProgress::gradient_norm);
  page += RenderSteps(report, "Learning rate", &FineTuneProgress::learning_rate);
  if (report.dataset) page += RenderDataset(*report.dataset);
  page += RenderParameters(report.parameters);
  return page + std::string(kPageEnd);
}

}  // namespace toolformer
