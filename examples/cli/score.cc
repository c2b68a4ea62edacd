// toolformer score: the loss filter on calls that are given, with every number it computes.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "output_file.h"
#include "terminal.h"
#include "toolformer/loss_filter.h"

namespace toolformer::cli {
namespace {

struct ScoreFlags {
  ModelFlags model;
  std::string cases, out;
};

// A line of the input.
struct Case {  // NOLINT(bugprone-exception-escape): the JSON's move does not throw
  nlohmann::ordered_json json;
  std::string text;
  FilterCase filter_case;
  std::string where;  // "cases.jsonl:17"
};

absl::Status InContext(const absl::Status& status, const Case& first) {
  return absl::Status(status.code(), first.where + ": " + std::string(status.message()));
}

absl::StatusOr<std::string> StringField(const nlohmann::ordered_json& json, const char* name) {
  const auto field = json.find(name);
  if (field == json.end()) return Failure("field '{}' is missing", name);
  if (!field->is_string()) return Failure("field '{}' is a JSON {}, not a string", name, field->type_name());
  return field->get<std::string>();
}

absl::StatusOr<Case> ParseCase(std::string_view line) {
  Case parsed;
  CLI_ASSIGN_OR_RETURN(parsed.json, ParseJsonObject(line));
  CLI_ASSIGN_OR_RETURN(parsed.text, StringField(parsed.json, "text"));
  CLI_ASSIGN_OR_RETURN(parsed.filter_case.result, StringField(parsed.json, "result"));
  CLI_ASSIGN_OR_RETURN(const std::string call, StringField(parsed.json, "call"));
  const CallScan scan = ScanCallBody(call);
  if (scan.state != CallScanState::kComplete || scan.length != call.size()) {
    return Failure("field 'call' is not one call, as in Calculator(53 + 13): '{}'", Shorten(call, 80));
  }
  parsed.filter_case.call = scan.call;
  const auto position = parsed.json.find("position");
  if (position == parsed.json.end()) return Failure("field 'position' is missing");
  if (!position->is_number_integer() || position->get<double>() < 0.0 || position->get<double>() > 1e9) {
    return Failure("field 'position' is {}, not the index of a token", position->dump());
  }
  parsed.filter_case.position = position->get<int64_t>();
  return parsed;
}

// The next case; nothing at the end.
absl::StatusOr<std::optional<Case>> ReadCase(LineReader* reader) {
  std::string_view line;
  CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
  if (!more) return std::optional<Case>();
  absl::StatusOr<Case> parsed = ParseCase(line);
  if (!parsed.ok()) return Failure("{}: {}", reader->Where(), std::string(parsed.status().message()));
  parsed->where = reader->Where();
  return std::optional<Case>(*std::move(parsed));
}

absl::Status CheckCases(const std::string& path) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(path));
  int64_t count = 0;
  while (true) {
    CLI_ASSIGN_OR_RETURN(const std::optional<Case> next, ReadCase(reader.get()));
    if (!next) break;
    ++count;
  }
  return count == 0 ? Failure("{}: holds no cases", path) : absl::OkStatus();
}

class Scorer {
 public:
  Scorer(const Model& model, OutputFile* out) : model_(model), filter_(model), out_(*out) {}

  // Cases of one text, scored together.
  absl::Status Score(std::vector<Case> cases, const Interrupt& interrupt) {
    if (cases.empty()) return absl::OkStatus();
    const std::vector<int32_t> x = model_.tokenizer().Encode(cases.front().text);
    std::vector<FilterCase> filter_cases;
    filter_cases.reserve(cases.size());
    for (const Case& each : cases) filter_cases.push_back(each.filter_case);
    const absl::StatusOr<std::vector<CallLosses>> scored = filter_.Score(x, filter_cases, interrupt);
    if (!scored.ok()) return InContext(scored.status(), cases.front());
    const std::vector<CallLosses>& losses = *scored;
    for (size_t i = 0; i < cases.size(); ++i) {
      nlohmann::ordered_json& json = cases[i].json;
      json["token_ids"] = x;
      json["loss_empty"] = losses[i].empty;
      // Exact gains were asked for: it is always there.
      if (losses[i].call) json["loss_call"] = *losses[i].call;
      json["loss_result"] = losses[i].result;
      json["gain"] = losses[i].gain();
      CLI_RETURN_IF_ERROR(out_.Write(PrintJson(json) + "\n"));
      if (IsTerminal(stdout)) PrintRow(cases[i], losses[i]);
    }
    return absl::OkStatus();
  }

 private:
  void PrintRow(const Case& scored, const CallLosses& losses) {
    if (!std::exchange(heading_, true)) {
      fmt::print("{}\n", style_.Dim(fmt::format("{:>5}  {:<40} {:<24} {:>9} {:>9} {:>9} {:>8}", "i", "call", "result",
                                                "L(empty)", "L(call)", "L+", "gain")));
    }
    const std::string gain = fmt::format("{:+8.4f}", losses.gain());
    fmt::print("{:>5}  {:<40} {:<24} {:9.4f} {:9.4f} {:9.4f} {}\n", scored.filter_case.position,
               Shorten(PrintableLine(PrintCallBody(scored.filter_case.call)), 40),
               Shorten(PrintableLine(scored.filter_case.result), 24), losses.empty, losses.call.value_or(losses.empty),
               losses.result, losses.gain() > 0.0 ? style_.Good(gain) : gain);
  }

  const Model& model_;
  const LossFilter filter_;
  OutputFile& out_;
  const Style style_{stdout};
  bool heading_ = false;
};

absl::Status RunScore(const ScoreFlags& flags) {
  CLI_RETURN_IF_ERROR(CheckCases(flags.cases));
  CLI_RETURN_IF_ERROR(CheckWritable(flags.out));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(flags.model));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> out, OutputFile::Create(flags.out));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(flags.cases));
  Interrupt interrupt;
  interrupt.cancel = &CatchSignals();
  Scorer scorer(*model, out.get());
  // Lines that follow each other and have the same text share their passes.
  std::vector<Case> together;
  int64_t tokens = 0;
  while (true) {
    CLI_ASSIGN_OR_RETURN(std::optional<Case> next, ReadCase(reader.get()));
    if (!together.empty() && (!next || next->text != together.front().text)) {
      CLI_RETURN_IF_ERROR(scorer.Score(std::exchange(together, {}), interrupt));
    }
    if (!next) break;
    if (together.empty()) tokens = std::ssize(model->tokenizer().Encode(next->text));
    if (next->filter_case.position >= tokens) {
      return Failure("{}: position {} is not within the text's {} tokens", next->where, next->filter_case.position,
                     tokens);
    }
    together.push_back(*std::move(next));
  }
  return out->Commit();
}

}  // namespace

Subcommand AddScore(CLI::App* parent) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* app = parent->add_subcommand("score", "Losses and gain of calls that are given (section 2, filtering)");
  app->description(
      "Computes for each case the weighted loss L_i of the words from position i on (paper, section 2): without a "
      "call,\n"
      "with the call but no result, and with the result (L+). gain = min(L(empty), L(call)) - L+, in nats; annotate\n"
      "keeps a call when its gain is at least tau_f.");
  AddModelFlags(app, &flags->model);
  app->add_option("--cases", flags->cases,
                  "one JSON object a line: text, position (index of a token), call, result; other fields are kept")
      ->required()
      ->type_name("FILE.jsonl");
  app->add_option("--out", flags->out,
                  "the same lines with token_ids, loss_empty, loss_call, loss_result and gain (replaced if it exists)")
      ->required()
      ->type_name("FILE.jsonl");
  app->footer(
      "\nExample:\n"
      "  echo '{\"text\":\"53 + 13 is 66.\",\"position\":4,\"call\":\"Calculator(53 + 13)\",\"result\":\"66\"}' > "
      "cases.jsonl\n"
      "  toolformer score --model gemma.gguf --cases cases.jsonl --out scored.jsonl");
  return {app, [flags] { return RunScore(*flags); }};
}

}  // namespace toolformer::cli
