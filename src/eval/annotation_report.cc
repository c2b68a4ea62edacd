#include "toolformer/annotation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "src/eval/report_execution.h"
#include "src/eval/report_histogram.h"
#include "src/eval/report_html.h"
#include "src/eval/report_texts.h"
#include "src/eval/report_yields.h"

namespace toolformer {
namespace {

// Beyond that a browser takes too long; the figures are of all texts nevertheless.
constexpr size_t kMaxTextsShown = 2000;

using Parameters = ReportParameters;

std::optional<double> ThresholdOf(const std::string& tool, const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (name != tool + ".tau_f") continue;
    double number = 0.0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size()) return number;
  }
  return std::nullopt;
}

int64_t VerdictCount(const ToolCounts& counts, Verdict verdict) {
  const auto found = counts.verdicts.find(verdict);
  return found == counts.verdicts.end() ? 0 : found->second;
}

std::string Cards(const AnnotationCounts& counts) {
  int64_t candidates = 0, kept = 0, skipped = 0;
  for (const auto& [name, tool] : counts.tools) {
    candidates += tool.sampling.candidates;
    kept += VerdictCount(tool, Verdict::kKept);
  }
  for (const auto& [reason, count] : counts.skipped) skipped += count;
  const auto card = [](int64_t number, std::string_view words) { return RenderCard(fmt::format("{}", number), words); };
  return "<div class=\"cards\">" + card(counts.documents, "texts") +
         card(counts.documents_with_calls, "texts with kept calls") + card(candidates, "calls tried") +
         card(kept, "calls kept") + card(skipped, "texts skipped") + "</div>\n";
}

std::vector<std::string> ToolHeads(const AnnotationCounts& counts) {
  std::vector<std::string> heads = {""};
  for (const auto& [name, tool] : counts.tools) {
    heads.push_back(fmt::format("<span class=\"key {}\"></span>{}", ToolClass(heads.size() - 1), EscapeHtml(name)));
  }
  return heads;
}

std::string Funnel(const AnnotationCounts& counts) {
  HtmlTable table;
  table.head = ToolHeads(counts);
  const auto row = [&](std::string_view name, auto value) {
    std::vector<std::string>& cells = table.rows.emplace_back();
    cells.emplace_back(name);
    for (const auto& [tool, figures] : counts.tools) cells.push_back(fmt::format("{}", value(figures)));
  };
  row("texts asked about", [](const ToolCounts& c) { return c.documents_accepted; });
  row("positions", [](const ToolCounts& c) { return c.positions; });
  row("samples", [](const ToolCounts& c) { return c.sampling.samples; });
  row("<span class=\"sub\">duplicates</span>", [](const ToolCounts& c) { return c.sampling.duplicates; });
  row("<span class=\"sub\">not a call</span>", [](const ToolCounts& c) { return c.sampling.not_a_call; });
  row("<span class=\"sub\">a call of another tool</span>", [](const ToolCounts& c) { return c.sampling.other_tool; });
  row("<span class=\"sub\">not closed</span>", [](const ToolCounts& c) { return c.sampling.not_closed; });
  row("candidates", [](const ToolCounts& c) { return c.sampling.candidates; });
  row("<span class=\"sub\">tool error</span>",
      [](const ToolCounts& c) { return VerdictCount(c, Verdict::kToolError); });
  row("<span class=\"sub\">gain below &#964;<sub>f</sub></span>",
      [](const ToolCounts& c) { return VerdictCount(c, Verdict::kBelowThreshold); });
  row("<span class=\"sub\">smaller gain than another at its position</span>",
      [](const ToolCounts& c) { return VerdictCount(c, Verdict::kSmallerGain); });
  row("<b class=\"kept\">kept</b>", [](const ToolCounts& c) { return VerdictCount(c, Verdict::kKept); });
  return "<h2>From texts to kept calls</h2>\n" + RenderTable(table);
}

std::string Yields(const AnnotationCounts& counts) {
  HtmlTable table = {YieldHead(), YieldRows(counts)};
  if (table.rows.empty()) return "";
  return fmt::format("<h2>Yield</h2>\n<p class=\"note\">What each source of calls gave, of {} tokens of text. {}</p>\n",
                     counts.tokens, kYieldNote) +
         RenderTable(table);
}

std::string Histograms(const AnnotationCounts& counts, const Parameters& parameters) {
  std::string out =
      "<h2>Gains</h2>\n<p class=\"note\">How much less surprising the next words are with call and result than "
      "without; the "
      "scale of counts is logarithmic. Calls right of the line are kept unless another at their position gains "
      "more.";
  const bool bounds = std::any_of(counts.tools.begin(), counts.tools.end(),
                                  [](const auto& tool) { return !tool.second.gain_bounds.empty(); });
  if (bounds) {
    out +=
        " Dashed bars are calls that help too little even against no call at all: their loss with the call alone was "
        "not computed, and they stand at the most that they can gain.";
  }
  out += "</p>\n";
  size_t index = 0;
  for (const auto& [tool, figures] : counts.tools) {
    out += RenderGainHistogram({figures.gains, figures.gain_bounds},
                               {tool, ToolClass(index++), ThresholdOf(tool, parameters)});
  }
  return out;
}

// 0: with kept calls, 1: without, 2: skipped.
int Group(const AnnotatedDocument& annotated) {
  if (annotated.skip != Skip::kNone) return 2;
  return annotated.kept() > 0 ? 0 : 1;
}

std::string Texts(const std::vector<AnnotatedDocument>& documents, const ToolIndices& tools) {
  static constexpr const char* kHeadings[] = {"Texts with kept calls", "Texts without", "Texts skipped"};
  std::string out;
  size_t shown = 0;
  for (int group = 0; group < 3; ++group) {
    const auto count = std::count_if(documents.begin(), documents.end(),
                                     [&](const AnnotatedDocument& annotated) { return Group(annotated) == group; });
    if (count == 0) continue;
    out += fmt::format("<h2>{} <span class=\"note\">({})</span></h2>\n", kHeadings[group], count);
    int64_t left_out = 0;
    for (const AnnotatedDocument& annotated : documents) {
      if (Group(annotated) != group) continue;
      if (++shown > kMaxTextsShown) {
        ++left_out;
      } else {
        out += RenderText(annotated, tools);
      }
    }
    if (left_out > 0) out += fmt::format("<p class=\"note\">... and {} more, not shown</p>\n", left_out);
  }
  return out;
}

}  // namespace

std::string RenderAnnotationReport(const std::vector<AnnotatedDocument>& documents, const Parameters& parameters,
                                   const std::vector<ToolStatistics>& execution) {
  const AnnotationCounts counts = CountAnnotations(documents);
  ToolIndices tools;
  for (const auto& [name, figures] : counts.tools) tools.emplace(name, tools.size());
  std::string page = PageHead("Annotation report");
  page +=
      "<p class=\"note\">Tool calls that a language model put into texts, run, and kept "
      "where they help it predict what follows.</p>\n";
  page += Cards(counts);
  if (!counts.tools.empty()) page += Funnel(counts) + Histograms(counts, parameters) + Yields(counts);
  page += RenderExecution(execution);
  page += Texts(documents, tools) + RenderParameters(parameters);
  return page.append(kPageEnd);
}

}  // namespace toolformer
