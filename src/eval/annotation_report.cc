#include "toolformer/annotation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "src/eval/report_histogram.h"
#include "src/eval/report_html.h"
#include "src/eval/report_texts.h"

namespace toolformer {
namespace {

// Beyond that a browser takes too long; the figures are of all texts nevertheless.
constexpr size_t kMaxTextsShown = 2000;

using Parameters = std::vector<std::pair<std::string, std::string>>;

// The policy lets nothing run and nothing load, should markup ever slip through the escaping.
constexpr char kHead[] = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Annotation report</title>
<style>
:root { --ground: #fbfbf9; --card: #ffffff; --ink: #1c1f23; --soft: #626a73; --rule: #dcdfe3; --kept: #17743a; --error: #a8341f;
  --c0: #1f62b5; --c1: #b1560a; --c2: #6d3fb2; --c3: #0c7c74; --c4: #b02a6b; --c5: #5d6b10; --tint: 14%; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1c2024; --ink: #e6e8ea; --soft: #98a1ab;
  --rule: #343b42; --kept: #6fd08c; --error: #f08b74; --c0: #7db4f5; --c1: #f2a55c; --c2: #bd9bf2; --c3: #5fcdc3;
  --c4: #f28fbd; --c5: #c3d05c; --tint: 22%; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 2rem 1.2rem 4rem; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.note { color: var(--soft); font-size: .87rem; font-weight: 400; } ul.note { margin: .4rem 0; padding-left: 1.2rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.cards div { background: var(--card); border: 1px solid var(--rule); border-radius: .5rem; padding: .6rem 1rem; min-width: 8.5rem; }
.cards b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; } tbody th { font-weight: 400; text-align: left; }
th:first-child { text-align: left; } .params td { text-align: left; overflow-wrap: anywhere; } .sub { padding-left: 1rem; color: var(--soft); }
.doc { background: var(--card); border: 1px solid var(--rule); border-radius: .5rem; padding: .8rem 1rem; margin: .7rem 0; }
.doc td:nth-child(3), .doc td:nth-child(4), .doc td:nth-child(9), .doc th:nth-child(3), .doc th:nth-child(4), .doc th:nth-child(9)
  { text-align: left; overflow-wrap: anywhere; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; unicode-bidi: isolate; }
code { font: .95em ui-monospace, monospace; unicode-bidi: isolate; white-space: pre-wrap; }
mark { color: inherit; border-radius: .25rem; padding: .05rem .2rem; background: color-mix(in srgb, var(--c) var(--tint), transparent);
  border-bottom: 2px solid var(--c); unicode-bidi: isolate; } mark b { color: var(--c); } mark sup { color: var(--soft); font-size: .68em; margin-left: .2em; }
code.t0, code.t1, code.t2, code.t3, code.t4, code.t5 { color: var(--c); }
.t0 { --c: var(--c0); } .t1 { --c: var(--c1); } .t2 { --c: var(--c2); } .t3 { --c: var(--c3); } .t4 { --c: var(--c4); } .t5 { --c: var(--c5); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .2em; background: var(--c); margin-right: .4em; }
.kept { color: var(--kept); } .error { color: var(--error); }
svg { display: block; width: 100%; max-width: 46rem; height: auto; margin: .6rem 0 1.4rem; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } svg .title { fill: var(--ink); font-weight: 600; font-size: 12px; }
.bar { fill: color-mix(in srgb, var(--c) 38%, transparent); } .reached { fill: var(--c); }
.bound { fill: none; stroke: var(--c); stroke-width: .8; stroke-dasharray: 2 2; opacity: .7; }
.grid { stroke: var(--rule); stroke-width: .7; } .axis { stroke: var(--soft); }
.tau { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 4 3; } svg .taulabel { fill: var(--ink); }
</style></head><body>
)";

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

std::string Card(int64_t number, std::string_view words) {
  return fmt::format("<div><b>{}</b><span class=\"note\">{}</span></div>\n", number, words);
}

std::string Cards(const AnnotationCounts& counts) {
  int64_t candidates = 0, kept = 0, skipped = 0;
  for (const auto& [name, tool] : counts.tools) {
    candidates += tool.sampling.candidates;
    kept += VerdictCount(tool, Verdict::kKept);
  }
  for (const auto& [reason, count] : counts.skipped) skipped += count;
  return "<div class=\"cards\">" + Card(counts.documents, "texts") +
         Card(counts.documents_with_calls, "texts with kept calls") + Card(candidates, "calls tried") +
         Card(kept, "calls kept") + Card(skipped, "texts skipped") + "</div>\n";
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

std::string Thresholds(const AnnotationCounts& counts) {
  HtmlTable table;
  table.head = ToolHeads(counts);
  table.head.front() = "gain of at least";
  std::map<double, std::vector<std::string>> rows;
  for (const auto& [tool, figures] : counts.tools) {
    for (const auto& [threshold, kept] : figures.kept_at) rows[threshold].push_back(fmt::format("{}", kept));
  }
  for (auto& [threshold, cells] : rows) {
    cells.insert(cells.begin(), fmt::format("{:g} nats", threshold));
    table.rows.push_back(std::move(cells));
  }
  return "<h2>Calls at other thresholds</h2>\n"
         "<p class=\"note\">Candidates that would reach &#964;<sub>f</sub> (paper, Table 2), before the best of a "
         "position is "
         "chosen.</p>\n" +
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

std::string ParameterTable(const Parameters& parameters) {
  if (parameters.empty()) return "";
  HtmlTable table;
  table.head = {"parameter", "value"};
  for (const auto& [name, value] : parameters) table.rows.push_back({EscapeHtml(name), EscapeHtml(value)});
  return "<h2>Parameters</h2>\n<div class=\"params\">" + RenderTable(table) + "</div>\n";
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

std::string RenderAnnotationReport(const std::vector<AnnotatedDocument>& documents, const Parameters& parameters) {
  const AnnotationCounts counts = CountAnnotations(documents);
  ToolIndices tools;
  for (const auto& [name, figures] : counts.tools) tools.emplace(name, tools.size());
  std::string page = kHead;
  page +=
      "<h1>Annotation report</h1>\n<p class=\"note\">Tool calls that a language model put into texts, run, and kept "
      "where they help it predict what follows.</p>\n";
  page += Cards(counts);
  if (!counts.tools.empty()) page += Funnel(counts) + Histograms(counts, parameters) + Thresholds(counts);
  page += Texts(documents, tools) + ParameterTable(parameters);
  return page + "</body></html>\n";
}

}  // namespace toolformer
