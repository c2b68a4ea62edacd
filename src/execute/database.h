// As much of SQLite as the store of answers needs: a connection, statements that are prepared once, statuses.
#ifndef TOOLFORMER_SRC_EXECUTE_DATABASE_H_
#define TOOLFORMER_SRC_EXECUTE_DATABASE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace toolformer {

// A prepared statement. Parameters and columns count from 0.
class SqlStatement {
 public:
  explicit SqlStatement(sqlite3_stmt* statement) : statement_(statement) {}
  ~SqlStatement();
  SqlStatement(SqlStatement&& other) noexcept;
  SqlStatement& operator=(SqlStatement&&) = delete;

  void Bind(int parameter, int64_t value);
  void Bind(int parameter, std::string_view bytes);  // must live until Reset

  // SQLITE_ROW, SQLITE_DONE or an error.
  int Step();
  // Ready for other values. Every use of a statement ends with it: it holds locks until then.
  void Reset();

  int64_t Integer(int column) const;
  std::string Bytes(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// Of one thread at a time.
class SqlConnection {
 public:
  // Opens or makes a file; waits up to `busy_ms` for other programs. kNotFound, kPermissionDenied, kUnavailable.
  static absl::StatusOr<std::unique_ptr<SqlConnection>> Open(const std::string& path, int busy_ms);
  ~SqlConnection();
  SqlConnection(const SqlConnection&) = delete;
  SqlConnection& operator=(const SqlConnection&) = delete;

  void SetBusyTimeout(int milliseconds);

  // Statements without results.
  absl::Status Run(const char* sql);
  // The number in the first column of the first row.
  absl::StatusOr<int64_t> Number(const char* sql);
  absl::StatusOr<SqlStatement> Prepare(const char* sql);

  // What an error code that was just returned means: kUnavailable (locked), kInvalidArgument (not a database, or a
  // damaged one), kPermissionDenied, kResourceExhausted (disk full), kInternal.
  absl::Status StatusOf(int code) const;

 private:
  SqlConnection(std::string path, sqlite3* connection) : path_(std::move(path)), connection_(connection) {}
  const std::string path_;
  sqlite3* const connection_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EXECUTE_DATABASE_H_
