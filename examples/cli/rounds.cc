// toolformer rounds: annotate, tune, annotate again with the tuned model as sampler, and so on.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "annotate.h"
#include "annotation_print.h"
#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "output_file.h"
#include "run_log.h"
#include "terminal.h"
#include "toolformer/annotation_report.h"
#include "tune.h"

namespace toolformer::cli {
namespace {

struct RoundsFlags {
  AnnotateFlags annotate;
  TuneFlags tune;
  std::string out;
  int64_t rounds = 2;
  std::string judge = "base";
};

std::string RoundFolder(const RoundsFlags& flags, int64_t round) {
  return fmt::format("{}/round-{}", flags.out, round);
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? Failure("{}: {}", path, error.message()) : absl::OkStatus();
}

// Names the model that a round before has made.
void UseTuned(const RoundsFlags& flags, int64_t round, std::string* model, std::string* adapter) {
  const std::string tuned = RoundFolder(flags, round) + "/tuned/model";
  *(flags.tune.rank > 0 ? adapter : model) = tuned;
}

absl::Status AnnotateRound(const RoundsFlags& flags, int64_t round) {
  const std::string folder = RoundFolder(flags, round);
  CLI_RETURN_IF_ERROR(MakeFolder(folder));
  AnnotateFlags annotate = flags.annotate;
  annotate.out = folder + "/kept.jsonl";
  annotate.candidates = folder + "/candidates.jsonl";
  annotate.report = folder + "/annotation.html";
  annotate.verbose = false;
  if (round > 1) {
    if (flags.judge == "base") {
      UseTuned(flags, round - 1, &annotate.propose_model, &annotate.propose_adapter);
    } else {
      UseTuned(flags, round - 1, &annotate.model.path, &annotate.model.adapter);
    }
  }
  // The last of the files to appear: where it is, the others are.
  if (std::filesystem::exists(annotate.out)) return absl::OkStatus();
  return RunAnnotate(annotate);
}

absl::Status TuneRound(const RoundsFlags& flags, int64_t round) {
  TuneFlags tune = flags.tune;
  tune.model = flags.annotate.model.path;
  tune.tuner.seed = flags.annotate.seed;
  tune.tuner.device = flags.annotate.model.device;
  tune.quiet = flags.annotate.quiet;
  tune.out = RoundFolder(flags, round) + "/tuned";
  for (int64_t r = 1; r <= round; ++r) tune.data.push_back(RoundFolder(flags, r) + "/candidates.jsonl");
  return RunTune(tune);
}

absl::StatusOr<AnnotationCounts> CountRound(const RoundsFlags& flags, int64_t round) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader,
                       LineReader::Open(RoundFolder(flags, round) + "/candidates.jsonl"));
  std::vector<AnnotatedDocument> documents;
  std::string_view line;
  while (true) {
    CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
    if (!more) return CountAnnotations(documents);
    absl::StatusOr<AnnotatedDocument> annotated = ParseAnnotation(line);
    if (!annotated.ok()) return Failure("{}: {}", reader->Where(), std::string(annotated.status().message()));
    annotated->document = {};
    annotated->augmented_text.clear();
    annotated->augmented_ids.clear();
    documents.push_back(*std::move(annotated));
  }
}

// What was given, but for what changes no result.
nlohmann::ordered_json Settings(const CLI::App& app) {
  static constexpr std::string_view kOthers[] = {"help", "rounds", "out", "quiet", "threads", "tool-cache"};
  nlohmann::ordered_json settings;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || std::find(std::begin(kOthers), std::end(kOthers), name) != std::end(kOthers)) continue;
    settings[name] = option->results();
  }
  return settings;
}

// Whether a first text may have been annotated: a run that a mistake ended before that binds nobody to its settings.
bool HasBegun(const RoundsFlags& flags) {
  const std::string kept = RoundFolder(flags, 1) + "/kept.jsonl";
  return std::filesystem::exists(kept) || std::filesystem::exists(PartialPath(kept));
}

// A folder has rounds of the same settings only: stages that are done are not looked at again.
absl::Status CheckSettings(const RoundsFlags& flags, const nlohmann::ordered_json& settings) {
  const std::string path = flags.out + "/rounds.json";
  if (HasBegun(flags) && std::filesystem::exists(path)) {
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(path));
    std::string_view line;
    CLI_RETURN_IF_ERROR(reader->Next(&line).status());
    if (line == PrintJson(settings)) return absl::OkStatus();
    return Failure("{}: the rounds there have other settings than the ones given; take another --out", path);
  }
  CLI_RETURN_IF_ERROR(MakeFolder(flags.out));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(path));
  CLI_RETURN_IF_ERROR(file->Write(PrintJson(settings) + "\n"));
  return file->Commit();
}

absl::Status RunRounds(const RoundsFlags& flags, const nlohmann::ordered_json& settings) {
  if (!flags.annotate.model.adapter.empty()) {
    return UsageError("--adapter: rounds start from a model without one; 'toolformer save' makes one of both");
  }
  CLI_RETURN_IF_ERROR(CheckSettings(flags, settings));
  std::vector<AnnotationCounts> rounds;
  for (int64_t round = 1; round <= flags.rounds; ++round) {
    if (!flags.annotate.quiet) fmt::print("Round {} of {}\n\n", round, flags.rounds);
    CLI_RETURN_IF_ERROR(AnnotateRound(flags, round));
    CLI_ASSIGN_OR_RETURN(AnnotationCounts counts, CountRound(flags, round));
    rounds.push_back(std::move(counts));
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> page, OutputFile::Create(flags.out + "/rounds.html"));
    CLI_RETURN_IF_ERROR(page->Write(RenderRoundsReport(rounds)));
    CLI_RETURN_IF_ERROR(page->Commit());
    CLI_RETURN_IF_ERROR(TuneRound(flags, round));
  }
  if (flags.annotate.quiet) return absl::OkStatus();
  for (size_t i = 0; i < rounds.size(); ++i) {
    fmt::print("\nround {}\n{}", i + 1, DescribeYields(rounds[i], Style(stdout)));
  }
  fmt::print("\nmodel   {}/tuned/model\nreport  {}/rounds.html\n", PrintableLine(RoundFolder(flags, flags.rounds)),
             PrintableLine(flags.out));
  return FlushOutput();
}

}  // namespace

Subcommand AddRounds(CLI::App* parent) {
  auto flags = std::make_shared<RoundsFlags>();
  flags->annotate.calls = "both";
  CLI::App* app =
      parent->add_subcommand("rounds", "Annotate, tune, annotate again with the tuned model as sampler, and so on");
  app->description(
      "Annotates texts, tunes the model on what was kept, annotates the same texts again with calls that the tuned\n"
      "model proposes, tunes the first model on what all rounds kept, and so on. The first model judges the calls\n"
      "of all rounds. The same command goes on with a run that was interrupted or killed.");
  AddModelFlags(app, &flags->annotate.model);
  app->add_option("--texts", flags->annotate.texts, "texts, one JSON object a line")
      ->required()
      ->type_name("FILE.jsonl");
  app->add_option("--tools", flags->annotate.tools.names, "tools, separated by commas: " + KnownTools())
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  AddToolsFileFlag(app, &flags->annotate.tools);
  AddWikiIndexFlag(app, &flags->annotate.tools);
  AddQaFlags(app, &flags->annotate.tools);
  app->add_option("--out", flags->out, "folder of the rounds: round-N/ of each, rounds.html of all")
      ->required()
      ->type_name("FOLDER");
  app->add_option("--rounds", flags->rounds, "how many")
      ->check(CLI::Range(int64_t{1}, int64_t{100}))
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--judge", flags->judge, "base: the first model judges all calls; tuned: that of the round before")
      ->check(CLI::IsMember({"base", "tuned"}))
      ->capture_default_str()
      ->type_name("NAME");
  AddToolCacheFlag(app, &flags->annotate);
  app->add_flag("--quiet", flags->annotate.quiet, "print nothing but errors");
  AddParameterFlags(app, &flags->annotate.tools);
  AddSamplingFlags(app, &flags->annotate);
  AddRecipeFlags(app, &flags->tune);
  app->footer(
      "\nThe tools' own parameters:\n" + DefaultParameters() +
      "\nExample:\n"
      "  toolformer rounds --model smollm2.gguf --texts texts.jsonl --tools Calculator --out rounds --tau-f 0.1 \\\n"
      "      --rank 16 --lr 5e-4 --batch-size 16 --epochs 2");
  return {app, [flags, app] { return RunRounds(*flags, Settings(*app)); }};
}

}  // namespace toolformer::cli
