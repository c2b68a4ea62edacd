// toolformer mine: picks the texts that are likely to give calls.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "output_file.h"
#include "terminal.h"
#include "tool_flags.h"
#include "toolformer/document.h"
#include "toolformer/document_filter.h"

namespace toolformer::cli {
namespace {

struct MineFlags {
  ToolFlags tools;
  std::vector<std::string> texts;
  std::string out;
  int64_t limit = 0;  // 0: all
  int64_t min_calls = 1;
  int64_t min_bytes = 80, max_bytes = 4000;
  bool quiet = false;
};

// A text that a tool could be called in.
struct Found {
  int64_t places = 0;     // different ones that calls were worked out for
  double evidence = 0.0;  // sum over them, in nats
  double score = 0.0;
  size_t order = 0;
  std::string line;
};

void AddPlaces(const Tool& tool, const Document& document, Found* found) {
  if (!tool.propose) return;
  const std::vector<WorkedOutCall> calls = tool.propose(document);
  for (size_t i = 0; i < calls.size();) {
    double best = 0.0;
    const size_t place = calls[i].byte_offset;
    for (; i < calls.size() && calls[i].byte_offset == place; ++i) best = std::max(best, calls[i].evidence);
    ++found->places;
    found->evidence += best;
  }
}

absl::Status RunMine(const MineFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<ToolRegistry> registry, MakeRegistry(flags.tools));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> out, OutputFile::Create(flags.out));
  const CancelToken& cancel = CatchSignals();
  ProgressLine progress({});
  if (flags.quiet) progress.Disable();
  std::vector<Found> found;
  int64_t read = 0;
  for (const std::string& path : flags.texts) {
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader, LineReader::Open(path));
    std::string_view line;
    while (true) {
      CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&line));
      if (!more) break;
      const absl::StatusOr<Document> document = ParseDocument(line);
      if (!document.ok()) return Failure("{}: {}", reader->Where(), std::string(document.status().message()));
      if (++read % 1024 == 0) {
        if (cancel.cancelled()) return absl::CancelledError("interrupted");
        progress.Note(fmt::format("{} texts read, {} picked", read, found.size()));
      }
      const int64_t bytes = std::ssize(document->text);
      if (bytes < flags.min_bytes || bytes > flags.max_bytes) continue;
      Found text;
      for (const std::shared_ptr<const Tool>& tool : registry->tools()) AddPlaces(*tool, *document, &text);
      if (text.places < flags.min_calls) continue;
      // Evidence for each byte that a model has to read; the root keeps one short line from beating a rich paragraph.
      text.score = text.evidence / std::sqrt(static_cast<double>(bytes));
      text.order = found.size();
      text.line = line;
      found.push_back(std::move(text));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.score != b.score ? a.score > b.score : a.order < b.order; });
  if (flags.limit > 0 && flags.limit < std::ssize(found)) found.resize(flags.limit);
  int64_t places = 0;
  for (const Found& text : found) {
    places += text.places;
    CLI_RETURN_IF_ERROR(out->Write(text.line + "\n"));
  }
  progress.Clear();
  CLI_RETURN_IF_ERROR(out->Commit());
  if (!flags.quiet) fmt::print("{} texts read, {} picked, with {} places for calls\n", read, found.size(), places);
  return absl::OkStatus();
}

}  // namespace

Subcommand AddMine(CLI::App* parent) {
  auto flags = std::make_shared<MineFlags>();
  CLI::App* app = parent->add_subcommand("mine", "Pick the texts that are likely to give calls, without a model");
  app->description(
      "Works out calls for each text with the tools' own programs and writes the texts that have any, those with the\n"
      "numbers that chance would hardly explain first, so that the model's time goes where calls are.");
  app->add_option("--texts", flags->texts, "texts, one JSON object a line")->required()->type_name("FILE.jsonl ...");
  app->add_option("--tools", flags->tools.names, "tools, separated by commas: " + KnownTools())
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  AddToolsFileFlag(app, &flags->tools);
  app->add_option("--out", flags->out, "the texts picked, best first")->required()->type_name("FILE.jsonl");
  app->add_option("--limit", flags->limit, "only the best N texts")->check(CLI::PositiveNumber)->type_name("N");
  app->add_option("--min-calls", flags->min_calls, "least places for calls in a text")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--min-bytes", flags->min_bytes, "shortest text")->type_name("N")->capture_default_str();
  app->add_option("--max-bytes", flags->max_bytes, "longest text")->type_name("N")->capture_default_str();
  app->add_flag("--quiet", flags->quiet, "print nothing but errors");
  app->footer(
      "\nExample:\n  toolformer mine --texts wikipedia.jsonl --tools Calculator --limit 5000 --out texts.jsonl\n"
      "  toolformer annotate --model gemma.gguf --texts texts.jsonl --tools Calculator --calls worked-out --out "
      "kept.jsonl");
  return {app, [flags] { return RunMine(*flags); }};
}

}  // namespace toolformer::cli
