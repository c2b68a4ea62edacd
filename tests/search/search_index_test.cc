#include "toolformer/search_index.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/paths.h"
#include "toolformer/search_documents.h"

namespace toolformer::search_index_test {
namespace {

using testing::TemporaryFolder;

std::vector<SearchDocument> ReadAll(const std::string& path) {
  auto reader = OpenSearchDocuments(path);
  REQUIRE(reader.ok());
  std::vector<SearchDocument> documents;
  SearchDocument document;
  while (true) {
    const auto more = (*reader)->Next(&document);
    REQUIRE(more.ok());
    if (!*more) return documents;
    documents.push_back(document);
  }
}

absl::Status Build(const std::string& folder, const std::vector<SearchDocument>& documents,
                   SearchIndexOptions options = {}) {
  auto builder = SearchIndexBuilder::Open(folder, options, "test");
  if (!builder.ok()) return builder.status();
  for (size_t i = static_cast<size_t>((*builder)->documents()); i < documents.size(); ++i) {
    if (absl::Status added = (*builder)->Add(documents[i]); !added.ok()) return added;
  }
  return (*builder)->Finish();
}

const std::vector<SearchDocument>& Birds() {
  static const std::vector<SearchDocument> birds = {
      {"1", "Penguin", "Penguins are birds that cannot fly. They swim well.", "http://x/1"},
      {"2", "Ostrich", "The ostrich is the largest bird. It cannot fly but runs fast.", ""},
      {"3", "Kiwi", "one two three four five six seven eight nine ten eleven twelve", ""},
      {"4", "Empty", "", ""},
      {"5", "", "An untitled text about a bird that swims.", ""},
  };
  return birds;
}

TEST_CASE("scores are those of bm25s, whatever the number of parts") {
  const std::vector<SearchDocument> documents = ReadAll(testing::Fixture("search/documents.jsonl.gz"));
  REQUIRE(documents.size() == 900);
  // One part; seven parts, in which blocks of postings end early.
  for (const int64_t part_passages : {100000, 131}) {
    const TemporaryFolder folder;
    SearchIndexOptions options;
    options.part_passages = part_passages;
    REQUIRE(Build(folder.file("index"), documents, options).ok());
    const auto index = SearchIndex::Open(folder.file("index"));
    REQUIRE(index.ok());
    CHECK((*index)->passages() == 900);
    std::ifstream lines(testing::Fixture("search/queries.jsonl"));
    std::string line;
    int64_t queries = 0;
    double furthest = 0.0;
    for (; std::getline(lines, line); ++queries) {
      const auto json = ParseJson(line);
      REQUIRE(json.ok());
      const auto found = (*index)->Search((*json)["query"].get<std::string>(), 5);
      REQUIRE(found.ok());
      const auto scores = (*json)["scores"].get<std::vector<double>>();
      REQUIRE(found->size() == scores.size());
      for (size_t i = 0; i < scores.size(); ++i) furthest = std::max(furthest, std::abs(scores[i] - (*found)[i].score));
    }
    CHECK(queries == 1000);
    CHECK(furthest < 1e-4);
  }
}

// Every passage's score, worked out without an index.
std::vector<std::pair<double, size_t>> BruteForce(const std::vector<std::vector<std::string>>& passages,
                                                  const std::vector<std::string>& query, double k1, double b) {
  double all = 0.0;
  for (const auto& passage : passages) all += static_cast<double>(passage.size());
  const double average = all / static_cast<double>(passages.size()), count = static_cast<double>(passages.size());
  std::vector<double> weights;
  for (const std::string& term : query) {
    const auto with = static_cast<double>(std::count_if(passages.begin(), passages.end(), [&](const auto& passage) {
      return std::find(passage.begin(), passage.end(), term) != passage.end();
    }));
    weights.push_back(std::log(1.0 + (count - with + 0.5) / (with + 0.5)));
  }
  std::vector<std::pair<double, size_t>> scores;
  for (size_t i = 0; i < passages.size(); ++i) {
    double score = 0.0;
    for (size_t n = 0; n < query.size(); ++n) {
      const auto times = static_cast<double>(std::count(passages[i].begin(), passages[i].end(), query[n]));
      if (times == 0.0) continue;
      score += weights[n] * times / (times + k1 * (1.0 - b + b * static_cast<double>(passages[i].size()) / average));
    }
    if (score > 0.0) scores.emplace_back(-score, i);
  }
  std::sort(scores.begin(), scores.end());
  return scores;
}

TEST_CASE("nothing that belongs to the best is passed over") {
  std::mt19937 draw(3);
  std::vector<SearchDocument> documents;
  std::vector<std::vector<std::string>> passages;
  // Skewed words and lengths: lists of postings of many blocks and of one.
  for (int i = 0; i < 1500; ++i) {
    SearchDocument document;
    passages.emplace_back();
    for (int n = 1 + static_cast<int>(draw() % 30); n > 0; --n) {
      const int skew = 1 << (draw() % 9);
      passages.back().push_back("t" + std::to_string(draw() % static_cast<unsigned>(skew)));
      document.text += passages.back().back() + " ";
    }
    documents.push_back(document);
  }
  for (const auto& [k1, b] : {std::pair(1.5, 0.75), std::pair(0.0, 0.0), std::pair(3.0, 1.0)}) {
    const TemporaryFolder folder;
    SearchIndexOptions options;
    options.language = "none";
    options.k1 = k1;
    options.b = b;
    options.part_passages = 700;
    REQUIRE(Build(folder.file("index"), documents, options).ok());
    const auto index = SearchIndex::Open(folder.file("index"));
    REQUIRE(index.ok());
    for (int i = 0; i < 100; ++i) {
      std::vector<std::string> query;
      for (int n = 1 + static_cast<int>(draw() % 5); n > 0; --n)
        query.push_back("t" + std::to_string(draw() % (1u << (draw() % 9))));
      std::string text;
      for (const std::string& word : query) text += word + " ";
      auto expected = BruteForce(passages, query, k1, b);
      const auto limit = static_cast<int64_t>(1 + draw() % 20), offset = static_cast<int64_t>(draw() % 4);
      // Every other query is refined.
      SearchQuery refined = {text, {}, {}, limit, offset};
      if (i % 2 == 1) {
        refined.required = {"t" + std::to_string(draw() % 4)};
        refined.excluded = {"t" + std::to_string(draw() % 8), "t" + std::to_string(draw() % 64)};
        std::erase_if(expected, [&](const auto& each) {
          const std::vector<std::string>& passage = passages[each.second];
          const auto has = [&](const std::string& word) {
            return std::count(passage.begin(), passage.end(), word) > 0;
          };
          return !has(refined.required[0]) || has(refined.excluded[0]) || has(refined.excluded[1]);
        });
      }
      const auto found = (*index)->Search(refined);
      REQUIRE(found.ok());
      const auto left = std::max<int64_t>(0, std::min<int64_t>(limit, std::ssize(expected) - offset));
      REQUIRE(std::ssize(*found) == left);
      for (int64_t n = 0; n < left; ++n) {
        CHECK((*found)[n].score == doctest::Approx(-expected[n + offset].first).epsilon(1e-6));
        // The passage has the score that it is listed with.
        const auto same = std::find_if(expected.begin(), expected.end(), [&](const auto& each) {
          return each.second == static_cast<size_t>((*found)[n].number);
        });
        REQUIRE(same != expected.end());
        CHECK((*found)[n].score == doctest::Approx(-same->first).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("results say what they are, and can be read on") {
  const TemporaryFolder folder;
  SearchIndexOptions options;
  options.passage_words = 5;
  options.part_passages = 3;
  REQUIRE(Build(folder.file("index"), Birds(), options).ok());
  const auto opened = SearchIndex::Open(folder.file("index"));
  REQUIRE(opened.ok());
  const SearchIndex& index = **opened;
  CHECK(index.documents() == 5);
  CHECK(index.passages() == 2 + 3 + 3 + 1 + 2);

  const auto found = index.Search("swimming penguins", 2);
  REQUIRE(found.ok());
  REQUIRE(found->size() == 2);
  const SearchPassage& best = found->front();
  CHECK(best.title == "Penguin");
  CHECK(best.document_id == "1");
  CHECK(best.url == "http://x/1");
  CHECK(best.pages == 2);
  const auto next = index.Passage(best.number + 1 - best.page);
  REQUIRE(next.ok());
  CHECK(next->page == 1);
  CHECK(next->text == "fly. They swim well.");

  const auto kiwi = index.Find("kiwi!");
  REQUIRE(kiwi.ok());
  CHECK(kiwi->text == "one two three four five");
  CHECK(kiwi->pages == 3);
  // A document that is a title alone.
  const auto empty = index.Search("empty", 5);
  REQUIRE(empty.ok());
  REQUIRE(empty->size() == 1);
  CHECK(empty->front().text.empty());
  CHECK(absl::IsNotFound(index.Find("Emu").status()));
  CHECK(absl::IsNotFound(index.Find("").status()));
  CHECK(absl::IsNotFound(index.Passage(11).status()));
  CHECK(absl::IsNotFound(index.Passage(-1).status()));
  CHECK(index.Search("", 5)->empty());
  CHECK(index.Search("the of and", 5)->empty());
  CHECK(index.Search("zebra", 5)->empty());
  CHECK(index.Search("bird", 0)->empty());
  CHECK(index.Search("bird", 5, 100)->empty());
  CHECK(absl::IsOutOfRange(index.Search("bird", -1).status()));
  CHECK(absl::IsOutOfRange(index.Search("bird", 1, 10001).status()));
  const auto titles = [&](const SearchQuery& query) {
    std::string all;
    const auto results = index.Search(query);
    REQUIRE(results.ok());
    for (const SearchPassage& passage : *results) all += passage.title + ";";
    return all;
  };
  CHECK(titles({"bird", {}, {}}) == ";Penguin;Ostrich;");
  CHECK(titles({"ostrich", {"runs"}, {}}) == "Ostrich;");
  CHECK(titles({"bird", {}, {"runs", "swims"}}) == "Penguin;Ostrich;");
  CHECK(titles({"bird", {"zebra"}, {}}).empty());
  CHECK(titles({"bird", {"the"}, {"the"}}) == titles({"bird", {}, {}}));
  // Bounded work for any query.
  std::string endless;
  for (int i = 0; i < 100000; ++i) endless += "bird" + std::to_string(i) + " ";
  CHECK(index.Search(endless + "penguin", 5)->empty());
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(index.Search("bird", 5, 0, {&cancel, {}}).status()));
}

TEST_CASE("an index of nothing is an index") {
  const TemporaryFolder folder;
  REQUIRE(Build(folder.file("index"), {}).ok());
  const auto index = SearchIndex::Open(folder.file("index"));
  REQUIRE(index.ok());
  CHECK((*index)->Search("bird", 5)->empty());
  CHECK((*index)->passages() == 0);
}

TEST_CASE("several threads search at once") {
  const TemporaryFolder folder;
  REQUIRE(Build(folder.file("index"), ReadAll(testing::Fixture("search/documents.jsonl.gz"))).ok());
  const auto index = SearchIndex::Open(folder.file("index"));
  REQUIRE(index.ok());
  const auto expected = (*index)->Search("w1 w20 w300", 10);
  std::vector<std::thread> threads;
  std::atomic<int> same = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        const auto found = (*index)->Search("w1 w20 w300", 10);
        if (found.ok() && found->size() == 10 && (*found)[9].number == (*expected)[9].number) ++same;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(same == 160);
}

TEST_CASE("an interrupted build goes on to the same files") {
  const std::vector<SearchDocument> documents = ReadAll(testing::Fixture("search/documents.jsonl.gz"));
  const TemporaryFolder folder;
  SearchIndexOptions options;
  options.part_passages = 200;
  REQUIRE(Build(folder.file("whole"), documents, options).ok());
  {
    auto builder = SearchIndexBuilder::Open(folder.file("index"), options, "test");
    REQUIRE(builder.ok());
    for (int i = 0; i < 450; ++i) REQUIRE((*builder)->Add(documents[i]).ok());
    // Another one meanwhile.
    CHECK(absl::IsFailedPrecondition(SearchIndexBuilder::Open(folder.file("index"), options, "test").status()));
  }
  CHECK(absl::IsFailedPrecondition(SearchIndex::Open(folder.file("index")).status()));
  CHECK(absl::IsFailedPrecondition(SearchIndexBuilder::Open(folder.file("index"), options, "other").status()));
  SearchIndexOptions changed = options;
  changed.k1 = 2.0;
  CHECK(absl::IsFailedPrecondition(SearchIndexBuilder::Open(folder.file("index"), changed, "test").status()));
  // What a kill in the middle of writing leaves.
  std::ofstream(folder.file("index") + "/part-000002.tmp-AbCdEf") << "half";
  std::ofstream(folder.file("index") + "/part-000002") << "half";
  {
    auto builder = SearchIndexBuilder::Open(folder.file("index"), options, "test");
    REQUIRE(builder.ok());
    CHECK((*builder)->documents() == 400);
    CHECK_FALSE(std::filesystem::exists(folder.file("index") + "/part-000002.tmp-AbCdEf"));
  }
  REQUIRE(Build(folder.file("index"), documents, options).ok());
  for (const char* name : {"part-000000", "part-000001", "part-000002", "part-000003", "part-000004", "index.json"}) {
    CHECK(*ReadFile(folder.file("index") + "/" + name, 1 << 30) ==
          *ReadFile(folder.file("whole") + "/" + name, 1 << 30));
  }
  CHECK(absl::IsAlreadyExists(SearchIndexBuilder::Open(folder.file("index"), options, "test").status()));
  // What answers alike has the same name, another text another one.
  CHECK((*SearchIndex::Open(folder.file("index")))->identity() ==
        (*SearchIndex::Open(folder.file("whole")))->identity());
  std::vector<SearchDocument> others = documents;
  others[899].text.back() = 'x';
  REQUIRE(Build(folder.file("others"), others, options).ok());
  CHECK((*SearchIndex::Open(folder.file("others")))->identity() !=
        (*SearchIndex::Open(folder.file("whole")))->identity());
}

TEST_CASE("folders that are none of an index are left alone") {
  const TemporaryFolder folder;
  std::ofstream(folder.file("thesis.txt")) << "precious";
  CHECK(absl::IsAlreadyExists(SearchIndexBuilder::Open(folder.path(), {}, "test").status()));
  CHECK_FALSE(std::filesystem::exists(folder.file("lock")));
  CHECK_FALSE(SearchIndexBuilder::Open(folder.file("thesis.txt"), {}, "test").ok());
  CHECK(absl::IsNotFound(SearchIndex::Open(folder.path()).status()));
  CHECK(absl::IsNotFound(SearchIndex::Open(folder.file("missing")).status()));
  SearchIndexOptions options;
  options.b = 2.0;
  CHECK(absl::IsInvalidArgument(SearchIndexBuilder::Open(folder.file("new"), options, "test").status()));
  options = {};
  options.language = "klingon";
  CHECK(absl::IsInvalidArgument(SearchIndexBuilder::Open(folder.file("new"), options, "test").status()));
  CHECK_FALSE(std::filesystem::exists(folder.file("new")));
}

// Writes `bytes` over the part, opens, searches, reads: errors are fine, anything else is a crash that sanitizers see.
void TryDamaged(const std::string& folder, const std::string& bytes) {
  std::ofstream(folder + "/part-000000", std::ios::binary | std::ios::trunc) << bytes;
  const auto index = SearchIndex::Open(folder);
  if (!index.ok()) return;
  for (const char* query : {"w0 w1 w2 w3", "w100", "w5 w1900"}) {
    const auto found = (*index)->Search(query, 10);
    static_cast<void>(found);
  }
  for (int64_t i = 0; i < (*index)->passages(); i += 7) static_cast<void>((*index)->Passage(i).ok());
  static_cast<void>((*index)->Find("some title").ok());
}

TEST_CASE("damaged parts give errors") {
  const TemporaryFolder folder;
  std::vector<SearchDocument> documents = ReadAll(testing::Fixture("search/documents.jsonl.gz"));
  documents.resize(300);
  documents[0].title = "some title";
  REQUIRE(Build(folder.file("index"), documents).ok());
  const std::string good = *ReadFile(folder.file("index") + "/part-000000", 1 << 30);
  for (size_t size = 0; size < good.size(); size += 1 + good.size() / 150)
    TryDamaged(folder.file("index"), good.substr(0, size));
  std::mt19937 draw(5);
  for (int i = 0; i < 600; ++i) {
    std::string bad = good;
    for (int n = 0; n < 4; ++n) bad[draw() % bad.size()] = static_cast<char>(draw());
    TryDamaged(folder.file("index"), bad);
  }
  // A run of the largest number over every place: offsets, counts and lengths that are far too large.
  for (size_t at = 176; at + 8 <= good.size(); at += 8 + good.size() / 400) {
    std::string bad = good;
    std::memset(bad.data() + at, 0xff, 8);
    TryDamaged(folder.file("index"), bad);
  }
  // Any change of the header is noticed.
  for (size_t at = 0; at < 176; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    std::ofstream(folder.file("index") + "/part-000000", std::ios::binary | std::ios::trunc) << bad;
    CHECK(absl::IsInvalidArgument(SearchIndex::Open(folder.file("index")).status()));
  }
}

TEST_CASE("a manifest that is not as it should be is an error that names it") {
  const TemporaryFolder folder;
  REQUIRE(Build(folder.file("index"), Birds()).ok());
  const std::string path = folder.file("index") + "/index.json";
  const std::string good = *ReadFile(path, 1 << 20);
  const auto replaced = [&](const std::string& what, const std::string& with) {
    std::string bad = good;
    const size_t at = bad.find(what);
    REQUIRE(at != std::string::npos);
    return bad.replace(at, what.size(), with);
  };
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{"), replaced("\"version\": 1", "\"version\": 2"),
        replaced("part-000000", "../../etc/passwd"), replaced("\"k1\": 1.5", "\"k1\": -1"),
        replaced("\"documents\": 5", "\"documents\": 6"), replaced("\"finished\"", "\"done\""),
        replaced("english", "klingon")}) {
    std::ofstream(path, std::ios::trunc) << bad;
    const auto index = SearchIndex::Open(folder.file("index"));
    CHECK_MESSAGE(absl::IsInvalidArgument(index.status()), bad);
  }
}

}  // namespace
}  // namespace toolformer::search_index_test
