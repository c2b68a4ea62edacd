// toolformer eval: the paper's measurements.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "output_file.h"
#include "terminal.h"
#include "tool_flags.h"
#include "toolformer/math_suite.h"

namespace toolformer::cli {
namespace {

struct EvalFlags {
  ModelFlags model;
  ToolFlags tools;
  std::vector<std::string> data;
  std::string out;
  int64_t limit = 0;  // 0: all
  bool no_tools = false;
  bool quiet = false;
  DecodeOptions options;
};

struct Set {
  std::string name;
  MathProblems problems;
  MathScore score;
};

nlohmann::ordered_json ToJson(const MathProblem& problem, const MathPrediction& prediction) {
  nlohmann::ordered_json json;
  json["id"] = problem.id;
  json["problem"] = problem.text;
  json["answer"] = problem.answer;
  json["text"] = prediction.text;
  json["predicted"] = prediction.predicted ? nlohmann::ordered_json(*prediction.predicted) : nlohmann::ordered_json();
  json["correct"] = prediction.correct;
  json["calls"] = nlohmann::ordered_json::array();
  for (const DecodedCall& call : prediction.calls) {
    json["calls"].push_back(
        {{"tool", call.call.tool},
         {"input", call.call.input},
         {"result", call.result ? nlohmann::ordered_json(*call.result) : nlohmann::ordered_json()}});
  }
  if (!prediction.error.empty()) json["error"] = prediction.error;
  return json;
}

absl::Status WriteScores(const EvalFlags& flags, const std::vector<Set>& sets) {
  nlohmann::ordered_json json;
  json["model"] = std::filesystem::path(flags.model.path).filename().string();
  json["tools"] = flags.no_tools ? std::vector<std::string>() : flags.tools.names;
  json["opening_top_k"] = flags.options.opening_top_k;
  json["max_calls"] = flags.options.max_calls;
  json["max_new_tokens"] = flags.options.max_new_tokens;
  for (const Set& set : sets) {
    nlohmann::ordered_json& of_set = json["sets"][set.name];
    of_set["problems"] = set.score.predictions.size();
    of_set["not_numbers"] = set.problems.not_numbers;
    of_set["correct"] = set.score.correct;
    of_set["accuracy"] = set.score.accuracy();
    of_set["call_share"] = set.score.call_share();
    of_set["predictions"] = nlohmann::ordered_json::array();
    for (size_t i = 0; i < set.score.predictions.size(); ++i) {
      of_set["predictions"].push_back(ToJson(set.problems.problems[i], set.score.predictions[i]));
    }
  }
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> out, OutputFile::Create(flags.out));
  CLI_RETURN_IF_ERROR(out->Write(PrintJson(json) + "\n"));
  return out->Commit();
}

void PrintScores(const std::vector<Set>& sets) {
  fmt::print("  {:28}{:>10}{:>10}{:>10}{:>12}\n", "", "problems", "correct", "percent", "with a call");
  for (const Set& set : sets) {
    fmt::print("  {:28}{:>10}{:>10}{:>10.1f}{:>11.1f}%\n", PrintableLine(set.name), set.score.predictions.size(),
               set.score.correct, 100 * set.score.accuracy(), 100 * set.score.call_share());
  }
}

absl::StatusOr<std::vector<Set>> ReadSets(const EvalFlags& flags) {
  std::vector<Set> sets;
  for (const std::string& path : flags.data) {
    CLI_ASSIGN_OR_RETURN(MathProblems problems, ReadMathProblems(path));
    if (flags.limit > 0 && flags.limit < std::ssize(problems.problems)) problems.problems.resize(flags.limit);
    sets.push_back({std::filesystem::path(path).stem().string(), std::move(problems), {}});
  }
  return sets;
}

absl::Status RunEval(const EvalFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<ToolRegistry> registry, MakeRegistry(flags.tools));
  CLI_ASSIGN_OR_RETURN(std::vector<Set> sets, ReadSets(flags));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(flags.model));
  DecodeOptions options = flags.options;
  if (flags.no_tools) options.tool_use = ToolUse::kDisabled;
  options.interrupt.cancel = &CatchSignals();
  ToolExecutor executor(*registry);
  const AugmentingDecoder decoder(*model, *registry, executor);
  ProgressLine progress({});
  if (flags.quiet) progress.Disable();
  for (Set& set : sets) {
    const auto report = [&](const MathScore& so_far) {
      progress.Note(fmt::format("{}: {}/{} problems, {} correct", set.name, so_far.predictions.size(),
                                set.problems.problems.size(), so_far.correct));
    };
    report({});
    CLI_ASSIGN_OR_RETURN(set.score, ScoreMath(decoder, set.problems.problems, options, report));
  }
  progress.Clear();
  if (!flags.out.empty()) CLI_RETURN_IF_ERROR(WriteScores(flags, sets));
  if (!flags.quiet) PrintScores(sets);
  return absl::OkStatus();
}

}  // namespace

Subcommand AddEval(CLI::App* parent) {
  auto flags = std::make_shared<EvalFlags>();
  flags->options.max_new_tokens = 32;
  CLI::App* app =
      parent->add_subcommand("eval", "Score a model on word problems, with and without tools (section 4.2)");
  app->description(
      "Asks a model the word problems of ASDiv, SVAMP and MAWPS as the paper does: zero-shot, greedily, \"... The "
      "answer\n"
      "is\", and the first number of what it writes counts (behind the \"=\" where there is one).");
  AddModelFlags(app, &flags->model);
  app->add_option("--data", flags->data, "files of the sets as they are published: ASDiv.xml, SVAMP.json, MAWPS' JSON")
      ->required()
      ->type_name("FILE ...");
  app->add_option("--tools", flags->tools.names, "tools, separated by commas: " + KnownTools())
      ->delimiter(',')
      ->allow_extra_args(false)
      ->default_str("Calculator")
      ->type_name("NAMES");
  flags->tools.names = {"Calculator"};
  app->add_flag("--no-tools", flags->no_tools, "the opening of a call has probability 0");
  app->add_option("--out", flags->out, "every prediction, as JSON")->type_name("FILE.json");
  app->add_option("--limit", flags->limit, "only the first N problems of each set")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  const std::string group = "Decoding";
  app->add_option("--top-k", flags->options.opening_top_k,
                  "open a call whenever that is among the k most likely tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--max-calls", flags->options.max_calls, "most calls of an answer")
      ->check(CLI::Range(0, 16))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--max-tokens", flags->options.max_new_tokens, "most tokens that the model writes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--rows", flags->options.max_batch_rows, "problems decoded at once")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_flag("--quiet", flags->quiet, "print nothing but errors");
  app->footer("\nExample:\n  toolformer eval --model tuned/model --data SVAMP.json ASDiv.xml --out predictions.json");
  return {app, [flags] { return RunEval(*flags); }};
}

}  // namespace toolformer::cli
