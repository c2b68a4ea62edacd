#include "toolformer/evaluation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "src/base/utf8.h"
#include "src/eval/report_calibration.h"
#include "src/eval/report_html.h"

namespace toolformer {
namespace {

// Beyond that a browser takes too long; the figures are of all questions nevertheless.
constexpr size_t kMaxShown = 2000;
constexpr size_t kMaxTextBytes = 4000;

// Index of a tool: decides its colour.
using ToolIndices = std::map<std::string, size_t>;

std::string Shortened(std::string_view text) {
  const std::string_view shown = Utf8Prefix(text, kMaxTextBytes);
  std::string out = EscapeHtml(shown);
  if (shown.size() < text.size()) {
    out += fmt::format(" <i class=\"note\">... {} more bytes</i>", text.size() - shown.size());
  }
  return out;
}

// One past the bracket that closes the call whose opening one is at `begin`.
size_t EndOfCall(std::string_view text, size_t begin) {
  const CallScan scan = ScanCallBody(text.substr(begin + 1));
  const size_t close = text.find(']', begin + 1 + scan.length);
  return close == std::string_view::npos ? text.size() : close + 1;
}

std::string Marked(std::string_view text, const DecodedCall& call, const ToolIndices& tools) {
  const auto index = tools.find(call.call.tool);
  return fmt::format(
      "<mark class=\"{}\" tabindex=\"0\" title=\"{}\">{}</mark>", ToolClass(index == tools.end() ? 0 : index->second),
      EscapeHtml(fmt::format("p = {:.4g}{}{}", call.opening_probability, call.error.empty() ? "" : "\n", call.error)),
      EscapeHtml(text));
}

std::string TextWithCalls(const Prediction& prediction, const ToolIndices& tools) {
  const std::string_view text = Utf8Prefix(prediction.text, kMaxTextBytes);
  std::string out;
  size_t byte = 0;
  for (const DecodedCall& call : prediction.calls) {
    if (call.byte_offset < 0) continue;
    const auto begin = static_cast<size_t>(call.byte_offset);
    if (begin < byte || begin >= text.size()) continue;
    const size_t end = EndOfCall(text, begin);
    out += EscapeHtml(text.substr(byte, begin - byte)) + Marked(text.substr(begin, end - begin), call, tools);
    byte = end;
  }
  return out + EscapeHtml(text.substr(byte)) + (text.size() < prediction.text.size() ? " ..." : "");
}

// Which of the filters lets it through.
std::string_view CallClass(const Prediction& prediction) {
  if (!prediction.called()) return "uncalled";
  return prediction.call_failed() ? "failed" : "called";
}

std::string RenderQuestion(const Question& question, const Prediction& prediction, const ToolIndices& tools) {
  std::string out = fmt::format("<article class=\"doc {} {}\"><h3>{} <span class=\"{}</span></h3>\n",
                                prediction.correct ? "right" : "wrong", CallClass(prediction),
                                EscapeHtml(Utf8Prefix(question.id, 200)),
                                prediction.exact     ? "kept\">right, and nothing else"
                                : prediction.correct ? "kept\">right"
                                                     : "error\">wrong");
  out += fmt::format("<p class=\"text note\" dir=\"auto\">{}</p>\n<p class=\"text\" dir=\"auto\">{}</p>\n<dl>",
                     Shortened(question.text), TextWithCalls(prediction, tools));
  const auto row = [&](std::string_view name, const std::string& html) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html);
  };
  row("predicted",
      prediction.predicted ? "<code>" + Shortened(PrintAnswer(*prediction.predicted)) + "</code>" : "<i>nothing</i>");
  row("right is", "<code>" + Shortened(PrintAnswer(question.answer)) + "</code>");
  row("probability of calling", fmt::format("{:.4g}{}", prediction.opening_probability,
                                            prediction.result_correct ? "; the result of the call is right" : ""));
  for (const DecodedCall& call : prediction.calls) {
    if (!call.error.empty()) row("call failed", "<span class=\"error\">" + Shortened(call.error) + "</span>");
  }
  if (!prediction.error.empty()) row("not asked", "<span class=\"error\">" + Shortened(prediction.error) + "</span>");
  return out + "</dl></article>\n";
}

// Check boxes before the questions; the style hides what those that are not checked stand for.
std::string Filters(const PredictionCounts& counts, size_t set) {
  const struct {
    std::string_view name, words;
    int64_t count;
  } filters[] = {{"right", "right", counts.correct},
                 {"wrong", "wrong", counts.predictions - counts.correct},
                 {"called", "call with result", counts.with_call - counts.call_failed},
                 {"uncalled", "no call", counts.predictions - counts.with_call},
                 {"failed", "call failed", counts.call_failed}};
  std::string out;
  for (const auto& filter : filters) {
    out += fmt::format(
        "<input type=\"checkbox\" class=\"filter f-{0}\" id=\"set{1}-{0}\" checked><label for=\"set{1}-{0}\">{2}: "
        "{3}</label>\n",
        filter.name, set, filter.words, filter.count);
  }
  return out;
}

std::string RenderSet(const EvaluatedSet& evaluated, size_t index, const ToolIndices& tools) {
  const PredictionCounts counts = CountPredictions(evaluated.predictions);
  std::string out = fmt::format("<h2>{}</h2>\n", EscapeHtml(evaluated.set.name)) + RenderCalibration(counts);
  out += "<section>\n<h3>Problems</h3>\n" + Filters(counts, index);
  const size_t count = std::min(evaluated.set.questions.size(), evaluated.predictions.size());
  for (size_t i = 0; i < std::min(count, kMaxShown); ++i) {
    out += RenderQuestion(evaluated.set.questions[i], evaluated.predictions[i], tools);
  }
  if (count > kMaxShown) out += fmt::format("<p class=\"note\">... and {} more, not shown</p>\n", count - kMaxShown);
  return out + "</section>\n";
}

std::string SetTable(const std::vector<EvaluatedSet>& sets) {
  if (sets.empty()) return "";
  HtmlTable table;
  table.head = {"", "problems", "right", "percent", "with a call", "call failed", "left out"};
  for (const EvaluatedSet& evaluated : sets) {
    const PredictionCounts counts = CountPredictions(evaluated.predictions);
    table.rows.push_back({EscapeHtml(evaluated.set.name), fmt::format("{}", counts.predictions),
                          fmt::format("{}", counts.correct), fmt::format("<b>{:.1f}</b>", 100 * counts.accuracy()),
                          fmt::format("{:.1f}%", 100 * counts.call_share()), fmt::format("{}", counts.call_failed),
                          fmt::format("{}", evaluated.set.left_out)});
  }
  return RenderTable(table);
}

std::string TextTable(const std::vector<EvaluatedText>& texts) {
  if (texts.empty()) return "";
  HtmlTable table;
  table.head = {"", "tokens", "perplexity, calls disabled", "perplexity", "nats a token"};
  for (const EvaluatedText& text : texts) {
    const TextLosses& total = text.perplexity.total;
    table.rows.push_back({EscapeHtml(text.name), fmt::format("{}", total.all.tokens),
                          fmt::format("<b>{:.3f}</b>", total.calls_disabled.perplexity()),
                          fmt::format("{:.3f}", total.all.perplexity()), fmt::format("{:.5f}", total.all.mean_nats())});
  }
  return RenderTable(table) +
         "<p class=\"note\">With calls disabled the opening of a call has probability 0, and the brackets of the text "
         "itself are left out.</p>\n";
}

}  // namespace

std::string RenderEvaluationReport(const Evaluation& evaluation) {
  ToolIndices tools;
  for (const EvaluatedSet& set : evaluation.sets) {
    for (const Prediction& prediction : set.predictions) {
      for (const DecodedCall& call : prediction.calls) tools.emplace(call.call.tool, tools.size());
    }
  }
  std::string page = PageHead("Evaluation report") + SetTable(evaluation.sets) + TextTable(evaluation.texts);
  for (size_t i = 0; i < evaluation.sets.size(); ++i) page += RenderSet(evaluation.sets[i], i, tools);
  page += RenderParameters(evaluation.parameters);
  return page.append(kPageEnd);
}

}  // namespace toolformer
