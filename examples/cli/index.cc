// toolformer index: builds, searches and shows the index that the WikiSearch tool answers from.
#include <toolformer/search_documents.h>
#include <toolformer/search_index.h>
#include <toolformer/wiki_search.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct IndexFlags {
  std::string folder;
  // build
  std::vector<std::string> files;
  SearchIndexOptions options;
  // search
  std::vector<std::string> words;
  int64_t limit = 5, page = 1;
  bool as_tool = false, json = false;
  // show
  std::string title;
};

// 12,345,678.
std::string Number(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = std::ssize(digits) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string Size(uint64_t bytes) {
  return bytes < 10'000'000 ? fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6)
                            : fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
}

uint64_t FolderBytes(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const uint64_t size = entry.file_size(error);
    if (!error) bytes += size;
  }
  return bytes;
}

// build ------------------------------------------------------------------------------------------------------------

// What a build goes on with: names and sizes, so that a file may be moved meanwhile.
absl::StatusOr<std::string> SourceOf(const std::vector<std::string>& files) {
  std::string source;
  for (const std::string& file : files) {
    CLI_ASSIGN_OR_RETURN(const std::unique_ptr<SearchDocumentReader> reader, OpenSearchDocuments(file));
    source +=
        fmt::format("{}{} ({} bytes)", source.empty() ? "" : ", ", fs::path(file).filename().string(), reader->bytes());
  }
  return source;
}

class BuildProgress {
 public:
  BuildProgress(uint64_t bytes, int64_t resumed) : bytes_(bytes), resumed_(resumed) {}

  // The terminal is written to ten times a second at most.
  void Show(uint64_t done, const SearchIndexBuilder& builder, int64_t passed_over) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    const double part = bytes_ == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(bytes_);
    constexpr int kWidth = 24;
    const int full = std::min(kWidth, static_cast<int>(part * kWidth));
    std::string text =
        fmt::format("[{}{}] {:3.0f}%  ", std::string(full, '#'), std::string(kWidth - full, '.'), part * 100);
    if (passed_over < resumed_) {
      text += fmt::format("passing over {} documents that are in it already", Number(resumed_));
    } else {
      text += fmt::format("{} documents, {} passages", Number(builder.documents()), Number(builder.passages()));
    }
    line_.Note(text);
  }
  void Clear() { line_.Clear(); }

 private:
  const uint64_t bytes_;
  const int64_t resumed_;
  std::chrono::steady_clock::time_point shown_ = {};
  ProgressLine line_{ProgressLine::State{}};
};

absl::Status RunBuild(const IndexFlags& flags) {
  const CancelToken& cancel = CatchSignals();
  const auto begin = std::chrono::steady_clock::now();
  CLI_ASSIGN_OR_RETURN(const std::string source, SourceOf(flags.files));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<SearchIndexBuilder> builder,
                       SearchIndexBuilder::Open(flags.folder, flags.options, source));
  std::vector<std::unique_ptr<SearchDocumentReader>> readers;
  uint64_t bytes = 0, before = 0, text_bytes = 0;
  for (const std::string& file : flags.files) {
    CLI_ASSIGN_OR_RETURN(readers.emplace_back(), OpenSearchDocuments(file));
    bytes += readers.back()->bytes();
  }
  const int64_t resumed = builder->documents();
  BuildProgress progress(bytes, resumed);
  SearchDocument document;
  int64_t read = 0;
  for (const std::unique_ptr<SearchDocumentReader>& reader : readers) {
    while (true) {
      if (cancel.cancelled()) {
        progress.Clear();
        return absl::CancelledError(fmt::format(
            "interrupted; {} holds what was written so far, and the same command goes on from there", flags.folder));
      }
      CLI_ASSIGN_OR_RETURN(const bool more, reader->Next(&document));
      if (!more) break;
      text_bytes += document.title.size() + document.text.size();
      if (++read > resumed) CLI_RETURN_IF_ERROR(builder->Add(document));
      progress.Show(before + reader->bytes_read(), *builder, read);
    }
    before += reader->bytes();
  }
  CLI_RETURN_IF_ERROR(builder->Finish());
  progress.Clear();
  fmt::print("{}: {} documents, {} passages, {} of text, {} on the disk; {:.1f} s\n", flags.folder,
             Number(builder->documents()), Number(builder->passages()), Size(text_bytes),
             Size(FolderBytes(flags.folder)),
             std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return absl::OkStatus();
}

// search -----------------------------------------------------------------------------------------------------------

Json PassageJson(const SearchPassage& passage) {
  return {{"score", passage.score},    {"title", passage.title}, {"page", passage.page + 1},  {"pages", passage.pages},
          {"id", passage.document_id}, {"url", passage.url},     {"passage", passage.number}, {"text", passage.text}};
}

absl::Status PrintAnswer(const std::shared_ptr<const SearchIndex>& index, const std::string& query,
                         const IndexFlags& flags) {
  if (flags.as_tool) {
    const Tool tool = MakeWikiSearch(MakeIndexSource(index));
    CLI_ASSIGN_OR_RETURN(const std::string answer, tool.call(query, {}));
    fmt::print("{}\n", PrintableLine(answer));
    return absl::OkStatus();
  }
  CLI_ASSIGN_OR_RETURN(const std::vector<SearchPassage> found,
                       index->Search(query, flags.limit, (flags.page - 1) * flags.limit));
  const Style style(stdout);
  int64_t rank = (flags.page - 1) * flags.limit;
  for (const SearchPassage& passage : found) {
    ++rank;
    if (flags.json) {
      fmt::print("{}\n", PassageJson(passage).dump(-1, ' ', false, Json::error_handler_t::replace));
      continue;
    }
    fmt::print("{} {}  {}\n  {}\n", style.Dim(fmt::format("{:>3}.", rank)), style.Strong(PrintableLine(passage.title)),
               style.Dim(fmt::format("score {:.3f}, passage {} of {}  {}", passage.score, passage.page + 1,
                                     passage.pages, PrintableLine(passage.url))),
               Printable(passage.text));
  }
  if (found.empty() && !flags.json)
    fmt::print("nothing{}\n", flags.page > 1 ? " on this page" : " has any of these words");
  return absl::OkStatus();
}

absl::Status RunSearch(const IndexFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const SearchIndex> index, SearchIndex::Open(flags.folder));
  std::string query;
  for (const std::string& word : flags.words) query += (query.empty() ? "" : " ") + word;
  if (!query.empty()) return PrintAnswer(index, query, flags);
  // A query a line. On a terminal whoever types one is asked for the next, whatever was wrong with the last.
  const bool asked = IsTerminal(stdin) && IsTerminal(stdout);
  while (true) {
    if (asked) fmt::print("search> ");
    std::fflush(stdout);
    if (!std::getline(std::cin, query)) break;
    if (query.empty()) continue;
    absl::Status status = PrintAnswer(index, query, flags);
    if (status.ok()) continue;
    if (!asked && !flags.as_tool) return status;
    fmt::print("{}\n", PrintableLine(std::string("no answer: ") + std::string(status.message())));
  }
  if (asked) fmt::print("\n");
  return absl::OkStatus();
}

// show -------------------------------------------------------------------------------------------------------------

absl::Status RunShow(const IndexFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const SearchIndex> index, SearchIndex::Open(flags.folder));
  if (flags.title.empty()) {
    const SearchIndexOptions& options = index->options();
    fmt::print("documents   {}\npassages    {}, of {} words\nsize        {}\n", Number(index->documents()),
               Number(index->passages()), options.passage_words, Size(FolderBytes(flags.folder)));
    fmt::print("words       {}\nBM25        k1 {}, b {}\nidentity    {}\n", options.language, options.k1, options.b,
               index->identity());
    return absl::OkStatus();
  }
  CLI_ASSIGN_OR_RETURN(SearchPassage passage, index->Find(flags.title));
  const int64_t first = passage.number, pages = passage.pages;
  if (!flags.json) {
    fmt::print("{}{}{}\n", Style(stdout).Strong(PrintableLine(passage.title)), passage.url.empty() ? "" : "  ",
               PrintableLine(passage.url));
  }
  for (int64_t page = 0; page < pages; ++page) {
    CLI_ASSIGN_OR_RETURN(passage, index->Passage(first + page));
    if (flags.json) {
      fmt::print("{}\n", PassageJson(passage).dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      fmt::print("{}\n", Printable(passage.text));
    }
  }
  return absl::OkStatus();
}

// ------------------------------------------------------------------------------------------------------------------

void AddFolder(CLI::App* app, IndexFlags* flags) {
  app->add_option("--index", flags->folder, "the folder of the index")->required()->type_name("FOLDER");
}

CLI::App* AddBuild(CLI::App* parent, IndexFlags* flags) {
  CLI::App* app = parent->add_subcommand("build", "Builds an index of documents");
  app->description(
      "Builds an index of documents in a folder. Files are JSON Lines (objects with `text`, and `title`, `id`, `url` "
      "where\n"
      "there are any) or MediaWiki exports (pages-articles.xml), packed by gzip or bzip2 or not. Texts are cut into\n"
      "passages, which are what a search finds. The build can be killed at any moment: the same command goes on with "
      "what\n"
      "was written, and the finished index is the same to the byte.");
  app->add_option("--out", flags->folder, "the folder of the index; made if it is not there")
      ->required()
      ->type_name("FOLDER");
  app->add_option("files", flags->files, "the documents")->required()->type_name("FILE");
  app->add_option("--language", flags->options.language,
                  "how words are brought to their stems: english, another language of Snowball's, or none")
      ->capture_default_str();
  app->add_option("--passage-words", flags->options.passage_words, "words of a passage")->capture_default_str();
  app->add_option("--k1", flags->options.k1, "BM25: how soon further occurrences of a word stop to count")
      ->capture_default_str();
  app->add_option("--b", flags->options.b, "BM25: how much long passages are marked down, 0 to 1")
      ->capture_default_str();
  app->add_option("--part-passages", flags->options.part_passages,
                  "passages gathered in memory before they are written (1 kB each): what a kill can cost")
      ->capture_default_str();
  app->footer(
      "\nExamples:\n"
      "  toolformer index build --out wiki-index simplewiki.jsonl.gz\n"
      "  toolformer index build --out wiki-index simplewiki-latest-pages-articles.xml.bz2");
  return app;
}

CLI::App* AddSearch(CLI::App* parent, IndexFlags* flags) {
  CLI::App* app = parent->add_subcommand("search", "Searches an index");
  app->description(
      "Prints the passages that match best, best first. Without a query it reads one a line from standard input.");
  AddFolder(app, flags);
  app->add_option("query", flags->words, "words to search for")->type_name("WORD");
  app->add_option("--limit", flags->limit, "results of a page")->capture_default_str()->check(CLI::Range(1, 1000));
  app->add_option("--page", flags->page, "page of results")->capture_default_str()->check(CLI::Range(1, 1000));
  CLI::Option* json = app->add_flag("--json", flags->json, "a JSON object for each result");
  app->add_flag("--as-tool", flags->as_tool,
                "what the WikiSearch tool answers to the query as its input: 'words', 'words #2' (the next page),\n"
                "'words +must -mustnot', 'open: Title', 'open: Title #2'")
      ->excludes(json);
  app->footer(
      "\nExamples:\n"
      "  toolformer index search --index wiki-index highest mountain of Africa\n"
      "  toolformer index search --index wiki-index --as-tool 'open: Kilimanjaro #2'");
  return app;
}

CLI::App* AddShow(CLI::App* parent, IndexFlags* flags) {
  CLI::App* app = parent->add_subcommand("show", "Shows what an index holds");
  app->description("Says what an index holds, or prints the passages of the document of a title.");
  AddFolder(app, flags);
  app->add_option("title", flags->title, "title of a document; letter case and punctuation do not count")
      ->type_name("TITLE");
  app->add_flag("--json", flags->json, "a JSON object for each passage of the document");
  app->footer(
      "\nExamples:\n  toolformer index show --index wiki-index\n  toolformer index show --index wiki-index "
      "Kilimanjaro");
  return app;
}

}  // namespace

Subcommand AddIndex(CLI::App* parent) {
  auto flags = std::make_shared<IndexFlags>();
  CLI::App* app = parent->add_subcommand("index", "Builds and searches the index of the WikiSearch tool");
  app->description(
      "Builds, searches and shows an index of passages: what the WikiSearch tool answers from (--wiki-index of the "
      "other\n"
      "commands). An index is a folder; any number of programs may read it at once, and it opens in milliseconds.");
  app->require_subcommand(1);
  CLI::App* build = AddBuild(app, flags.get());
  CLI::App* search = AddSearch(app, flags.get());
  AddShow(app, flags.get());
  app->footer("\n'toolformer index COMMAND --help' tells more of each.");
  return {app, [flags, build, search] {
            if (build->parsed()) return RunBuild(*flags);
            return search->parsed() ? RunSearch(*flags) : RunShow(*flags);
          }};
}

}  // namespace toolformer::cli
