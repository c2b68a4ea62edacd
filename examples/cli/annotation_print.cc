#include "annotation_print.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace toolformer::cli {
namespace {

// Bytes of text shown on each side of a kept call.
constexpr int64_t kContextBytes = 240;

std::string DocumentName(const AnnotatedDocument& annotated) {
  return annotated.document.id.empty() ? "(no id)" : Shorten(PrintableLine(annotated.document.id), 80);
}

std::string VerdictText(Verdict verdict) {
  std::string name(VerdictName(verdict));
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string Row(const JudgedCall& call, const Style& style) {
  const std::string written = Shorten(PrintableLine(PrintCallBody(call.call)), 44);
  const std::string result = Shorten(PrintableLine(call.result ? *call.result : call.error), 28);
  std::string losses = fmt::format("{:>9} {:>9} {:>9} {:>10}", "", "", "", "");
  if (call.losses) {
    const std::string with_call = call.losses->call ? fmt::format("{:.4f}", *call.losses->call) : "-";
    const std::string gain = fmt::format("{}{:+.4f}", call.losses->gain_is_bound() ? "<=" : "", call.losses->gain());
    losses = fmt::format("{:9.4f} {:>9} {:9.4f} {:>10}", call.losses->empty, with_call, call.losses->result, gain);
  }
  const std::string verdict = VerdictText(call.verdict);
  return fmt::format("    {:>5} {:7.4f}  {:<44} {:<28} {}  {}\n", call.position, call.opening_probability, written,
                     result, losses, call.verdict == Verdict::kKept ? style.Good(verdict) : style.Dim(verdict));
}

// "25 samples: 9 candidates, 10 duplicates".
std::string DescribeSamples(const SamplingCounts& counts) {
  std::string text = fmt::format("{} samples: {} candidates", counts.samples, counts.candidates);
  const std::pair<int64_t, const char*> rest[] = {{counts.duplicates, "duplicates"},
                                                  {counts.not_a_call, "not a call"},
                                                  {counts.other_tool, "of another tool"},
                                                  {counts.not_closed, "not closed"},
                                                  {counts.dropped, "dropped by the tool"}};
  for (const auto& [count, name] : rest) {
    if (count > 0) text += fmt::format(", {} {}", count, name);
  }
  return text;
}

// The end of `byte` that does not stand inside a UTF-8 sequence.
int64_t AtCodePoint(std::string_view text, int64_t byte) {
  while (byte > 0 && byte < std::ssize(text) && (static_cast<uint8_t>(text[byte]) & 0xC0) == 0x80) --byte;
  return byte;
}

std::vector<const JudgedCall*> KeptCalls(const AnnotatedDocument& annotated) {
  std::map<int64_t, const JudgedCall*> kept;
  for (const ToolOutcome& outcome : annotated.tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (call.verdict == Verdict::kKept) kept[call.position] = &call;
    }
  }
  std::vector<const JudgedCall*> calls;
  calls.reserve(kept.size());
  for (const auto& [position, call] : kept) calls.push_back(call);
  return calls;
}

std::string PaintCall(const JudgedCall& call, const Style& style) {
  std::string text = call.position == 0 ? "" : " ";
  text += style.Call("[" + PrintableLine(PrintCallBody(call.call)) + " ->");
  if (call.result && !call.result->empty()) text += " " + style.Result(PrintableLine(*call.result));
  return text + style.Call("]");
}

std::vector<ToolStatistics> Waiting(const std::vector<ToolStatistics>& execution) {
  std::vector<ToolStatistics> waiting;
  std::copy_if(execution.begin(), execution.end(), std::back_inserter(waiting),
               [](const ToolStatistics& tool) { return !tool.returns_at_once; });
  return waiting;
}

}  // namespace

std::string DescribeAnnotation(const AnnotatedDocument& annotated, std::string_view title, const Style& style) {
  std::string out = style.Strong(fmt::format("{} {}", title, DocumentName(annotated)));
  if (annotated.skip != Skip::kNone) return out + fmt::format(": skipped ({})\n", SkipName(annotated.skip));
  out += fmt::format(", {} tokens\n", annotated.token_ids.size());
  for (const ToolOutcome& outcome : annotated.tools) {
    if (!outcome.document_accepted) {
      out += fmt::format("  {}: not a text for this tool\n", outcome.tool);
      continue;
    }
    out += fmt::format("  {}: {} positions", outcome.tool, outcome.positions.size());
    for (size_t i = 0; i < outcome.positions.size(); ++i) {
      const Position& position = outcome.positions[i];
      out += fmt::format("{}{} (p {:.4f})", i == 0 ? ": " : ", ", position.index, position.probability);
    }
    out += "; " + DescribeSamples(outcome.sampling) + "\n";
    if (outcome.calls.empty()) continue;
    out += style.Dim(fmt::format("    {:>5} {:>7}  {:<44} {:<28} {:>9} {:>9} {:>9} {:>10}  {}", "i", "p_i", "call",
                                 "result or error", "L(empty)", "L(call)", "L+", "gain", "verdict")) +
           "\n";
    for (const JudgedCall& call : outcome.calls) out += Row(call, style);
  }
  return out;
}

std::string DescribeKeptCalls(const AnnotatedDocument& annotated, const Style& style) {
  const std::string& text = annotated.document.text;
  std::string out = style.Strong(DocumentName(annotated)) + "\n  ";
  int64_t byte = 0;  // shown up to here
  for (const JudgedCall* call : KeptCalls(annotated)) {
    const int64_t at = std::clamp<int64_t>(call->byte_offset, byte, std::ssize(text));
    if (at - byte > 2 * kContextBytes) {
      const int64_t resume = AtCodePoint(text, at - kContextBytes);
      if (byte > 0) out += PrintableLine(text.substr(byte, AtCodePoint(text, byte + kContextBytes) - byte));
      out += style.Dim(" ... ");
      byte = resume;
    }
    out += PrintableLine(text.substr(byte, at - byte)) + PaintCall(*call, style);
    byte = at;
  }
  const int64_t end =
      std::ssize(text) - byte > 2 * kContextBytes ? AtCodePoint(text, byte + kContextBytes) : std::ssize(text);
  out += PrintableLine(text.substr(byte, end - byte));
  return out + (end < std::ssize(text) ? style.Dim(" ...") : "") + "\n";
}

std::string DescribeYields(const AnnotationCounts& counts, const Style& style) {
  std::string rows;
  for (const auto& [name, tool] : counts.tools) {
    for (const auto& [source, yield] : tool.yields) {
      rows += fmt::format("  {:<28} {:>12.0f}", fmt::format("{}, {}", name, CallSourceName(source)),
                          KeptPerMillionTokens(yield, counts));
      for (const double threshold : kReportedThresholds) rows += fmt::format(" {:>8}", yield.at.at(threshold));
      rows += "\n";
    }
  }
  if (rows.empty()) return "";
  std::string head = fmt::format("  {:<28} {:>12}", "kept a million tokens", "");
  for (const double threshold : kReportedThresholds) head += fmt::format(" {:>8}", fmt::format("at {:g}", threshold));
  return style.Dim(head) + "\n" + rows;
}

std::string DescribeCounts(const AnnotationCounts& counts, const Style& style) {
  std::string out = fmt::format("{} texts, {} with kept calls", counts.documents, counts.documents_with_calls);
  for (const auto& [skip, count] : counts.skipped) {
    if (skip != Skip::kNone && count > 0) out += fmt::format(", {} skipped ({})", count, SkipName(skip));
  }
  out += "\n";
  std::vector<std::pair<std::string, std::vector<std::string>>> rows = {{"texts asked about", {}},
                                                                        {"positions", {}},
                                                                        {"samples", {}},
                                                                        {"  duplicates", {}},
                                                                        {"  not a call", {}},
                                                                        {"  of another tool", {}},
                                                                        {"  not closed", {}},
                                                                        {"candidates", {}},
                                                                        {"  tool error", {}},
                                                                        {"  gain below tau_f", {}},
                                                                        {"  smaller gain than another", {}},
                                                                        {"  kept", {}}};
  std::string head = fmt::format("  {:<28}", "");
  for (const auto& [name, tool] : counts.tools) {
    head += fmt::format(" {:>12}", name);
    const auto verdict = [&tool = tool](Verdict wanted) {
      const auto found = tool.verdicts.find(wanted);
      return found == tool.verdicts.end() ? int64_t{0} : found->second;
    };
    const SamplingCounts& s = tool.sampling;
    const int64_t values[] = {tool.documents_accepted,
                              tool.positions,
                              s.samples,
                              s.duplicates,
                              s.not_a_call,
                              s.other_tool,
                              s.not_closed,
                              s.candidates,
                              verdict(Verdict::kToolError),
                              verdict(Verdict::kBelowThreshold),
                              verdict(Verdict::kSmallerGain),
                              verdict(Verdict::kKept)};
    for (size_t i = 0; i < rows.size(); ++i) rows[i].second.push_back(fmt::format(" {:>12}", values[i]));
  }
  out += style.Dim(head) + "\n";
  for (const auto& [name, cells] : rows) {
    std::string line = fmt::format("  {:<28}", name);
    for (const std::string& cell : cells) line += cell;
    out += (name == "  kept" ? style.Good(line) : line) + "\n";
  }
  return out + DescribeYields(counts, style);
}

std::string DescribeExecution(const std::vector<ToolStatistics>& execution, const Style& style) {
  std::string out;
  for (const ToolStatistics& tool : Waiting(execution)) {
    if (out.empty()) out = style.Dim("  calls of tools that may take their time, in this process") + "\n";
    out += fmt::format("  {:<28} {} calls: {} made, {} known, {} not made; {} answered", tool.tool, tool.requests,
                       tool.called, tool.shared + tool.from_memory + tool.from_disk, tool.refused, tool.answered);
    for (const auto& [code, count] : tool.errors) out += fmt::format(", {} {}", count, StatusCodeName(code));
    out += fmt::format("; {} tried again; p50 {:.1f} ms, p99 {:.1f} ms\n", tool.retries, tool.latency_p50_ms,
                       tool.latency_p99_ms);
    if (tool.breaker_opened == 0) continue;
    out += style.Bad(fmt::format("  {:<28} failed too often in a row ({} times): {} calls were not made", tool.tool,
                                 tool.breaker_opened, tool.breaker_refused)) +
           "\n";
  }
  return out;
}

nlohmann::ordered_json CountsJson(const AnnotationCounts& counts, const std::vector<ToolStatistics>& execution) {
  nlohmann::ordered_json json;
  json["texts"] = counts.documents;
  json["texts_with_calls"] = counts.documents_with_calls;
  json["tokens"] = counts.tokens;
  for (const auto& [skip, count] : counts.skipped) json["skipped"][std::string(SkipName(skip))] = count;
  for (const auto& [name, tool] : counts.tools) {
    nlohmann::ordered_json& of_tool = json["tools"][name];
    of_tool["texts_asked_about"] = tool.documents_accepted;
    of_tool["positions"] = tool.positions;
    for (const auto& [verdict, count] : tool.verdicts) of_tool["verdicts"][std::string(VerdictName(verdict))] = count;
    for (const auto& [source, yield] : tool.yields) {
      nlohmann::ordered_json& of_source = of_tool["sources"][std::string(CallSourceName(source))];
      of_source["candidates"] = yield.candidates;
      of_source["kept"] = yield.kept;
      of_source["kept_per_million_tokens"] = KeptPerMillionTokens(yield, counts);
      for (const auto& [threshold, count] : yield.at) of_source["at"][fmt::format("{:g}", threshold)] = count;
    }
  }
  // Of this process only, and so not there for tools that return at once: the file is then the same however often the
  // run was interrupted.
  const std::vector<ToolStatistics> waiting = Waiting(execution);
  if (!waiting.empty()) {
    json["calls_of_last_process"] = nlohmann::ordered_json::parse(FormatToolStatistics(waiting));
  }
  return json;
}

}  // namespace toolformer::cli
