// toolformer tune: fine-tunes a model on annotated texts.
#include "tune.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "output_file.h"
#include "terminal.h"
#include "toolformer/dataset_merger.h"
#include "toolformer/fine_tuner.h"
#include "toolformer/training_report.h"

namespace toolformer::cli {
namespace {

constexpr const char* kRecipe = "How (defaults: the paper's recipe)";

absl::Status ReadThresholds(const std::vector<std::string>& settings, DatasetOptions* options) {
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    try {
      size_t read = 0;
      const std::string number = equals == std::string::npos ? "" : setting.substr(equals + 1);
      options->tau_f[setting.substr(0, equals)] = std::stod(number, &read);
      if (read == number.size()) continue;
    } catch (const std::exception&) {
    }
    return UsageError(fmt::format("--tau-f {}: must be TOOL=NATS, as in Calculator=0.5", setting));
  }
  return absl::OkStatus();
}

// Calls `add` with every line of the files; what it refuses is told with the file and the line.
template <typename Add>
absl::Status ForEachLine(const std::vector<std::string>& paths, const Add& add) {
  for (const std::string& path : paths) {
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(path));
    std::string_view line;
    while (true) {
      CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
      if (!more) break;
      const absl::Status added = add(line);
      if (!added.ok()) return Failure("{}: {}", reader->Where(), std::string(added.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> ReadDataset(const TuneFlags& flags, const Tokenizer& tokenizer) {
  DatasetOptions options = flags.dataset;
  CLI_RETURN_IF_ERROR(ReadThresholds(flags.tau_f, &options));
  CLI_ASSIGN_OR_RETURN(DatasetMerger merger, DatasetMerger::Create(tokenizer, options));
  CLI_RETURN_IF_ERROR(ForEachLine(flags.data, [&](std::string_view line) -> absl::Status {
    CLI_ASSIGN_OR_RETURN(AnnotatedDocument annotated, ParseAnnotation(line));
    return merger.Add(std::move(annotated));
  }));
  CLI_RETURN_IF_ERROR(ForEachLine(flags.texts, [&](std::string_view line) -> absl::Status {
    CLI_ASSIGN_OR_RETURN(const Document document, ParseDocument(line));
    return merger.AddOriginal(document);
  }));
  return merger.Merge();
}

int64_t Tokens(const std::vector<TrainingSequence>& sequences) {
  int64_t tokens = 0;
  for (const TrainingSequence& sequence : sequences) tokens += std::ssize(sequence.ids) - 1;
  return tokens;
}

void PrintDataset(const Dataset& dataset) {
  const DatasetCounts& counts = dataset.counts;
  fmt::print("{} texts, {} with calls", counts.texts, counts.texts_with_calls);
  if (counts.dropped > 0) fmt::print(", {} of them beyond --max-texts", counts.dropped);
  fmt::print("\n\n  {:16}{:>8}{:>8}", "", "texts", "calls");
  for (const double threshold : kReportedThresholds) fmt::print("{:>10}", fmt::format("at {}", threshold));
  fmt::print("\n");
  for (const auto& [tool, of_tool] : counts.tools) {
    fmt::print("  {:16}{:>8}{:>8}", PrintableLine(tool), of_tool.texts, of_tool.calls);
    for (const int64_t texts : of_tool.texts_at) fmt::print("{:>10}", texts);
    fmt::print("\n");
  }
  fmt::print("\n  {} sequences to learn from ({} tokens), {} held out ({} tokens), {} of them without calls\n\n",
             dataset.training.size(), Tokens(dataset.training), dataset.development.size(), Tokens(dataset.development),
             counts.originals);
}

std::string Describe(const FineTuneProgress& done) {
  const double rate = done.seconds > 0 ? static_cast<double>(done.tokens) / done.seconds : 0.0;
  return fmt::format("step {}/{}  loss {:.4f}  gradient {:.3f}  {:.0f} tokens/s", done.step, done.steps, done.loss,
                     done.gradient_norm, rate);
}

std::vector<std::pair<std::string, std::string>> Parameters(const TuneFlags& flags) {
  const FineTunerOptions& tuner = flags.tuner;
  const auto number = [](auto value) { return fmt::format("{}", value); };
  std::vector<std::pair<std::string, std::string>> parameters = {
      {"model", flags.model},
      {"data", fmt::format("{}", fmt::join(flags.data, " "))},
      {"batch size", number(tuner.batch_size)},
      {"learning rate", number(tuner.learning_rate)},
      {"decay", flags.decay},
      {"warm-up", number(tuner.warmup)},
      {"most steps", number(tuner.max_steps)},
      {"epochs", number(tuner.epochs)},
      {"sequence length", number(tuner.sequence_length)},
      {"clip", number(tuner.max_gradient_norm)},
      {"weight decay", number(tuner.weight_decay)},
      {"seed", number(tuner.seed)},
      {"type", flags.dtype}};
  for (const std::string& threshold : flags.tau_f) parameters.emplace_back("tau_f", threshold);
  if (tuner.low_rank) {
    parameters.emplace_back("rank", number(tuner.low_rank->rank));
    parameters.emplace_back("alpha", number(tuner.low_rank->alpha));
  }
  if (flags.dataset.without_calls) parameters.emplace_back("without calls", "yes");
  return parameters;
}

// FOLDER/report.html of the run so far.
absl::Status WriteReport(const TuneFlags& flags, TrainingReport report) {
  CLI_ASSIGN_OR_RETURN(report.steps, ReadTrainingLog(flags.out));
  report.parameters = Parameters(flags);
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(flags.out + "/report.html"));
  CLI_RETURN_IF_ERROR(file->Write(RenderTrainingReport(report)));
  return file->Commit();
}

// Of this process so far.
int64_t PeakMegabytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

}  // namespace

absl::Status RunTune(TuneFlags flags) {
  if (flags.decay != "constant") {
    flags.tuner.decay = flags.decay == "linear" ? LearningRateDecay::kLinear : LearningRateDecay::kCosine;
  }
  if (flags.dtype == "bfloat16") flags.tuner.type = WeightType::kBFloat16;
  if (flags.rank > 0) {
    flags.tuner.low_rank = {flags.rank, flags.alpha > 0 ? flags.alpha : 2.0 * static_cast<double>(flags.rank)};
  }
  flags.dataset.seed = flags.tuner.seed;
  CLI_ASSIGN_OR_RETURN(const FineTuner tuner, FineTuner::Create(flags.tuner));
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, LoadTokenizer(flags.model));
  CLI_ASSIGN_OR_RETURN(const Dataset dataset, ReadDataset(flags, *tokenizer));
  if (!flags.quiet) PrintDataset(dataset);
  CLI_RETURN_IF_ERROR(FlushOutput());
  if (flags.dry_run) return absl::OkStatus();

  Interrupt interrupt;
  interrupt.cancel = &CatchSignals();
  ProgressLine line({});
  if (flags.quiet) line.Disable();
  FineTuneProgress last;
  const auto report = [&](const FineTuneProgress& done) {
    last = done;
    line.Note(Describe(done));
    if (!done.development_loss) return;
    // A page that cannot be written now does not end the run: the last one says so.
    WriteReport(flags, {.dataset = dataset.counts}).IgnoreError();
    if (flags.quiet) return;
    line.Clear();
    fmt::print("{}  held out {:.4f}\n", Describe(done), *done.development_loss);
    std::fflush(stdout);
  };
  const absl::StatusOr<FineTuneResult> result =
      tuner.Run({flags.model, flags.out, dataset.training, dataset.development}, interrupt, report);
  line.Clear();
  if (absl::IsCancelled(result.status())) {
    return absl::CancelledError(
        fmt::format("interrupted after {} steps: the same command goes on from there", last.step));
  }
  if (!result.ok()) return result.status();
  TrainingReport page{.dataset = dataset.counts};
  if (!dataset.development.empty()) page.first_development_loss = result->first_development_loss;
  CLI_RETURN_IF_ERROR(WriteReport(flags, std::move(page)));
  if (flags.quiet) return absl::OkStatus();
  if (result->stopped_early) {
    fmt::print("stopped at step {}: the loss was not finite; a smaller --lr may help\n", result->steps + 1);
  }
  if (!dataset.development.empty()) {
    fmt::print("held-out loss {:.4f} before, {:.4f} after step {} (nats a token)\n", result->first_development_loss,
               result->best_development_loss, result->best_step);
  }
  fmt::print("model   {}\nreport  {}/report.html\nat most {} MB of memory\n", PrintableLine(result->model_folder),
             PrintableLine(flags.out), PeakMegabytes());
  return absl::OkStatus();
}

void AddDatasetFlags(CLI::App* app, TuneFlags* flags) {
  const std::string group = "What is learned";
  app->add_option("--tau-f", flags->tau_f, "judge the calls of a tool again with this threshold, as in Calculator=0.5")
      ->type_name("TOOL=NATS ...")
      ->allow_extra_args(false)
      ->group(group);
  app->add_option("--texts", flags->texts, "texts without calls to learn beside them, one JSON object a line")
      ->type_name("FILE.jsonl ...")
      ->group(group);
  app->add_option("--originals", flags->dataset.originals, "texts without calls for each text with calls")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("R")
      ->capture_default_str()
      ->group(group);
  app->add_option("--held-out", flags->dataset.development, "part of the texts that the best state is chosen by")
      ->check(CLI::Range(0.0, 0.999))
      ->type_name("PART")
      ->capture_default_str()
      ->group(group);
  app->add_option("--max-texts", flags->dataset.max_texts_per_tool, "most texts with calls of a tool")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app->add_flag("--mask-results", flags->dataset.mask_results, "read the tools' results, do not learn to write them")
      ->group(group);
  app->add_flag("--without-calls", flags->dataset.without_calls, "the same texts without the calls, to compare with")
      ->group(group);
}

void AddRecipeFlags(CLI::App* app, TuneFlags* flags) {
  const std::string group = kRecipe;
  const auto add = [&](const std::string& name, auto* value, const std::string& text, const std::string& type) {
    return app->add_option(name, *value, text)->type_name(type)->capture_default_str()->group(group);
  };
  FineTunerOptions& tuner = flags->tuner;
  add("--batch-size", &tuner.batch_size, "sequences of a step", "N");
  add("--lr", &tuner.learning_rate, "learning rate after the warm-up", "RATE");
  add("--warmup", &tuner.warmup, "part of the steps in which the rate grows", "PART");
  add("--decay", &flags->decay, "what the rate does then: constant, linear or cosine", "NAME")
      ->check(CLI::IsMember({"constant", "linear", "cosine"}));
  add("--max-steps", &tuner.max_steps, "most steps", "N");
  add("--epochs", &tuner.epochs, "times that each text is seen, within --max-steps; 0: as often as they allow", "N");
  add("--length", &tuner.sequence_length, "most tokens of a sequence; longer texts are cut", "N");
  add("--evaluate-every", &tuner.evaluation_interval, "steps between measurements on the held-out texts", "N");
  add("--clip", &tuner.max_gradient_norm, "largest norm of a step's gradient; 0: any", "NORM");
  add("--weight-decay", &tuner.weight_decay, "of matrices", "RATE");
  add("--rank", &flags->rank, "learn low-rank adapters (LoRA) of this rank; 0: all weights", "N")
      ->check(CLI::NonNegativeNumber);
  add("--alpha", &flags->alpha, "scale of the adapters times their rank; 0: twice the rank", "ALPHA")
      ->check(CLI::NonNegativeNumber);
  add("--pass-tokens", &tuner.tokens_per_pass, "tokens computed at a time; memory grows with it", "N");
  app->add_flag("--recompute", tuner.recompute_layers,
                "less memory, more time: layers are computed again on the way back")
      ->group(group);
  add("--checkpoint-every", &tuner.checkpoint_interval, "steps after which a killed run goes on", "N");
}

Subcommand AddTune(CLI::App* parent) {
  auto flags = std::make_shared<TuneFlags>();
  CLI::App* app = parent->add_subcommand("tune", "Fine-tune a model on texts with calls in them (sections 2, 4.1)");
  app->description(
      "Fine-tunes a model on the texts that 'annotate' has put calls into: the standard objective of language models,\n"
      "AdamW, the state kept that predicts the held-out texts best. The same command goes on with a run that was\n"
      "interrupted or killed.");
  app->add_option("--model", flags->model, "the model that made the annotations: a .gguf file, or a folder")
      ->required()
      ->type_name("PATH");
  app->add_option("--data", flags->data, "what 'annotate' wrote: --out files, or --candidates to judge again")
      ->required()
      ->type_name("FILE.jsonl ...");
  app->add_option("--out", flags->out, "folder of the run; the tuned model becomes FOLDER/model")
      ->required()
      ->type_name("FOLDER");
  AddDatasetFlags(app, flags.get());
  AddRecipeFlags(app, flags.get());
  FineTunerOptions& tuner = flags->tuner;
  const std::string group = kRecipe;
  app->add_option("--seed", tuner.seed, "of the order of the texts, and of which are held out")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app->add_option("--device", tuner.device, "cpu or cuda:N")->capture_default_str()->group(group);
  app->add_option("--dtype", flags->dtype, "of matrices and activations: float32 or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->type_name("TYPE")
      ->capture_default_str()
      ->group(group);
  app->add_flag("--dry-run", flags->dry_run, "count what would be learned, and stop");
  app->add_flag("--quiet", flags->quiet, "print nothing but errors");
  app->footer(
      "\nExamples:\n"
      "  toolformer tune --model gemma.gguf --data augmented.jsonl --out tuned\n"
      "  toolformer tune --model gemma.gguf --data candidates.jsonl --tau-f Calculator=0.5 --out tuned \\\n"
      "      --batch-size 8 --lr 5e-5 --epochs 3\n"
      "  toolformer complete --model tuned/model --tools Calculator 'She paid 3 times 12.50, so'");
  return {app, [flags] { return RunTune(*flags); }};
}

}  // namespace toolformer::cli
