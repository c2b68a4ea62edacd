#include "toolformer/answer_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "src/base/random.h"
#include "src/base/status.h"
#include "src/execute/database.h"

namespace toolformer {
namespace {

using std::chrono::steady_clock;

// "Tool" in ASCII: marks the file as a store of answers.
constexpr int64_t kApplicationId = 0x546f6f6c;
constexpr int64_t kVersion = 1;
constexpr uint64_t kLeastBytes = uint64_t{1} << 20;
// A record beyond this share of the file would push too much out.
constexpr uint64_t kLargestShare = 16;
constexpr int kOpeningBusyMs = 10000;
constexpr int kBusyMs = 2000;

// `hash` is of the key; where two keys share it, the later one replaces the earlier. `id` grows: the least is the
// oldest.
constexpr const char* kTable =
    "CREATE TABLE answers (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, tool BLOB NOT NULL, version BLOB NOT "
    "NULL, input BLOB NOT NULL, date BLOB NOT NULL, max_bytes INTEGER NOT NULL, code INTEGER NOT NULL, text BLOB NOT "
    "NULL, checksum INTEGER NOT NULL)";

int64_t AsInteger(uint64_t bits) { return static_cast<int64_t>(bits); }

uint64_t HashOf(const AnswerKey& key) {
  return CombineSeeds(
      {HashBytes(key.tool), HashBytes(key.version), HashBytes(key.input), HashBytes(key.date), key.max_result_bytes});
}

// Of a whole record, so that one whose bytes have changed is noticed.
uint64_t Checksum(const AnswerKey& key, int64_t code, std::string_view text) {
  return CombineSeeds({HashOf(key), static_cast<uint64_t>(code), text.size(), HashBytes(text)});
}

bool SameKey(const SqlStatement& row, const AnswerKey& key) {
  return row.Bytes(0) == key.tool && row.Bytes(1) == key.version && row.Bytes(2) == key.input &&
         row.Bytes(3) == key.date && row.Integer(4) == AsInteger(key.max_result_bytes);
}

// Runs `body` in a transaction that `begin` begins, so that it sees the file at one moment.
template <typename Body>
absl::Status InTransaction(SqlConnection* connection, const char* begin, Body body) {
  TF_RETURN_IF_ERROR(connection->Run(begin));
  absl::Status done = body();
  if (done.ok()) done = connection->Run("COMMIT");
  if (!done.ok()) connection->Run("ROLLBACK").IgnoreError();
  return done;
}

absl::Status MakeTable(SqlConnection* connection) {
  return InTransaction(connection, "BEGIN IMMEDIATE", [&]() -> absl::Status {
    // Another process may have been faster.
    TF_ASSIGN_OR_RETURN(const int64_t things, connection->Number("SELECT count(*) FROM sqlite_schema"));
    if (things > 0) return absl::OkStatus();
    TF_RETURN_IF_ERROR(connection->Run(kTable));
    TF_RETURN_IF_ERROR(connection->Run(fmt::format("PRAGMA application_id={}", kApplicationId).c_str()));
    return connection->Run(fmt::format("PRAGMA user_version={}", kVersion).c_str());
  });
}

// Nothing is written to a file of someone else's.
absl::Status Check(const std::string& path, SqlConnection* connection) {
  return InTransaction(connection, "BEGIN", [&]() -> absl::Status {
    TF_ASSIGN_OR_RETURN(const int64_t things, connection->Number("SELECT count(*) FROM sqlite_schema"));
    TF_ASSIGN_OR_RETURN(const int64_t id, connection->Number("PRAGMA application_id"));
    TF_ASSIGN_OR_RETURN(const int64_t version, connection->Number("PRAGMA user_version"));
    if (things == 0 && id == 0 && version == 0) return absl::OkStatus();
    if (id != kApplicationId) return InvalidArgument("{}: a database of another program", path);
    if (version != kVersion) {
      return FailedPrecondition("{}: a store of version {}, this library has version {}: name another file", path,
                                version, kVersion);
    }
    TF_ASSIGN_OR_RETURN(SqlStatement table, connection->Prepare("SELECT sql FROM sqlite_schema WHERE type='table'"));
    if (table.Step() != SQLITE_ROW || table.Bytes(0) != kTable) {
      return InvalidArgument("{}: the table of answers is not as it should be", path);
    }
    return absl::OkStatus();
  });
}

absl::Status MakeReady(const std::string& path, SqlConnection* connection) {
  TF_RETURN_IF_ERROR(Check(path, connection));
  TF_RETURN_IF_ERROR(connection->Run("PRAGMA journal_mode=WAL"));
  // A commit then waits for no disk: what a process has committed outlives it, a power failure may take the last ones.
  TF_RETURN_IF_ERROR(connection->Run("PRAGMA synchronous=NORMAL"));
  TF_RETURN_IF_ERROR(connection->Run("PRAGMA cell_size_check=ON"));
  TF_RETURN_IF_ERROR(MakeTable(connection));
  return Check(path, connection);
}

}  // namespace

struct AnswerStore::Database {
  std::unique_ptr<SqlConnection> connection;
  std::optional<SqlStatement> find, keep, forget, pages, free_pages;
  uint64_t max_bytes = 0;
  uint64_t page_bytes = 0;

  mutable std::mutex mutex;
  AnswerStoreCounts counts;

  absl::Status PrepareAll();
  void Failed(int code);
  uint64_t UsedBytes();
  void MakeRoom();
};

absl::Status AnswerStore::Database::PrepareAll() {
  const auto prepare = [&](const char* sql, std::optional<SqlStatement>* out) -> absl::Status {
    TF_ASSIGN_OR_RETURN(SqlStatement statement, connection->Prepare(sql));
    out->emplace(std::move(statement));
    return absl::OkStatus();
  };
  TF_RETURN_IF_ERROR(
      prepare("SELECT tool, version, input, date, max_bytes, code, text, checksum FROM answers WHERE hash=?1", &find));
  TF_RETURN_IF_ERROR(prepare(
      "INSERT OR REPLACE INTO answers (hash, tool, version, input, date, max_bytes, code, text, checksum) VALUES (?1, "
      "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      &keep));
  TF_RETURN_IF_ERROR(prepare("DELETE FROM answers WHERE hash=?1", &forget));
  TF_RETURN_IF_ERROR(prepare("PRAGMA page_count", &pages));
  TF_RETURN_IF_ERROR(prepare("PRAGMA freelist_count", &free_pages));
  TF_ASSIGN_OR_RETURN(const int64_t size, connection->Number("PRAGMA page_size"));
  page_bytes = static_cast<uint64_t>(size);
  return absl::OkStatus();
}

void AnswerStore::Database::Failed(int code) {
  ++counts.failed;
  if (counts.failure.empty()) counts.failure = std::string(connection->StatusOf(code).message());
  const int kind = code & 0xff;
  counts.given_up = counts.given_up || kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
}

uint64_t AnswerStore::Database::UsedBytes() {
  int64_t used = 0;
  if (pages->Step() == SQLITE_ROW) used = pages->Integer(0);
  if (free_pages->Step() == SQLITE_ROW) used -= free_pages->Integer(0);
  pages->Reset();
  free_pages->Reset();
  return static_cast<uint64_t>(std::max<int64_t>(used, 0)) * page_bytes;
}

// The oldest tenth goes, so that this is seldom needed.
void AnswerStore::Database::MakeRoom() {
  while (UsedBytes() > max_bytes) {
    const absl::StatusOr<int64_t> before = connection->Number("SELECT count(*) FROM answers");
    if (!before.ok() || *before == 0) return;
    const int64_t leave = (*before + 9) / 10;
    const absl::Status removed = connection->Run(
        fmt::format("DELETE FROM answers WHERE id IN (SELECT id FROM answers ORDER BY id LIMIT {})", leave).c_str());
    if (!removed.ok()) return;  // tried again with the next answer
    counts.dropped += leave;
  }
}

absl::StatusOr<std::shared_ptr<AnswerStore>> AnswerStore::Open(const std::string& path,
                                                               const AnswerStoreOptions& options) {
  if (path.empty()) return InvalidArgument("the name of the file for answers is empty");
  if (path.find('\0') != std::string::npos) return InvalidArgument("the name of the file for answers holds a NUL");
  if (options.max_bytes < kLeastBytes) {
    return InvalidArgument("max_bytes of the answers is {}, not at least {}", options.max_bytes, kLeastBytes);
  }
  auto database = std::make_unique<Database>();
  database->max_bytes = options.max_bytes;
  TF_ASSIGN_OR_RETURN(database->connection, SqlConnection::Open(path, kOpeningBusyMs));
  SqlConnection* connection = database->connection.get();
  // Another process may be making the same file: SQLite does not wait for it in all of this by itself.
  const auto give_up = steady_clock::now() + std::chrono::milliseconds(kOpeningBusyMs);
  absl::Status ready = MakeReady(path, connection);
  while (absl::IsUnavailable(ready) && steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ready = MakeReady(path, connection);
  }
  if (ready.ok()) ready = database->PrepareAll();
  if (absl::IsInvalidArgument(ready)) {
    return InvalidArgument("{}; it is not a store of answers, or a damaged one: name another file, or remove this one",
                           std::string(ready.message()));
  }
  TF_RETURN_IF_ERROR(ready);
  connection->SetBusyTimeout(kBusyMs);
  return std::shared_ptr<AnswerStore>(new AnswerStore(std::move(database)));
}

AnswerStore::AnswerStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
AnswerStore::~AnswerStore() = default;

std::optional<absl::StatusOr<std::string>> AnswerStore::Find(const AnswerKey& key) {
  Database& db = *database_;
  const std::lock_guard lock(db.mutex);
  if (db.counts.given_up) return std::nullopt;
  const uint64_t hash = HashOf(key);
  db.find->Bind(0, AsInteger(hash));
  const int code = db.find->Step();
  std::optional<absl::StatusOr<std::string>> found;
  bool damaged = false;
  if (code == SQLITE_ROW) {
    const int64_t kind = db.find->Integer(5);
    std::string text = db.find->Bytes(6);
    const bool same = SameKey(*db.find, key);
    if (same && kind >= 0 && kind <= static_cast<int64_t>(absl::StatusCode::kUnauthenticated) &&
        db.find->Integer(7) == AsInteger(Checksum(key, kind, text))) {
      if (kind == 0) {
        found = std::move(text);
      } else {
        found = absl::Status(static_cast<absl::StatusCode>(kind), text);
      }
    } else {
      damaged = same;  // else another key's, or one that is no longer known as ours: replaced by what will be kept
    }
  } else if (code != SQLITE_DONE) {
    db.Failed(code);
  }
  db.find->Reset();
  if (damaged) {
    ++db.counts.damaged;
    db.forget->Bind(0, AsInteger(hash));
    if (const int forgotten = db.forget->Step(); forgotten != SQLITE_DONE) db.Failed(forgotten);
    db.forget->Reset();
  }
  if (found) ++db.counts.found;
  return found;
}

void AnswerStore::Keep(const AnswerKey& key, const absl::StatusOr<std::string>& answer) {
  Database& db = *database_;
  const std::string text(answer.ok() ? absl::string_view(*answer) : answer.status().message());
  const auto code = static_cast<int64_t>(answer.status().code());
  if (key.input.size() + text.size() > db.max_bytes / kLargestShare) return;
  const std::lock_guard lock(db.mutex);
  if (db.counts.given_up) return;
  db.keep->Bind(0, AsInteger(HashOf(key)));
  db.keep->Bind(1, key.tool);
  db.keep->Bind(2, key.version);
  db.keep->Bind(3, key.input);
  db.keep->Bind(4, key.date);
  db.keep->Bind(5, AsInteger(key.max_result_bytes));
  db.keep->Bind(6, code);
  db.keep->Bind(7, text);
  db.keep->Bind(8, AsInteger(Checksum(key, code, text)));
  const int step = db.keep->Step();
  if (step == SQLITE_DONE) {
    ++db.counts.kept;
  } else {
    db.Failed(step);
  }
  db.keep->Reset();
  if (step == SQLITE_DONE) db.MakeRoom();
}

AnswerStoreCounts AnswerStore::counts() const {
  const std::lock_guard lock(database_->mutex);
  return database_->counts;
}

}  // namespace toolformer
