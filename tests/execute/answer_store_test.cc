// Kept answers: after a kill, beside other processes, in damaged files.
#include "toolformer/answer_store.h"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "src/base/random.h"
#include "tests/execute/faulty.h"

namespace toolformer::answer_store_test {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

class Folder {
 public:
  Folder() {
    std::string path = "/tmp/toolformer-answers-XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteAll(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::shared_ptr<AnswerStore> Open(const std::string& path, const AnswerStoreOptions& options = {}) {
  auto store = AnswerStore::Open(path, options);
  REQUIRE_MESSAGE(store.ok(), std::string(store.status().message()));
  return *std::move(store);
}

AnswerKey KeyOf(int i) { return {"Tool", "1", "input " + std::to_string(i), i % 2 == 0 ? "" : "2023-01-30", 50000}; }
std::string AnswerOf(int i) { return "answer " + std::to_string(i) + std::string(i % 50, '.'); }

std::string Found(AnswerStore* store, const AnswerKey& key) {
  const auto found = store->Find(key);
  if (!found) return "nothing";
  return found->ok()
             ? **found
             : std::string(StatusCodeName(found->status().code())) + ": " + std::string(found->status().message());
}

TEST_CASE("AnswerStore: answers and errors come back, under their whole key, also later") {
  const Folder folder;
  const AnswerKey key{"Tool", "1", std::string("in\0put \xff", 8), "2023-01-30", 100};
  {
    const auto store = Open(folder / "a");
    CHECK(Found(store.get(), key) == "nothing");
    store->Keep(key, std::string("an\0swer", 7));
    store->Keep({"Tool", "1", "", "", 100}, absl::InvalidArgumentError("no input"));
    store->Keep({"Tool", "1", "empty", "", 100}, std::string());
    CHECK(Found(store.get(), key) == std::string("an\0swer", 7));
  }
  const auto store = Open(folder / "a");
  CHECK(Found(store.get(), key) == std::string("an\0swer", 7));
  CHECK(Found(store.get(), {"Tool", "1", "", "", 100}) == "invalid_argument: no input");
  CHECK(Found(store.get(), {"Tool", "1", "empty", "", 100}).empty());
  for (int field = 0; field < 5; ++field) {
    AnswerKey other = key;
    (field == 0 ? other.tool : field == 1 ? other.version : field == 2 ? other.input : other.date) += "x";
    if (field == 4) other = key, ++other.max_result_bytes;
    CHECK(Found(store.get(), other) == "nothing");
  }
  store->Keep(key, std::string("another"));
  CHECK(Found(store.get(), key) == "another");
  CHECK(store->counts().found == 4);
  CHECK(store->counts().kept == 1);
  CHECK(store->counts().failed == 0);
}

TEST_CASE("AnswerStore: what was kept is there after a kill") {
  const Folder folder;
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto store = AnswerStore::Open(folder / "a");
      if (!store.ok()) _exit(1);
      for (int i = round * 100000;; ++i) {
        (*store)->Keep(KeyOf(i), AnswerOf(i));
        // Only what has been kept is promised.
        if (write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
      }
    }
    close(pipe_ends[1]);
    int last = -1, got = 0;
    const auto until = steady_clock::now() + milliseconds(15 + 7 * round);
    while (steady_clock::now() < until && read(pipe_ends[0], &got, sizeof(got)) == sizeof(got)) last = got;
    kill(child, SIGKILL);
    while (read(pipe_ends[0], &got, sizeof(got)) == sizeof(got)) last = got;
    close(pipe_ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const auto store = Open(folder / "a");
    int right = 0;
    for (int i = round * 100000; i <= last; ++i) right += Found(store.get(), KeyOf(i)) == AnswerOf(i);
    CHECK(right == std::max(0, last - round * 100000 + 1));
    CHECK(store->counts().failed == 0);
    CHECK(store->counts().damaged == 0);
  }
}

TEST_CASE("AnswerStore: a log that is cut anywhere costs its end only") {
  const Folder folder;
  std::string database, log;
  {
    const auto store = Open(folder / "a");
    for (int i = 0; i < 40; ++i) store->Keep(KeyOf(i), AnswerOf(i));
    database = ReadAll(folder / "a");
    log = ReadAll(folder / "a-wal");
  }
  REQUIRE(log.size() > 1000);
  int before = -1;
  for (size_t cut = 0; cut <= log.size(); cut += 997) {
    CAPTURE(cut);
    const std::string path = folder / "cut";
    std::filesystem::remove(path + "-shm");
    WriteAll(path, database);
    WriteAll(path + "-wal", log.substr(0, cut));
    const auto store = Open(path);
    int there = 0;
    while (there < 40 && Found(store.get(), KeyOf(there)) == AnswerOf(there)) ++there;
    for (int i = there; i < 40; ++i) CHECK(Found(store.get(), KeyOf(i)) == "nothing");
    CHECK(there >= before);
    before = there;
    store->Keep(KeyOf(99), AnswerOf(99));
    CHECK(Found(store.get(), KeyOf(99)) == AnswerOf(99));
  }
  CHECK(before >= 38);
}

TEST_CASE("AnswerStore: several processes make a file at once") {
  for (int round = 0; round < 20; ++round) {
    const Folder folder;
    std::vector<pid_t> children;
    const auto at = steady_clock::now() + milliseconds(10);
    for (int p = 0; p < 6; ++p) {
      children.push_back(fork());
      REQUIRE(children.back() >= 0);
      if (children.back() != 0) continue;
      while (steady_clock::now() < at) {
      }
      const auto store = AnswerStore::Open(folder / "a");
      if (!store.ok()) std::fprintf(stderr, "%s\n", std::string(store.status().message()).c_str());
      _exit(store.ok() ? 0 : 1);
    }
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(waitpid(child, &status, 0) == child);
      CHECK(status == 0);
    }
  }
}

TEST_CASE("AnswerStore: several processes and threads share a file from its first moment on") {
  const Folder folder;
  std::vector<pid_t> children;
  for (int p = 0; p < 4; ++p) {
    children.push_back(fork());
    REQUIRE(children.back() >= 0);
    if (children.back() != 0) continue;
    auto store = AnswerStore::Open(folder / "a");
    if (!store.ok()) {
      std::fprintf(stderr, "%s\n", std::string(store.status().message()).c_str());
      _exit(1);
    }
    for (int i = 0; i < 60; ++i) {
      (*store)->Keep(KeyOf(p * 1000 + i), AnswerOf(p * 1000 + i));
      (*store)->Keep(KeyOf(9000 + i), AnswerOf(9000 + i));
      if (Found(store->get(), KeyOf(9000 + i)) != AnswerOf(9000 + i)) _exit(2);
    }
    _exit((*store)->counts().failed == 0 ? 0 : 3);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  const auto store = Open(folder / "a");
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (const int p : {0, 1, 2, 3, 9}) {
    threads.emplace_back([&, p] {
      for (int i = 0; i < 60; ++i) right += Found(store.get(), KeyOf(p * 1000 + i)) == AnswerOf(p * 1000 + i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 300);
}

TEST_CASE("AnswerStore: the oldest answers make room") {
  const Folder folder;
  AnswerStoreOptions options;
  options.max_bytes = uint64_t{1} << 20;
  const auto store = Open(folder / "a", options);
  const std::string filler(4000, 'f');
  for (int i = 0; i < 1500; ++i) store->Keep(KeyOf(i), AnswerOf(i) + filler);
  CHECK(store->counts().kept == 1500);
  CHECK(store->counts().dropped > 1000);
  CHECK(std::filesystem::file_size(folder / "a") <= options.max_bytes + (options.max_bytes >> 3));
  CHECK(Found(store.get(), KeyOf(1499)) == AnswerOf(1499) + filler);
  CHECK(Found(store.get(), KeyOf(1350)) == AnswerOf(1350) + filler);
  CHECK(Found(store.get(), KeyOf(0)) == "nothing");
  // What would push out all the others is not kept at all.
  store->Keep(KeyOf(1), std::string(100000, 'h'));
  CHECK(Found(store.get(), KeyOf(1)) == "nothing");
  CHECK(Found(store.get(), KeyOf(1499)) == AnswerOf(1499) + filler);
  CHECK(absl::IsInvalidArgument(AnswerStore::Open(folder / "b", {.max_bytes = 1000}).status()));
}

// A file whose bytes have changed gives right answers, none, or a clear refusal; never a wrong answer.
TEST_CASE("AnswerStore: damaged files give no wrong answers") {
  const Folder folder;
  {
    const auto store = Open(folder / "a");
    for (int i = 0; i < 120; ++i) store->Keep(KeyOf(i), AnswerOf(i));
  }
  const std::string whole = ReadAll(folder / "a");
  RandomStream random(1);
  int refused = 0, damaged = 0, given_up = 0, lost = 0, rescued = 0;
  const int rounds = 60;
  for (int round = 0; round < rounds; ++round) {
    std::string bytes = whole;
    const size_t at = random.Next() % bytes.size();
    const size_t count = round % 3 == 0 ? 1 : round % 3 == 1 ? 64 : 4096;
    for (size_t i = at; i < std::min(at + count, bytes.size()); ++i) bytes[i] = static_cast<char>(random.Next());
    const std::string path = folder / "damaged";
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
    WriteAll(path, bytes);
    const auto store = AnswerStore::Open(path);
    if (!store.ok()) {
      ++refused;
      CHECK(store.status().message().find(path) != std::string::npos);
      CHECK(ReadAll(path) == bytes);
      continue;
    }
    for (int i = 0; i < 120; ++i) {
      const std::string found = Found(store->get(), KeyOf(i));
      const bool right = found == AnswerOf(i);
      if (!right) CHECK(found == "nothing");
      lost += !right;
      if (right) continue;
      (*store)->Keep(KeyOf(i), AnswerOf(i));
      rescued += Found(store->get(), KeyOf(i)) == AnswerOf(i);
    }
    damaged += (*store)->counts().damaged > 0;
    given_up += (*store)->counts().given_up;
    if ((*store)->counts().failed > 0) CHECK(!(*store)->counts().failure.empty());
  }
  MESSAGE("of ", rounds, " damaged files ", refused, " refused, ", damaged, " with damaged records, ", given_up,
          " given up; ", lost, " answers lost, of which ", rescued, " were kept anew");
  CHECK(refused > 0);
  CHECK(damaged > 0);
  CHECK(given_up > 0);
  CHECK(rescued > 0);
}

void CheckRefused(const std::string& path, const std::string& text) {
  const std::string before = std::filesystem::is_regular_file(path) ? ReadAll(path) : "";
  const absl::Status status = AnswerStore::Open(path).status();
  CAPTURE(path);
  CHECK(!status.ok());
  CHECK(status.message().find(text) != std::string::npos);
  CHECK(status.message().find('\n') == std::string::npos);
  if (std::filesystem::is_regular_file(path)) CHECK(ReadAll(path) == before);
}

TEST_CASE("AnswerStore: files of others are refused and left as they are") {
  const Folder folder;
  WriteAll(folder / "text", std::string(5000, 'x'));
  CheckRefused(folder / "text", "not a store of answers");
  const auto make = [&](const std::string& name, const char* sql) {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open((folder / name).c_str(), &database) == SQLITE_OK);
    REQUIRE(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  };
  make("other", "CREATE TABLE t (x); INSERT INTO t VALUES (1);");
  CheckRefused(folder / "other", "another program");
  make("marked", "PRAGMA application_id=7;");
  CheckRefused(folder / "marked", "another program");
  { Open(folder / "later"); }
  make("later", "PRAGMA user_version=2;");
  CheckRefused(folder / "later", "version 2");
  // A view in place of the table would let the file run SQL of its own.
  { Open(folder / "view"); }
  make("view", "DROP TABLE answers; CREATE VIEW answers AS SELECT 1;");
  CheckRefused(folder / "view", "not as it should be");
  CheckRefused(folder / "none/a", folder / "none/a");
  std::filesystem::create_directory(folder / "folder");
  CheckRefused(folder / "folder", folder / "folder");
  CheckRefused("", "empty");
  CheckRefused(std::string("a\0b", 3), "NUL");
  // Names that mean something else to SQLite are names of files.
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder / "folder");
  { Open(":memory:")->Keep(KeyOf(1), AnswerOf(1)); }
  CHECK(std::filesystem::exists(":memory:"));
  CHECK(Found(Open(":memory:").get(), KeyOf(1)) == AnswerOf(1));
  std::filesystem::current_path(before);
  // A file that was cut before anything was written to it is a new one.
  WriteAll(folder / "empty", "");
  Open(folder / "empty")->Keep(KeyOf(1), AnswerOf(1));
  CHECK(Found(Open(folder / "empty").get(), KeyOf(1)) == AnswerOf(1));
}

// ---- With an executor ----

struct Asked {
  std::shared_ptr<std::atomic<int>> runs = std::make_shared<std::atomic<int>>(0);
  Tool Make(const std::string& version = "") const {
    Tool tool = Named("Ask", [runs = runs](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
      ++*runs;
      if (input == "bad") return absl::InvalidArgumentError("bad input");
      if (input == "down") return absl::UnavailableError("down");
      if (input == "throw") throw std::runtime_error("broke");
      return "said " + std::string(input);
    });
    tool.version = version;
    return tool;
  }
};

TEST_CASE("answers outlive the executor: answers and errors about the input, nothing of the moment") {
  const Folder folder;
  const Asked asked;
  const std::vector<ToolRequest> requests = {{{"Ask", "a"}, {}},
                                             {{"Ask", "a"}, Date{2023, 1, 30}},
                                             {{"Ask", "bad"}, {}},
                                             {{"Ask", "down"}, {}},
                                             {{"Ask", "throw"}, {}}};
  const auto run = [&](const Tool& tool, size_t max_result_bytes) {
    const ToolRegistry registry = RegistryOf({tool});
    ToolExecutorOptions options;
    options.answers = Open(folder / "a");
    options.max_result_bytes = max_result_bytes;
    ToolExecutor executor(registry, options);
    const auto results = executor.ExecuteAll(requests, {});
    REQUIRE(results.ok());
    CHECK((*results)[0].value() == "said a");
    CHECK((*results)[1].value() == "said a");
    CHECK((*results)[2].status() == absl::InvalidArgumentError("bad input"));
    CHECK(absl::IsUnavailable((*results)[3].status()));
    CHECK(absl::IsInternal((*results)[4].status()));
    const ToolStatistics statistics = StatisticsOf(executor, "Ask");
    CheckAddsUp(statistics);
    return statistics;
  };
  CHECK(run(asked.Make(), 1000).called == 5);
  CHECK(*asked.runs == 5);
  const ToolStatistics again = run(asked.Make(), 1000);
  CHECK(again.from_disk == 3);
  CHECK(again.called == 2);
  CHECK(*asked.runs == 7);
  CHECK(run(asked.Make("2"), 1000).called == 5);
  CHECK(run(asked.Make("2"), 1001).called == 5);
  Tool changing = asked.Make("2");
  changing.cacheable = false;
  CHECK(run(changing, 1000).called == 5);
}

TEST_CASE("a store that breaks under a run costs nothing but calls") {
  const Folder folder;
  {
    const auto store = Open(folder / "a");
    for (int i = 0; i < 300; ++i) store->Keep({"Ask", "", std::to_string(i), "", 50000}, "kept " + std::to_string(i));
  }
  const Asked asked;
  const ToolRegistry registry = RegistryOf({asked.Make()});
  ToolExecutorOptions options;
  options.answers = Open(folder / "a");
  ToolExecutor executor(registry, options);
  CHECK(executor.Execute({"Ask", "7"}, {}).value() == "kept 7");
  {
    // All but the first page.
    std::fstream file(folder / "a", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    const std::string rubbish(std::filesystem::file_size(folder / "a") - 4096, '\xa5');
    file << rubbish;
  }
  std::vector<ToolRequest> requests;
  for (int i = 0; i < 300; ++i) requests.push_back({{"Ask", std::to_string(i)}, {}});
  const auto results = executor.ExecuteAll(requests, {});
  REQUIRE(results.ok());
  for (int i = 0; i < 300; ++i) {
    const std::string& result = (*results)[i].value();
    CHECK((result == "kept " + std::to_string(i) || result == "said " + std::to_string(i)));
  }
  CHECK(options.answers->counts().given_up);
  CHECK(!options.answers->counts().failure.empty());
  CheckAddsUp(StatisticsOf(executor, "Ask"));
}

}  // namespace
}  // namespace toolformer::answer_store_test
