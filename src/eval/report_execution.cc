#include "src/eval/report_execution.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "src/eval/report_html.h"

namespace toolformer {
namespace {

std::string KindWords(absl::StatusCode code) {
  std::string words(StatusCodeName(code));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string TimeWords(double ms) {
  return ms < 1000.0 ? fmt::format("{:.3g} ms", ms) : fmt::format("{:.1f} s", ms / 1000.0);
}

// What a reader must know before the figures of a tool.
std::string Warnings(const std::vector<ToolStatistics>& tools) {
  std::string out;
  for (const ToolStatistics& tool : tools) {
    if (tool.breaker_opened == 0) continue;
    out += fmt::format(
        "<p class=\"note\"><b>{}</b> failed too often in a row, {}: {} calls were not made and have no result{}.</p>\n",
        EscapeHtml(tool.tool), tool.breaker_opened == 1 ? "once" : fmt::format("{} times", tool.breaker_opened),
        tool.breaker_refused, tool.breaker_open ? "; it did not answer any more when the run ended" : "");
  }
  return out;
}

}  // namespace

std::string RenderExecution(const std::vector<ToolStatistics>& execution) {
  std::vector<ToolStatistics> tools;
  std::copy_if(execution.begin(), execution.end(), std::back_inserter(tools),
               [](const ToolStatistics& tool) { return !tool.returns_at_once; });
  if (tools.empty()) return "";
  HtmlTable table;
  table.head = {""};
  std::set<absl::StatusCode> kinds;
  for (const ToolStatistics& tool : tools) {
    table.head.push_back(EscapeHtml(tool.tool));
    for (const auto& [code, count] : tool.errors) kinds.insert(code);
  }
  const auto row = [&](const std::string& name, auto value) {
    std::vector<std::string>& cells = table.rows.emplace_back();
    cells.push_back(name);
    for (const ToolStatistics& tool : tools) cells.push_back(fmt::format("{}", value(tool)));
  };
  const auto sub = [&](const std::string& name, auto value) { row("<span class=\"sub\">" + name + "</span>", value); };
  row("calls", [](const ToolStatistics& t) { return t.requests; });
  sub("equal to another of the same batch", [](const ToolStatistics& t) { return t.shared; });
  sub("known from before", [](const ToolStatistics& t) { return t.from_memory; });
  sub("known from the tool cache", [](const ToolStatistics& t) { return t.from_disk; });
  sub("made", [](const ToolStatistics& t) { return t.called; });
  sub("not made", [](const ToolStatistics& t) { return t.refused; });
  row("with a result", [](const ToolStatistics& t) { return t.answered; });
  for (const absl::StatusCode kind : kinds) {
    row("error: " + KindWords(kind), [&](const ToolStatistics& t) {
      const auto found = t.errors.find(kind);
      return found == t.errors.end() ? int64_t{0} : found->second;
    });
  }
  row("tried again", [](const ToolStatistics& t) { return t.retries; });
  row("left behind at the deadline", [](const ToolStatistics& t) { return t.abandoned; });
  row("half of the tries took at most", [](const ToolStatistics& t) { return TimeWords(t.latency_p50_ms); });
  row("99 of 100 took at most", [](const ToolStatistics& t) { return TimeWords(t.latency_p99_ms); });
  return "<h2>How the calls ran</h2>\n<p class=\"note\">Of tools that may take their time, in the last process of the "
         "run: where it was interrupted, what was asked before is not counted here.</p>\n" +
         Warnings(tools) + RenderTable(table);
}

}  // namespace toolformer
