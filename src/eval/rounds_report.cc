// Rounds of annotation side by side.
#include <fmt/format.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/eval/report_html.h"
#include "src/eval/report_lines.h"
#include "src/eval/report_yields.h"
#include "toolformer/annotation_report.h"

namespace toolformer {
namespace {

constexpr std::array<std::string_view, 6> kLineClasses = {"line t0", "line t1", "line t2",
                                                          "line t3", "line t4", "line t5"};

}  // namespace

std::string RenderRoundsReport(const std::vector<AnnotationCounts>& rounds) {
  HtmlTable table = {YieldHead(), {}};
  table.head.insert(table.head.begin(), "round");
  // Of each tool and source: kept calls a million tokens by round.
  std::map<std::pair<std::string, CallSource>, std::vector<std::pair<double, double>>> curves;
  for (size_t i = 0; i < rounds.size(); ++i) {
    for (std::vector<std::string>& row : YieldRows(rounds[i])) {
      row.insert(row.begin(), fmt::format("{}", i + 1));
      table.rows.push_back(std::move(row));
    }
    for (const auto& [tool, figures] : rounds[i].tools) {
      for (const auto& [source, yield] : figures.yields) {
        curves[{tool, source}].emplace_back(static_cast<double>(i + 1), KeptPerMillionTokens(yield, rounds[i]));
      }
    }
  }
  LineChart chart{.title = "Kept calls a million tokens of text", .x_label = "round"};
  std::string key = "<p class=\"note\">";
  size_t index = 0;
  for (auto& [name, points] : curves) {
    chart.lines.push_back({std::move(points), kLineClasses[index % kLineClasses.size()], true});
    key += fmt::format("<span class=\"{}\"><span class=\"key\"></span></span>{}, {} &#160; ", ToolClass(index++),
                       EscapeHtml(name.first), SourceWords(name.second));
  }
  std::string page = PageHead("Rounds of annotation") +
                     "<p class=\"note\">Each round annotates the same texts with calls that the model of the round "
                     "before proposes. " +
                     std::string(kYieldNote) + "</p>\n";
  page += RenderLineChart(chart) + key + "</p>\n";
  if (!table.rows.empty()) page += RenderTable(table);
  return page + std::string(kPageEnd);
}

}  // namespace toolformer
