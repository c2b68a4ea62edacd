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
  int64_t places = 0;  // different ones that calls were worked out for
  double score = 0.0;
  size_t order = 0;
  std::string line;
};

int64_t Places(const ToolRegistry& registry, const Document& document) {
  int64_t places = 0;
  for (const std::shared_ptr<const Tool>& tool : registry.tools()) {
    if (!tool->propose) continue;
    std::vector<size_t> offsets;
    for (const WorkedOutCall& call : tool->propose(document)) offsets.push_back(call.byte_offset);
    offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
    places += std::ssize(offsets);
  }
  return places;
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
      const int64_t places = Places(*registry, *document);
      if (places < flags.min_calls) continue;
      // Places for each byte that a model has to read; the root keeps one short line from beating a rich paragraph.
      const double score = static_cast<double>(places) / std::sqrt(static_cast<double>(bytes));
      found.push_back({places, score, found.size(), std::string(line)});
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
      "most places for their length first, so that the model's time goes where calls are.");
  app->add_option("--texts", flags->texts, "texts, one JSON object a line")->required()->type_name("FILE.jsonl ...");
  app->add_option("--tools", flags->tools.names, "tools, separated by commas: " + KnownTools())
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
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
