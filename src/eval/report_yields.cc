#include "src/eval/report_yields.h"

#include <fmt/format.h>

#include <utility>

#include "src/eval/report_html.h"

namespace toolformer {

std::string_view SourceWords(CallSource source) { return source == CallSource::kSampled ? "sampled" : "worked out"; }

std::vector<std::string> YieldHead() {
  std::vector<std::string> head = {"tool", "calls", "candidates", "kept", "kept a million tokens"};
  for (const double threshold : kReportedThresholds) head.push_back(fmt::format("at {:g} nats", threshold));
  return head;
}

std::vector<std::vector<std::string>> YieldRows(const AnnotationCounts& counts) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [tool, figures] : counts.tools) {
    for (const auto& [source, yield] : figures.yields) {
      std::vector<std::string> row = {EscapeHtml(tool), std::string(SourceWords(source)),
                                      fmt::format("{}", yield.candidates), fmt::format("{}", yield.kept),
                                      fmt::format("{:.0f}", KeptPerMillionTokens(yield, counts))};
      for (const double threshold : kReportedThresholds) row.push_back(fmt::format("{}", yield.at.at(threshold)));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace toolformer
