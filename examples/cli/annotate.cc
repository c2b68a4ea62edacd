// toolformer annotate: texts to texts with calls that help the model.
#include "annotate.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "annotation_print.h"
#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "output_file.h"
#include "run_log.h"
#include "terminal.h"
#include "tool_flags.h"
#include "toolformer/annotation_report.h"
#include "toolformer/annotator.h"

namespace toolformer::cli {
namespace {

// Texts with kept calls printed at the end.
constexpr int64_t kMaxTextsPrinted = 40;

// What the input file holds, found before the model is loaded.
struct Input {
  int64_t documents = 0;
  uint64_t bytes = 0;
  uint64_t hash = 0;
};

absl::StatusOr<Document> ReadDocument(const LineReader& reader, std::string_view line) {
  absl::StatusOr<Document> document = ParseDocument(line);
  if (!document.ok()) return Failure("{}: {}", reader.Where(), std::string(document.status().message()));
  return document;
}

absl::StatusOr<Input> CheckTexts(const AnnotateFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(flags.texts));
  Input input;
  std::string_view line;
  while (true) {
    CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
    if (!more) break;
    CLI_RETURN_IF_ERROR(ReadDocument(*reader, line).status());
    ++input.documents;
  }
  if (input.documents == 0) return Failure("{}: holds no texts", flags.texts);
  if (flags.limit > 0) input.documents = std::min(input.documents, flags.limit);
  input.bytes = reader->bytes();
  input.hash = reader->hash();
  return input;
}

absl::Status CheckOutputs(const AnnotateFlags& flags) {
  RunFiles files = {
      .inputs = {{"--texts", flags.texts}}, .outputs = {{"--out", flags.out}}, .log = PartialPath(flags.out)};
  // It may be there already, like an input.
  if (!flags.tool_cache.empty()) files.inputs.emplace_back("--tool-cache", flags.tool_cache);
  if (!flags.candidates.empty()) files.outputs.emplace_back("--candidates", flags.candidates);
  if (!flags.report.empty()) files.outputs.emplace_back("--report", flags.report);
  if (!flags.summary.empty()) files.outputs.emplace_back("--summary", flags.summary);
  files.overwrite = flags.overwrite;
  return CheckRunFiles(files);
}

struct Models {
  std::shared_ptr<const Model> judge;
  std::unique_ptr<Model> proposer;  // null: the judge proposes
};

absl::StatusOr<Models> LoadModels(const AnnotateFlags& flags) {
  Models models;
  CLI_ASSIGN_OR_RETURN(models.judge, LoadModel(flags.model));
  if (!flags.propose_int8 && flags.propose_model.empty() && flags.propose_adapter.empty()) return models;
  ModelFlags proposer = flags.model;
  if (!flags.propose_model.empty()) {
    proposer.path = flags.propose_model;
    proposer.adapter.clear();
  }
  if (!flags.propose_adapter.empty()) proposer.adapter = flags.propose_adapter;
  if (flags.propose_int8) proposer.dtype = "int8";
  CLI_ASSIGN_OR_RETURN(models.proposer, LoadModel(proposer));
  return models;
}

// Everything that determines the annotations.
nlohmann::ordered_json LogHeader(const AnnotateFlags& flags, const Input& input, const ToolRegistry& registry,
                                 const Models& models) {
  const ModelInfo& model = models.judge->info();
  nlohmann::ordered_json header;
  header["format"] = "toolformer annotation log";
  header["version"] = 4;
  header["program"] = TOOLFORMER_VERSION;
  header["model"] = model.fingerprint;
  header["dtype"] = TypeName(model.type);
  header["device"] = flags.model.device;
  header["tool_order"] = registry.Names();
  for (const std::shared_ptr<const Tool>& tool : registry.tools()) {
    const AnnotationParameters& p = tool->parameters;
    header["tools"][tool->name] = {{"k", p.k},
                                   {"m", p.m},
                                   {"tau_f", p.tau_f},
                                   {"tau_s", p.tau_s},
                                   {"prompt", Hex(HashBytes(SamplingPromptHead(*tool)))}};
    if (!tool->version.empty()) header["tools"][tool->name]["version"] = tool->version;
  }
  header["seed"] = flags.seed;
  header["temperature"] = flags.temperature;
  header["free_sampling"] = flags.free_sampling;
  header["proposer"] = models.proposer == nullptr ? "" : models.proposer->info().fingerprint;
  header["propose_int8"] = flags.propose_int8;
  header["calls"] = flags.calls;
  header["max_call_tokens"] = flags.max_call_tokens;
  header["texts"] = {{"bytes", input.bytes}, {"hash", Hex(input.hash)}, {"used", input.documents}};
  return header;
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

std::string Proposals(const AnnotateFlags& flags) {
  std::string words = flags.propose_int8 ? "int8 weights" : "exact weights";
  const auto add = [&](const std::string& path) {
    if (!path.empty()) words += " of " + std::filesystem::path(path).filename().string();
  };
  add(flags.propose_model);
  add(flags.propose_adapter);
  return words;
}

Parameters ReportParameters(const AnnotateFlags& flags, const ToolRegistry& registry, const ModelInfo& model) {
  Parameters parameters = {
      {"model", std::filesystem::path(model.path).filename().string()},
      {"family", model.family},
      {"parameters of the model", fmt::format("{}", model.parameters)},
      {"fingerprint", model.fingerprint},
      {"dtype", TypeName(model.type)},
      {"texts", std::filesystem::path(flags.texts).filename().string()},
      {"seed", fmt::format("{}", flags.seed)},
      {"temperature", fmt::format("{}", flags.temperature)},
      {"calls", flags.calls},
      {"sampling", flags.free_sampling ? "free" : "constrained"},
      {"proposals", Proposals(flags)},
      {"max_call_tokens", fmt::format("{}", flags.max_call_tokens)},
  };
  for (const std::shared_ptr<const Tool>& tool : registry.tools()) {
    const AnnotationParameters& p = tool->parameters;
    parameters.emplace_back(tool->name + ".tau_s", fmt::format("{}", p.tau_s));
    parameters.emplace_back(tool->name + ".k", fmt::format("{}", p.k));
    parameters.emplace_back(tool->name + ".m", fmt::format("{}", p.m));
    parameters.emplace_back(tool->name + ".tau_f", fmt::format("{}", p.tau_f));
  }
  return parameters;
}

int64_t Candidates(const AnnotatedDocument& annotated) {
  int64_t count = 0;
  for (const ToolOutcome& outcome : annotated.tools) count += std::ssize(outcome.calls);
  return count;
}

// Texts that are annotated together.
struct Group {
  std::vector<Document> documents;
  std::vector<std::string> where;  // "texts.jsonl:17" of each
};

// One run: the documents that the log lacks are annotated, then the results are made of the log.
class AnnotateRun {
 public:
  AnnotateRun(const AnnotateFlags& flags, const Input& input, RunLog* log)
      : flags_(flags), input_(input), log_(*log), total_(input.documents) {}

  absl::Status AnnotateRest(Annotator* annotator);
  absl::Status WriteResults(const Parameters& parameters, const std::vector<ToolStatistics>& execution) const;

 private:
  absl::Status AnnotateGroup(Annotator* annotator, const Group& group, ProgressLine* progress);
  absl::Status Append(const AnnotatedDocument& annotated, ProgressLine* progress);
  absl::Status Stopped(const absl::Status& why) const;
  absl::Status PrintSummary(const AnnotationCounts& counts, const std::vector<ToolStatistics>& execution) const;

  const AnnotateFlags& flags_;
  const Input& input_;
  RunLog& log_;
  const int64_t total_;
  const Style style_{stdout};
  Interrupt interrupt_;
  ProgressLine::State state_;
};

absl::Status AnnotateRun::AnnotateRest(Annotator* annotator) {
  interrupt_.cancel = &CatchSignals();
  state_ = {.done = log_.items(), .total = total_};
  CLI_RETURN_IF_ERROR(log_.ForEach([this](std::string_view line) -> absl::Status {
    CLI_ASSIGN_OR_RETURN(const AnnotatedDocument annotated, ParseAnnotation(line));
    state_.candidates += Candidates(annotated);
    state_.kept += annotated.kept();
    return absl::OkStatus();
  }));
  if (state_.done > 0 && !flags_.quiet) {
    fmt::print(stderr, "toolformer: continuing after {} of {} texts\n", state_.done, total_);
  }
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(flags_.texts));
  ProgressLine progress(state_);
  if (flags_.quiet) progress.Disable();
  std::string_view line;
  Group group;
  int64_t group_size = 1;
  for (int64_t index = 0; index < total_; ++index) {
    CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
    if (!more) return Failure("{}: changed while it was read", flags_.texts);
    if (index < log_.items()) continue;
    CLI_ASSIGN_OR_RETURN(Document document, ReadDocument(*reader, line));
    group.documents.push_back(std::move(document));
    group.where.push_back(reader->Where());
    if (std::ssize(group.documents) < group_size && index + 1 < total_) continue;
    const absl::Status done = AnnotateGroup(annotator, group, &progress);
    if (!done.ok()) {
      progress.Clear();
      return Stopped(done);
    }
    group = {};
    // The first groups are small, so that something is seen soon.
    group_size = std::min(2 * group_size, flags_.batch_texts);
  }
  return log_.Sync();
}

absl::Status AnnotateRun::AnnotateGroup(Annotator* annotator, const Group& group, ProgressLine* progress) {
  CLI_RETURN_IF_ERROR(interrupt_.Check());
  progress->Show(state_);
  const absl::StatusOr<std::vector<AnnotatedDocument>> together = annotator->AnnotateBatch(group.documents, interrupt_);
  if (together.ok()) {
    for (const AnnotatedDocument& annotated : *together) CLI_RETURN_IF_ERROR(Append(annotated, progress));
    return absl::OkStatus();
  }
  if (absl::IsCancelled(together.status())) return together.status();
  // One at a time: what can be done is kept, and the text that cannot is named.
  for (size_t i = 0; i < group.documents.size(); ++i) {
    const absl::StatusOr<AnnotatedDocument> annotated = annotator->Annotate(group.documents[i], interrupt_);
    if (absl::IsCancelled(annotated.status())) return annotated.status();
    if (!annotated.ok()) return Failure("{}: {}", group.where[i], std::string(annotated.status().message()));
    CLI_RETURN_IF_ERROR(Append(*annotated, progress));
    progress->Show(state_);
  }
  return absl::OkStatus();
}

absl::Status AnnotateRun::Append(const AnnotatedDocument& annotated, ProgressLine* progress) {
  CLI_RETURN_IF_ERROR(log_.Append(FormatAnnotation(annotated)));
  ++state_.done;
  state_.candidates += Candidates(annotated);
  state_.kept += annotated.kept();
  if (flags_.verbose.value_or(IsTerminal(stdout) && !flags_.quiet)) {
    progress->Clear();
    fmt::print("{}", DescribeAnnotation(annotated, fmt::format("{}/{}", state_.done, total_), style_));
    CLI_RETURN_IF_ERROR(FlushOutput());
  }
  return absl::OkStatus();
}

// `why`, and what became of the work so far.
absl::Status AnnotateRun::Stopped(const absl::Status& why) const {
  absl::Status synced = log_.Sync();
  if (!synced.ok()) return synced;
  const std::string reason = absl::IsCancelled(why) ? "interrupted" : std::string(why.message());
  return absl::Status(why.code(),
                      fmt::format("{}; {} of {} texts are done: the same command{} goes on from there", reason,
                                  log_.items(), total_, flags_.overwrite ? " without --overwrite" : ""));
}

absl::Status AnnotateRun::WriteResults(const Parameters& parameters,
                                       const std::vector<ToolStatistics>& execution) const {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> out, OutputFile::Create(flags_.out));
  std::unique_ptr<OutputFile> candidates;
  if (!flags_.candidates.empty()) {
    CLI_ASSIGN_OR_RETURN(candidates, OutputFile::Create(flags_.candidates));
  }
  std::vector<AnnotatedDocument> documents;
  int64_t printed = 0;
  const auto visit = [&](std::string_view line) -> absl::Status {
    CLI_ASSIGN_OR_RETURN(AnnotatedDocument annotated, ParseAnnotation(line));
    const std::string whole = std::string(line) + "\n";
    if (candidates) CLI_RETURN_IF_ERROR(candidates->Write(whole));
    if (annotated.kept() > 0) {
      CLI_RETURN_IF_ERROR(out->Write(whole));
      if (!flags_.quiet && printed++ < kMaxTextsPrinted) fmt::print("{}\n", DescribeKeptCalls(annotated, style_));
    }
    annotated.augmented_ids = {};
    if (flags_.report.empty()) {
      annotated.document = {};
      annotated.augmented_text = {};
    }
    documents.push_back(std::move(annotated));
    return absl::OkStatus();
  };
  CLI_RETURN_IF_ERROR(log_.ForEach(visit));
  if (!flags_.quiet && printed > kMaxTextsPrinted) {
    fmt::print("... and {} more texts with kept calls.\n\n", printed - kMaxTextsPrinted);
  }
  if (candidates) CLI_RETURN_IF_ERROR(candidates->Commit());
  if (!flags_.report.empty()) {
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> report, OutputFile::Create(flags_.report));
    CLI_RETURN_IF_ERROR(report->Write(RenderAnnotationReport(documents, parameters, execution)));
    CLI_RETURN_IF_ERROR(report->Commit());
  }
  const AnnotationCounts counts = CountAnnotations(documents);
  if (!flags_.summary.empty()) {
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> summary, OutputFile::Create(flags_.summary));
    CLI_RETURN_IF_ERROR(summary->Write(PrintJson(CountsJson(counts, execution)) + "\n"));
    CLI_RETURN_IF_ERROR(summary->Commit());
  }
  CLI_RETURN_IF_ERROR(out->Commit());
  CLI_RETURN_IF_ERROR(log_.Remove());
  return flags_.quiet ? absl::OkStatus() : PrintSummary(counts, execution);
}

absl::Status AnnotateRun::PrintSummary(const AnnotationCounts& counts,
                                       const std::vector<ToolStatistics>& execution) const {
  fmt::print("{}\n", DescribeCounts(counts, style_));
  const std::string calls = DescribeExecution(execution, style_);
  if (!calls.empty()) fmt::print("{}\n", calls);
  fmt::print("texts with calls  {}\n", PrintableLine(flags_.out));
  if (!flags_.candidates.empty()) fmt::print("all candidates    {}\n", PrintableLine(flags_.candidates));
  if (!flags_.report.empty()) fmt::print("report            {}\n", PrintableLine(flags_.report));
  if (!flags_.summary.empty()) fmt::print("summary           {}\n", PrintableLine(flags_.summary));
  return FlushOutput();
}

// The run is whole whatever became of the cache.
void WarnOfCache(const AnswerStore* answers) {
  if (answers == nullptr) return;
  const AnswerStoreCounts counts = answers->counts();
  if (counts.failed > 0) {
    fmt::print(stderr, "toolformer: the tool cache failed {} times{}: {}\n", counts.failed,
               counts.given_up ? " and was given up" : "", PrintableLine(counts.failure));
  }
  if (counts.damaged > 0) {
    fmt::print(stderr, "toolformer: {} damaged records of the tool cache were dropped; their tools were asked anew\n",
               counts.damaged);
  }
}

}  // namespace

absl::Status RunAnnotate(const AnnotateFlags& flags) {
  // What can be wrong is looked for before the model is loaded.
  CLI_ASSIGN_OR_RETURN(std::unique_ptr<ToolRegistry> registry, MakeRegistry(flags.tools));
  CLI_ASSIGN_OR_RETURN(const Input input, CheckTexts(flags));
  CLI_RETURN_IF_ERROR(CheckOutputs(flags));
  AnnotatorOptions options;
  if (!flags.tool_cache.empty()) {
    CLI_ASSIGN_OR_RETURN(options.executor.answers, AnswerStore::Open(flags.tool_cache));
  }

  CLI_ASSIGN_OR_RETURN(const Models models, LoadModels(flags));
  CLI_RETURN_IF_ERROR(GiveModel(flags.tools, models.judge, &registry));
  options.proposer = models.proposer.get();
  options.sources = {.sampled = flags.calls != "worked-out", .worked_out = flags.calls != "sampled"};
  options.sampler.seed = flags.seed;
  options.sampler.temperature = flags.temperature;
  options.sampler.max_call_tokens = flags.max_call_tokens;
  options.sampler.constrain_syntax = !flags.free_sampling;
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Annotator> annotator,
                       Annotator::Create(*models.judge, *registry, options));

  const auto start = flags.overwrite ? RunLog::Start::kAfresh : RunLog::Start::kContinue;
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<RunLog> log,
                       RunLog::Open(PartialPath(flags.out), LogHeader(flags, input, *registry, models), start,
                                    [](std::string_view line) { return ParseAnnotation(line).ok(); }));
  AnnotateRun run(flags, input, log.get());
  CLI_RETURN_IF_ERROR(run.AnnotateRest(annotator.get()));
  WarnOfCache(options.executor.answers.get());
  return run.WriteResults(ReportParameters(flags, *registry, models.judge->info()), annotator->statistics());
}

void AddToolCacheFlag(CLI::App* app, AnnotateFlags* flags) {
  app->add_option("--tool-cache", flags->tool_cache,
                  "answers of tools that may take their time, kept for later runs and after a crash; several runs may\n"
                  "share the file, on a disk of this machine")
      ->type_name("FILE");
}

void AddSamplingFlags(CLI::App* app, AnnotateFlags* flags) {
  const std::string group = "Where calls come from";
  app->add_option("--calls", flags->calls,
                  "sampled: from the model, as in the paper; worked-out: by a program that each tool brings, without "
                  "sampling; both. The same filter judges them all")
      ->check(CLI::IsMember({"sampled", "worked-out", "both"}))
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  app->add_option("--seed", flags->seed, "seed of all randomness")->type_name("N")->capture_default_str()->group(group);
  app->add_option("--temperature", flags->temperature, "temperature of sampling, above 0")
      ->check(CLI::PositiveNumber)
      ->type_name("T")
      ->capture_default_str()
      ->group(group);
  app->add_option("--max-call-tokens", flags->max_call_tokens, "longest call, in tokens")
      ->check(CLI::Range(int64_t{1}, int64_t{100000}))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app->add_flag(
         "--propose-int8", flags->propose_int8,
         "propose calls with a second copy of the model in int8 weights: faster, other proposals; they are judged "
         "by the exact weights in any case (CPU only)")
      ->group(group);
  app->add_option("--propose-model", flags->propose_model,
                  "another model of the same vocabulary proposes the calls, as one that was tuned on an earlier round; "
                  "--model judges them in any case")
      ->type_name("PATH")
      ->group(group);
  app->add_option("--propose-adapter", flags->propose_adapter,
                  "the proposing model has this adapter, as 'tune --rank' makes them")
      ->type_name("FOLDER")
      ->group(group);
  app->add_flag("--free-sampling", flags->free_sampling,
                "the paper's sampling: name and parenthesis are sampled too, and the input may hold anything")
      ->group(group);
}

Subcommand AddAnnotate(CLI::App* parent) {
  auto flags = std::make_shared<AnnotateFlags>();
  CLI::App* app = parent->add_subcommand("annotate", "Put tool calls into texts where they help the model (section 2)");
  app->description(
      "Puts tool calls into texts and keeps those that help the model predict what follows (paper, section 2):\n"
      "for each text and tool, positions i with p_i > tau_s, the k most probable; m calls sampled at each; every call\n"
      "run; kept where its result lowers the loss of the next words by at least tau_f, against no call and against\n"
      "the call without its result.");
  AddModelFlags(app, &flags->model);
  app->add_option("--texts", flags->texts, "texts, one JSON object a line: text, and optionally id, url, date")
      ->required()
      ->type_name("FILE.jsonl");
  app->add_option("--tools", flags->tools.names, "tools, separated by commas: " + KnownTools())
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  AddToolsFileFlag(app, &flags->tools);
  AddWikiIndexFlag(app, &flags->tools);
  AddQaFlags(app, &flags->tools);
  app->add_option("--out", flags->out, "the texts with at least one kept call")->required()->type_name("FILE.jsonl");
  app->add_option("--candidates", flags->candidates, "every text with every candidate and verdict")
      ->type_name("FILE.jsonl");
  app->add_option("--report", flags->report, "the run as a page for a browser")->type_name("FILE.html");
  app->add_option("--summary", flags->summary,
                  "counts by tool, verdict and source of calls, and how the calls ran, as JSON")
      ->type_name("FILE.json");
  AddToolCacheFlag(app, flags.get());
  app->add_option("--limit", flags->limit, "annotate only the first N texts")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  app->add_option("--batch-texts", flags->batch_texts,
                  "texts annotated together: more are faster and take more memory, an interruption loses the group in\n"
                  "work; every text comes out the same whatever the number")
      ->check(CLI::Range(int64_t{1}, int64_t{4096}))
      ->type_name("N")
      ->capture_default_str();
  app->add_flag("--overwrite", flags->overwrite, "start afresh and replace the files of an earlier run");
  app->add_flag("--quiet", flags->quiet, "print nothing but errors");
  app->add_flag("--verbose,!--no-verbose", flags->verbose,
                "print positions, calls, results, losses and verdicts of each text (default: on a terminal)");
  AddParameterFlags(app, &flags->tools);
  AddSamplingFlags(app, flags.get());
  app->footer(
      "\nThe tools' own parameters:\n" + DefaultParameters() +
      "\nAn interrupted run (Ctrl-C, a crash) goes on where it was: give the same command again. What is done is kept\n"
      "in OUT.partial until the end.\n"
      "\nExample:\n"
      "  toolformer annotate --model gemma.gguf --texts texts.jsonl --tools Calculator,Calendar \\\n"
      "      --out augmented.jsonl --report report.html --set Calculator.tau_f=1.0");
  return {app, [flags] { return RunAnnotate(*flags); }};
}

}  // namespace toolformer::cli
