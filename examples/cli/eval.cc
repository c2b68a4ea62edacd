// toolformer eval: the paper's measurements.
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "eval_task.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "output_file.h"
#include "run_log.h"
#include "terminal.h"
#include "tool_flags.h"
#include "toolformer/search_index.h"

namespace toolformer::cli {
namespace {

constexpr std::string_view kTextSuite = "ppl";

struct EvalFlags {
  ModelFlags model;
  ToolFlags tools;
  std::string suite;  // empty: what the files say
  std::vector<std::string> data;
  std::string out, report;
  TaskOptions task;
  std::string ask;  // a tool; empty: the model is asked
  bool no_tools = false;
  bool overwrite = false;
  bool quiet = false;
  DecodeOptions options;
};

// With the tool that is asked among them.
ToolFlags ToolsInUse(const EvalFlags& flags) {
  ToolFlags tools = flags.tools;
  if (flags.ask.empty()) return tools;
  tools.names.clear();
  if (IsBuiltIn(flags.ask) || tools.tools_file.empty()) {
    tools.names = {flags.ask};
    tools.named_tools = nullptr;
  }
  return tools;
}

std::vector<std::string> SuiteNames() {
  std::vector<std::string> names;
  for (const QuestionSuite* suite : QuestionSuites()) names.emplace_back(suite->name);
  names.emplace_back(kTextSuite);
  return names;
}

const QuestionSuite* FindSuite(std::string_view name) {
  for (const QuestionSuite* suite : QuestionSuites()) {
    if (suite->name == name) return suite;
  }
  return nullptr;
}

absl::Status CheckFiles(const EvalFlags& flags) {
  RunFiles files;
  files.overwrite = flags.overwrite;
  for (const std::string& path : flags.data) files.inputs.emplace_back("--data", path);
  if (!flags.out.empty()) {
    files.outputs.emplace_back("--out", flags.out);
    files.log = PartialPath(flags.out);
  }
  if (!flags.report.empty()) files.outputs.emplace_back("--report", flags.report);
  return CheckRunFiles(files);
}

// The suite that all files are of.
absl::StatusOr<std::string> RecogniseSuite(const std::vector<DataFile>& files) {
  std::string name;
  for (const DataFile& file : files) {
    const QuestionSuite* found = nullptr;
    std::string formats;
    for (const QuestionSuite* suite : QuestionSuites()) {
      if (suite->recognises(file.content)) found = suite;
      formats += fmt::format("{}: {}; ", suite->name, suite->formats);
    }
    if (found == nullptr) {
      return Failure("{}: of no suite's format ({}any text with --suite {})", file.path, formats, kTextSuite);
    }
    if (!name.empty() && name != found->name) {
      return UsageError(fmt::format("--data: {} is of suite {}, {} of {}: one suite at a time", files.front().path,
                                    name, file.path, found->name));
    }
    name = found->name;
  }
  return name;
}

struct NamedTask {
  std::string suite;
  std::unique_ptr<EvalTask> task;
};

absl::StatusOr<NamedTask> MakeTask(const EvalFlags& flags) {
  std::vector<DataFile> files;
  for (const std::string& path : flags.data) {
    CLI_ASSIGN_OR_RETURN(std::string content, ReadDataFile(path));
    files.push_back({path, std::move(content)});
  }
  NamedTask named = {flags.suite, nullptr};
  if (named.suite.empty()) {
    CLI_ASSIGN_OR_RETURN(named.suite, RecogniseSuite(files));
  }
  if (const QuestionSuite* suite = FindSuite(named.suite)) {
    CLI_ASSIGN_OR_RETURN(named.task, MakeQuestionTask(*suite, files, flags.task));
  } else {
    CLI_ASSIGN_OR_RETURN(named.task, MakeTextTask(std::move(files), flags.task));
  }
  return named;
}

// One run: the items that the log lacks are made, then the results of all of them.
class EvalRun {
 public:
  EvalRun(const EvalFlags& flags, NamedTask task, const ToolRegistry& registry)
      : flags_(flags), suite_(std::move(task.suite)), task_(*task.task), owned_(std::move(task.task)) {
    for (const std::shared_ptr<const Tool>& tool : registry.tools()) tools_.push_back(tool->name);
  }

  absl::Status Measure(const Model& model, const ToolRegistry& registry);
  absl::Status WriteResults(const ModelInfo& model);

 private:
  bool asks() const { return suite_ != kTextSuite; }
  std::vector<std::string> Tools() const { return flags_.no_tools ? std::vector<std::string>() : tools_; }
  nlohmann::ordered_json Settings() const;
  nlohmann::ordered_json LogHeader(const ModelInfo& model) const;
  absl::Status OpenLog(const ModelInfo& model);
  absl::Status Take(std::string_view item);
  absl::Status Stopped(const absl::Status& why);
  absl::Status WriteFiles(const ModelInfo& model) const;
  std::string RenderReport(const ModelInfo& model) const;

  const EvalFlags& flags_;
  const std::string suite_;
  EvalTask& task_;
  const std::unique_ptr<EvalTask> owned_;
  std::vector<std::string> tools_;
  std::unique_ptr<RunLog> log_;  // null: none is kept
  int64_t done_ = 0;
  std::string asked_version_;
};

// How it is measured.
nlohmann::ordered_json EvalRun::Settings() const {
  nlohmann::ordered_json json = {{"suite", suite_}};
  if (!asks()) {
    json["window"] = flags_.task.window;
    return json;
  }
  json["tools"] = Tools();
  if (!flags_.ask.empty()) {
    json["asked"] = flags_.ask;
    json["asked_version"] = asked_version_;
  }
  if (!flags_.tools.date.empty()) json["date"] = flags_.tools.date;
  if (!flags_.tools.wiki_index.empty()) {
    const auto index = SearchIndex::Open(flags_.tools.wiki_index);
    json["wiki_index"] = index.ok() ? (*index)->identity() : "";
  }
  json["opening_top_k"] = flags_.options.opening_top_k;
  json["max_calls"] = flags_.options.max_calls;
  json["max_new_tokens"] = flags_.options.max_new_tokens;
  return json;
}

nlohmann::ordered_json EvalRun::LogHeader(const ModelInfo& model) const {
  nlohmann::ordered_json header = {{"format", "toolformer evaluation log"}, {"version", 1},
                                   {"program", TOOLFORMER_VERSION},         {"model", model.fingerprint},
                                   {"dtype", TypeName(model.type)},         {"device", flags_.model.device}};
  header.update(Settings());
  header["data"] = task_.Fingerprint();
  return header;
}

absl::Status EvalRun::OpenLog(const ModelInfo& model) {
  if (flags_.out.empty()) return absl::OkStatus();
  const auto start = flags_.overwrite ? RunLog::Start::kAfresh : RunLog::Start::kContinue;
  CLI_ASSIGN_OR_RETURN(log_, RunLog::Open(PartialPath(flags_.out), LogHeader(model), start,
                                          [this](std::string_view line) { return task_.IsItem(line); }));
  CLI_RETURN_IF_ERROR(log_->ForEach([this](std::string_view item) { return Take(item); }));
  if (done_ > 0 && !flags_.quiet) {
    fmt::print(stderr, "toolformer: continuing after {} of {}\n", done_, task_.items());
  }
  return absl::OkStatus();
}

absl::Status EvalRun::Take(std::string_view item) {
  CLI_RETURN_IF_ERROR(task_.Take(item));
  ++done_;
  return absl::OkStatus();
}

absl::Status EvalRun::Measure(const Model& model, const ToolRegistry& registry) {
  if (const std::shared_ptr<const Tool> tool = registry.Find(flags_.ask)) asked_version_ = tool->version;
  CLI_RETURN_IF_ERROR(task_.Prepare(model));
  CLI_RETURN_IF_ERROR(OpenLog(model.info()));
  DecodeOptions options = flags_.options;
  if (flags_.no_tools) options.tool_use = ToolUse::kDisabled;
  options.interrupt.cancel = &CatchSignals();
  ToolExecutor executor(registry);
  const AugmentingDecoder decoder(model, registry, executor);
  ProgressLine progress({});
  if (flags_.quiet) progress.Disable();
  progress.Note(task_.Progress());
  const std::shared_ptr<const Tool> asked = flags_.ask.empty() ? nullptr : registry.Find(flags_.ask);
  const Means means = {decoder, options, asked.get()};
  const absl::Status status = task_.Run(done_, means, [&](const std::string& item) -> absl::Status {
    if (log_) CLI_RETURN_IF_ERROR(log_->Append(item));
    CLI_RETURN_IF_ERROR(Take(item));
    progress.Note(task_.Progress());
    return absl::OkStatus();
  });
  progress.Clear();
  return status.ok() ? status : Stopped(status);
}

// `why`, and what became of the work so far.
absl::Status EvalRun::Stopped(const absl::Status& why) {
  const std::string reason = absl::IsCancelled(why) ? "interrupted" : std::string(why.message());
  if (!log_) return absl::Status(why.code(), reason);
  CLI_RETURN_IF_ERROR(log_->Sync());
  return absl::Status(why.code(), fmt::format("{}; {} of {} are done: the same command{} goes on from there", reason,
                                              done_, task_.items(), flags_.overwrite ? " without --overwrite" : ""));
}

std::string EvalRun::RenderReport(const ModelInfo& model) const {
  Evaluation evaluation;
  evaluation.parameters = {{"model", std::filesystem::path(model.path).filename().string()},
                           {"adapter", std::filesystem::path(flags_.model.adapter).filename().string()},
                           {"fingerprint", model.fingerprint},
                           {"dtype", TypeName(model.type)}};
  const nlohmann::ordered_json settings = Settings();
  for (const auto& [name, value] : settings.items()) {
    evaluation.parameters.emplace_back(name, value.is_string() ? value.get<std::string>() : PrintJson(value));
  }
  task_.AddTo(&evaluation);
  return RenderEvaluationReport(evaluation);
}

absl::Status EvalRun::WriteFiles(const ModelInfo& model) const {
  if (!flags_.out.empty()) {
    nlohmann::ordered_json json = {{"model", std::filesystem::path(flags_.model.path).filename().string()}};
    json.update(Settings());
    json["sets"] = task_.Scores();
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> out, OutputFile::Create(flags_.out));
    CLI_RETURN_IF_ERROR(out->Write(PrintJson(json) + "\n"));
    CLI_RETURN_IF_ERROR(out->Commit());
  }
  if (flags_.report.empty()) return absl::OkStatus();
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> report, OutputFile::Create(flags_.report));
  CLI_RETURN_IF_ERROR(report->Write(RenderReport(model)));
  return report->Commit();
}

absl::Status EvalRun::WriteResults(const ModelInfo& model) {
  // Printed first: whatever becomes of the files, it is seen.
  if (!flags_.quiet) fmt::print("{}", task_.Table());
  const absl::Status written = WriteFiles(model);
  if (!written.ok()) return Stopped(written);
  return log_ ? log_->Remove() : absl::OkStatus();
}

absl::Status CheckAsked(const EvalFlags& flags) {
  if (flags.ask.empty()) return absl::OkStatus();
  if (flags.no_tools) return UsageError("--ask and --no-tools exclude each other");
  if (!flags.suite.empty() && flags.suite != QaSuite().name) {
    return UsageError(fmt::format("--ask: only the questions of suite {} can be asked of a tool", QaSuite().name));
  }
  return absl::OkStatus();
}

absl::Status RunEval(const EvalFlags& flags) {
  // What can be wrong is looked for before the model is loaded.
  CLI_RETURN_IF_ERROR(CheckAsked(flags));
  CLI_ASSIGN_OR_RETURN(std::unique_ptr<ToolRegistry> registry, MakeRegistry(ToolsInUse(flags)));
  if (!flags.ask.empty() && registry->Find(flags.ask) == nullptr) {
    return UsageError(fmt::format("--ask: there is no tool '{}'; there are: {}", flags.ask, registry->Names()));
  }
  CLI_ASSIGN_OR_RETURN(NamedTask task, MakeTask(flags));
  if (!flags.ask.empty() && task.suite != QaSuite().name) {
    return UsageError(fmt::format("--ask: only the questions of suite {} can be asked of a tool", QaSuite().name));
  }
  CLI_RETURN_IF_ERROR(CheckFiles(flags));
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, LoadModel(flags.model));
  CLI_RETURN_IF_ERROR(GiveModel(ToolsInUse(flags), model, &registry));
  EvalRun run(flags, std::move(task), *registry);
  CLI_RETURN_IF_ERROR(run.Measure(*model, *registry));
  return run.WriteResults(model->info());
}

void AddDecodingFlags(CLI::App* app, DecodeOptions* options) {
  const std::string group = "Decoding";
  app->add_option("--top-k", options->opening_top_k, "open a call whenever that is among the k most likely tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--max-calls", options->max_calls, "most calls of an answer")
      ->check(CLI::Range(0, 16))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--max-tokens", options->max_new_tokens, "most tokens that the model writes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--rows", options->max_batch_rows, "problems decoded at once")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
}

}  // namespace

Subcommand AddEval(CLI::App* parent) {
  auto flags = std::make_shared<EvalFlags>();
  flags->options.max_new_tokens = 32;
  CLI::App* app = parent->add_subcommand("eval", "Score a model as the paper does, with and without tools (section 4)");
  app->description(
      "Measures a model as the paper does, zero-shot and greedily.\n"
      "  math  word problems (ASDiv, SVAMP, MAWPS): \"... The answer is\", and the first number of what the model\n"
      "        writes counts (behind the \"=\" where there is one)\n"
      "  lama  statements whose last word is missing (LAMA's SQuAD, Google-RE, T-REx): the word must be among the\n"
      "        first five\n"
      "  qa    open questions (NQ-open, WebQuestions, TriviaQA): \"Answer the following question: ...\"; an answer "
      "must\n"
      "        be among the first 20 words; also how often the first line is an answer and nothing else\n"
      "  ppl   perplexity of texts, with calls disabled");
  AddModelFlags(app, &flags->model);
  app->add_option("--suite", flags->suite, "what is measured (default: what the files' format says; never ppl)")
      ->check(CLI::IsMember(SuiteNames()))
      ->type_name("NAME");
  app->add_option("--data", flags->data,
                  "files of the suite as they are published, gzipped or not: ASDiv.xml, SVAMP.json, MAWPS' JSON, "
                  "LAMA's JSON lines, NQ-open's JSON lines, WebQuestions' JSON, TriviaQA's lines of DPR, texts")
      ->required()
      ->type_name("FILE ...");
  app->add_option("--tools", flags->tools.names, "tools, separated by commas: " + KnownTools())
      ->delimiter(',')
      ->allow_extra_args(false)
      ->default_str("Calculator")
      ->type_name("NAMES");
  AddToolsFileFlag(app, &flags->tools);
  flags->tools.names = {"Calculator"};
  app->add_flag("--no-tools", flags->no_tools, "the opening of a call has probability 0");
  AddDateFlag(app, &flags->tools);
  AddWikiIndexFlag(app, &flags->tools);
  AddQaFlags(app, &flags->tools);
  app->add_option("--ask", flags->ask,
                  "asks this tool the questions by itself, not the model: its answers are what is scored (qa only)")
      ->type_name("NAME");
  app->add_option("--out", flags->out, "every prediction, as JSON; lets an interrupted run go on")
      ->type_name("FILE.json");
  app->add_option("--report", flags->report, "the same as a page for a browser")->type_name("FILE.html");
  app->add_option("--limit", flags->task.limit, "only the first N problems of each set, or windows of each text")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  app->add_option("--window", flags->task.window, "ppl: tokens of a window, start token included")
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 24))
      ->capture_default_str()
      ->type_name("N");
  AddDecodingFlags(app, &flags->options);
  app->add_flag("--overwrite", flags->overwrite, "start afresh and replace the files of an earlier run");
  app->add_flag("--quiet", flags->quiet, "print nothing but errors");
  app->footer(
      "\nAn interrupted run with --out goes on where it was: give the same command again. What is done is kept in\n"
      "OUT.partial until the end.\n"
      "\nExamples:\n"
      "  toolformer eval --model tuned/model --data SVAMP.json ASDiv.xml --out scores.json --report scores.html\n"
      "  toolformer eval --suite ppl --model tuned/model --data wikitext2/test.txt.gz");
  return {app, [flags] { return RunEval(*flags); }};
}

}  // namespace toolformer::cli
