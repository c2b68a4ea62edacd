#include "src/eval/report_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "src/base/utf8.h"
#include "src/eval/report_html.h"

namespace toolformer {
namespace {

// A page of huge texts could not be opened.
constexpr size_t kMaxTextBytes = 200000;
constexpr size_t kMaxCalls = 1000;

std::string ClassOf(const std::string& tool, const ToolIndices& tools) {
  const auto found = tools.find(tool);
  return ToolClass(found == tools.end() ? 0 : found->second);
}

std::string Number(double value) { return fmt::format("{:.4f}", value); }

// "+1.2500", or "at most +0.1200" where that is all that is known; `at_most` says so.
std::string Gain(const CallLosses& losses, std::string_view at_most) {
  return fmt::format("{}{:+.4f}", losses.gain_is_bound() ? at_most : "", losses.gain());
}

// What is known of a call, for hovering.
std::string Explain(const JudgedCall& call) {
  std::string text = fmt::format("i = {}, p_i = {:.4f}", call.position, call.opening_probability);
  if (call.losses) {
    text += fmt::format("\nL(empty) = {:.4f}\nL(call) = {}\nL+ = {:.4f}\ngain = {} nats", call.losses->empty,
                        call.losses->call ? Number(*call.losses->call) : "not computed", call.losses->result,
                        Gain(*call.losses, "at most "));
  }
  return text;
}

std::string KeptCall(const JudgedCall& call, const std::string& css_class) {
  const std::string gain = call.losses ? fmt::format("<sup>{}{:+.2f}</sup>",
                                                     call.losses->gain_is_bound() ? "&#8804;" : "", call.losses->gain())
                                       : "";
  return fmt::format("{}<mark class=\"{}\" tabindex=\"0\" title=\"{}\">[{} &#8594; <b>{}</b>]{}</mark>",
                     call.position == 0 ? "" : " ", css_class, EscapeHtml(Explain(call)),
                     EscapeHtml(PrintCallBody(call.call)), EscapeHtml(call.result.value_or("")), gain);
}

std::string TextWithCalls(const AnnotatedDocument& annotated, const ToolIndices& tools) {
  std::map<int64_t, std::pair<const JudgedCall*, std::string>> kept;
  for (const ToolOutcome& outcome : annotated.tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (call.verdict == Verdict::kKept) kept[call.position] = {&call, ClassOf(outcome.tool, tools)};
    }
  }
  const std::string_view text = Utf8Prefix(annotated.document.text, kMaxTextBytes);
  std::string out = "<p class=\"text\" dir=\"auto\">";
  size_t byte = 0;
  for (const auto& [position, call] : kept) {
    const int64_t offset = call.first->byte_offset;
    const size_t at = offset < 0 ? byte : std::clamp(static_cast<size_t>(offset), byte, text.size());
    out += EscapeHtml(text.substr(byte, at - byte)) + KeptCall(*call.first, call.second);
    byte = at;
  }
  out += EscapeHtml(text.substr(byte));
  if (text.size() < annotated.document.text.size()) {
    out += fmt::format(" <i class=\"note\">... {} more bytes</i>", annotated.document.text.size() - text.size());
  }
  return out + "</p>\n";
}

std::vector<std::string> CandidateRow(const JudgedCall& call, const std::string& tool_class) {
  std::vector<std::string> row = {fmt::format("{}", call.position), Number(call.opening_probability)};
  row.push_back(fmt::format("<code class=\"{}\">{}</code>", tool_class, EscapeHtml(PrintCallBody(call.call))));
  row.push_back(call.result ? "<code>" + EscapeHtml(*call.result) + "</code>"
                            : "<span class=\"error\">" + EscapeHtml(call.error) + "</span>");
  if (call.losses) {
    row.push_back(Number(call.losses->empty));
    row.push_back(call.losses->call ? Number(*call.losses->call) : "&#8211;");
    row.push_back(Number(call.losses->result));
    row.push_back(Gain(*call.losses, "&#8804; "));
  } else {
    row.insert(row.end(), 4, "");
  }
  const bool kept = call.verdict == Verdict::kKept;
  row.push_back(kept ? "<b class=\"kept\">kept</b>" : EscapeHtml(VerdictWords(call.verdict)));
  return row;
}

std::string Candidates(const AnnotatedDocument& annotated, const ToolIndices& tools) {
  HtmlTable table;
  table.head = {"i", "p<sub>i</sub>", "call", "result", "L(&#949;)", "L(call)", "L&#8314;", "gain", "verdict"};
  size_t count = 0;
  for (const ToolOutcome& outcome : annotated.tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (++count <= kMaxCalls) table.rows.push_back(CandidateRow(call, ClassOf(outcome.tool, tools)));
    }
  }
  if (count == 0) return "";
  std::string out = RenderTable(table);
  if (count > kMaxCalls) out += fmt::format("<p class=\"note\">... and {} more</p>\n", count - kMaxCalls);
  return out;
}

// "Calculator: 20 positions, 200 samples, 31 candidates".
std::string Outcomes(const AnnotatedDocument& annotated) {
  std::string out = "<ul class=\"note\">\n";
  for (const ToolOutcome& outcome : annotated.tools) {
    const SamplingCounts& counts = outcome.sampling;
    out += "<li>" + EscapeHtml(outcome.tool);
    if (!outcome.document_accepted) {
      out += ": not a text for this tool</li>\n";
      continue;
    }
    out += fmt::format(": {} positions, {} samples, {} candidates", outcome.positions.size(), counts.samples,
                       counts.candidates);
    const std::pair<int64_t, const char*> lost[] = {{counts.duplicates, "duplicates"},
                                                    {counts.not_a_call, "not a call"},
                                                    {counts.other_tool, "of another tool"},
                                                    {counts.not_closed, "not closed"},
                                                    {counts.dropped, "dropped by the tool"}};
    for (const auto& [number, reason] : lost) {
      if (number > 0) out += fmt::format(", {} {}", number, reason);
    }
    out += "</li>\n";
  }
  return out + "</ul>\n";
}

std::string Heading(const AnnotatedDocument& annotated) {
  const Document& document = annotated.document;
  std::string out = document.id.empty() ? "<i>no id</i>" : EscapeHtml(Utf8Prefix(document.id, 200));
  if (document.date) out += " <span class=\"note\">" + FormatIsoDate(*document.date) + "</span>";
  // Shown, not linked: the page leads nowhere.
  if (!document.url.empty()) out += " <span class=\"note\">" + EscapeHtml(Utf8Prefix(document.url, 300)) + "</span>";
  return out;
}

}  // namespace

std::string RenderText(const AnnotatedDocument& annotated, const ToolIndices& tools) {
  if (annotated.skip != Skip::kNone) {
    std::string reason(SkipName(annotated.skip));
    std::replace(reason.begin(), reason.end(), '_', ' ');
    return fmt::format(
        "<details class=\"doc\"><summary>{} <span class=\"note\">skipped: {}</span></summary>\n{}</details>\n",
        Heading(annotated), reason, TextWithCalls(annotated, tools));
  }
  size_t candidates = 0;
  for (const ToolOutcome& outcome : annotated.tools) candidates += outcome.calls.size();
  const std::string table = Outcomes(annotated) + Candidates(annotated, tools);
  if (annotated.kept() == 0) {
    return fmt::format(
        "<details class=\"doc\"><summary>{} <span class=\"note\">{} candidates, none "
        "kept</span></summary>\n{}{}</details>\n",
        Heading(annotated), candidates, TextWithCalls(annotated, tools), table);
  }
  return fmt::format(
      "<article class=\"doc\"><h3>{}</h3>\n{}<details><summary>{} candidates, {} "
      "kept</summary>\n{}</details></article>\n",
      Heading(annotated), TextWithCalls(annotated, tools), candidates, annotated.kept(), table);
}

}  // namespace toolformer
