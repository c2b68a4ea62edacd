#include "src/eval/report_html.h"

#include <fmt/format.h>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr size_t kToolColours = 6;  // as many as the style has

// The policy lets nothing run and nothing load, should markup ever slip through the escaping.
constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
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
.line { fill: none; stroke: var(--c); stroke-width: 1.8; } .thin { stroke-width: 1; opacity: .4; } .dot { fill: var(--c); }
.marked { fill: none; stroke: var(--ink); stroke-width: 1.4; }
.tau { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 4 3; } svg .taulabel { fill: var(--ink); }
.filter { position: absolute; opacity: 0; } .filter + label { display: inline-block; cursor: pointer; margin: 0 .4rem .4rem 0; padding: .1rem .7rem;
  border: 1px solid var(--rule); border-radius: 1rem; font-size: .87rem; color: var(--soft); text-decoration: line-through; }
.filter:checked + label { background: var(--card); border-color: var(--soft); color: var(--ink); text-decoration: none; }
.filter:focus-visible + label { outline: 2px solid var(--c0); }
.f-right:not(:checked) ~ .right, .f-wrong:not(:checked) ~ .wrong, .f-called:not(:checked) ~ .called,
.f-uncalled:not(:checked) ~ .uncalled, .f-failed:not(:checked) ~ .failed { display: none; }
section { margin-top: 1.6rem; }
.doc dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .4rem 0 0; font-size: .92rem; }
.doc dt { color: var(--soft); } .doc dd { margin: 0; overflow-wrap: anywhere; }
)";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    const std::string_view bytes = text.substr(0, c.length);
    text.remove_prefix(c.length);
    if (!c.valid || (c.value >= 0x80 && c.value < 0xA0) || (c.value & 0xFFFE) == 0xFFFE) {
      out += "&#xfffd;";
    } else if (c.value == '&') {
      out += "&amp;";
    } else if (c.value == '<') {
      out += "&lt;";
    } else if (c.value == '>') {
      out += "&gt;";
    } else if (c.value == '"') {
      out += "&quot;";
    } else if (c.value == '\'') {
      out += "&#39;";
    } else if (c.value == '\n' || c.value == '\t' || (c.value >= 0x20 && c.value != 0x7F)) {
      out += bytes;
    } else {
      out += fmt::format("&#x{:x};", c.value == 0x7F ? 0x2421 : 0x2400 + c.value);
    }
  }
  return out;
}

std::string PageHead(std::string_view title) {
  const std::string name = EscapeHtml(title);
  return fmt::format("{}</style><title>{}</title></head><body>\n<h1>{}</h1>\n", kHead, name, name);
}

std::string RenderCard(std::string_view figure, std::string_view words) {
  return fmt::format("<div><b>{}</b><span class=\"note\">{}</span></div>\n", figure, words);
}

std::string RenderParameters(const ReportParameters& parameters) {
  if (parameters.empty()) return "";
  HtmlTable table;
  table.head = {"parameter", "value"};
  for (const auto& [name, value] : parameters) table.rows.push_back({EscapeHtml(name), EscapeHtml(value)});
  return "<h2>Parameters</h2>\n<div class=\"params\">" + RenderTable(table) + "</div>\n";
}

std::string RenderTable(const HtmlTable& table) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& cell : table.head) out += "<th scope=\"col\">" + cell + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      out += i == 0 ? "<th scope=\"row\">" + row[i] + "</th>" : "<td>" + row[i] + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string VerdictWords(Verdict verdict) {
  std::string words(VerdictName(verdict));
  for (char& c : words) {
    if (c == '_') c = ' ';
  }
  return words;
}

std::string ToolClass(size_t index) { return fmt::format("t{}", index % kToolColours); }

}  // namespace toolformer
