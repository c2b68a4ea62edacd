// The worker of the benchmark of search, without a model: reads one JSON command a line, answers each with one JSON
// line. Its peers in bench/peers/search_worker.py speak the same protocol.
//
//     {"do": "build", "files": [...], "folder": F}     an index of the documents, with the default options
//     {"do": "dump", "folder": F, "out": PATH}         its passages, one JSON line each: title, text, terms
//     {"do": "open", "folder": F}                      maps it; {"cold": true} in a process that has not opened it yet
//     {"do": "terms", "queries": [...]}                what the queries are searched by
//     {"do": "search", "queries": [...], "limit": L}   seconds of each query, as clocks and as this thread's processor
//     see them;
//                                                      passages and scores with "results": true
#include <time.h>
#include <toolformer/search_documents.h>
#include <toolformer/search_index.h>

#include <chrono>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using toolformer::SearchIndex;
using Json = nlohmann::json;

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Of this thread alone: what a query costs, whatever else the machine does.
double CpuSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

absl::StatusOr<Json> Build(const Json& command) {
  const auto begin = std::chrono::steady_clock::now();
  const auto folder = command.at("folder").get<std::string>();
  toolformer::SearchIndexOptions options;
  options.passage_words = command.value("passage_words", options.passage_words);
  auto builder = toolformer::SearchIndexBuilder::Open(folder, options, "benchmark");
  if (!builder.ok()) return builder.status();
  uint64_t text_bytes = 0;
  for (const Json& file : command.at("files")) {
    auto reader = toolformer::OpenSearchDocuments(file.get<std::string>());
    if (!reader.ok()) return reader.status();
    toolformer::SearchDocument document;
    while (true) {
      const absl::StatusOr<bool> more = (*reader)->Next(&document);
      if (!more.ok()) return more.status();
      if (!*more) break;
      text_bytes += document.text.size() + document.title.size();
      if (absl::Status added = (*builder)->Add(document); !added.ok()) return added;
    }
  }
  if (absl::Status finished = (*builder)->Finish(); !finished.ok()) return finished;
  uint64_t index_bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) index_bytes += entry.file_size();
  return Json{{"seconds", SecondsSince(begin)},
              {"documents", (*builder)->documents()},
              {"passages", (*builder)->passages()},
              {"text_bytes", text_bytes},
              {"index_bytes", index_bytes}};
}

absl::StatusOr<Json> Open(const Json& command, std::shared_ptr<const SearchIndex>* index) {
  const auto begin = std::chrono::steady_clock::now();
  auto opened = SearchIndex::Open(command.at("folder").get<std::string>());
  if (!opened.ok()) return opened.status();
  *index = *std::move(opened);
  return Json{{"seconds", SecondsSince(begin)}, {"passages", (*index)->passages()}};
}

absl::StatusOr<Json> Dump(const Json& command, const SearchIndex& index) {
  std::ofstream out(command.at("out").get<std::string>());
  for (int64_t number = 0; number < index.passages(); ++number) {
    const auto passage = index.Passage(number);
    if (!passage.ok()) return passage.status();
    const Json line = {{"title", passage->title},
                       {"text", passage->text},
                       {"terms", index.Terms(passage->title + "\n" + passage->text)}};
    out << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
  if (!out.flush()) return absl::UnavailableError("the passages cannot be written");
  return Json{{"passages", index.passages()}};
}

absl::StatusOr<Json> Search(const Json& command, const SearchIndex& index) {
  const auto limit = command.at("limit").get<int64_t>();
  const bool want_results = command.value("results", false);
  Json seconds = Json::array(), cpu_seconds = Json::array(), results = Json::array();
  for (const Json& query : command.at("queries")) {
    const auto text = query.get<std::string>();
    const double cpu_begin = CpuSeconds();
    const auto begin = std::chrono::steady_clock::now();
    const auto found = index.Search(text, limit);
    seconds.push_back(SecondsSince(begin));
    cpu_seconds.push_back(CpuSeconds() - cpu_begin);
    if (!found.ok()) return found.status();
    if (!want_results) continue;
    Json of_query = Json::array();
    for (const toolformer::SearchPassage& passage : *found) of_query.push_back({passage.number, passage.score});
    results.push_back(std::move(of_query));
  }
  return Json{{"query_seconds", seconds}, {"query_cpu_seconds", cpu_seconds}, {"results", results}};
}

absl::StatusOr<Json> Do(const Json& command, std::shared_ptr<const SearchIndex>* index) {
  const auto what = command.at("do").get<std::string>();
  if (what == "build") return Build(command);
  if (what == "open") return Open(command, index);
  if (*index == nullptr) return absl::FailedPreconditionError(what + ": no index is open");
  if (what == "dump") return Dump(command, **index);
  if (what == "search") return Search(command, **index);
  if (what == "terms") {
    Json terms = Json::array();
    for (const Json& query : command.at("queries")) terms.push_back((*index)->Terms(query.get<std::string>()));
    return Json{{"terms", terms}};
  }
  return absl::InvalidArgumentError("unknown command '" + what + "'");
}

void Answer(absl::StatusOr<Json> answer) {
  Json line = answer.ok() ? *std::move(answer) : Json{{"error", std::string(answer.status().message())}};
  line["ok"] = !line.contains("error");
  std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

}  // namespace

int main() {
  Answer(Json::object());
  std::shared_ptr<const SearchIndex> index;
  for (std::string line; std::getline(std::cin, line);) {
    absl::StatusOr<Json> answer = Json();
    try {
      answer = Do(Json::parse(line), &index);
    } catch (const std::exception& error) {  // of the command's JSON
      answer = absl::InvalidArgumentError(error.what());
    }
    Answer(std::move(answer));
  }
  return 0;
}
