#include "src/execute/database.h"

#include <sqlite3.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "src/base/status.h"

namespace toolformer {

SqlStatement::~SqlStatement() { sqlite3_finalize(statement_); }

SqlStatement::SqlStatement(SqlStatement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

void SqlStatement::Bind(int parameter, int64_t value) { sqlite3_bind_int64(statement_, parameter + 1, value); }

void SqlStatement::Bind(int parameter, std::string_view bytes) {
  // A null pointer would bind NULL in place of no bytes.
  const char* data = bytes.empty() ? "" : bytes.data();
  sqlite3_bind_blob64(statement_, parameter + 1, data, bytes.size(), SQLITE_STATIC);
}

int SqlStatement::Step() { return sqlite3_step(statement_); }

void SqlStatement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

int64_t SqlStatement::Integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqlStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr || size <= 0 ? std::string() : std::string(static_cast<const char*>(data), size);
}

absl::StatusOr<std::unique_ptr<SqlConnection>> SqlConnection::Open(const std::string& path, int busy_ms) {
  // "" and ":memory:" mean something else to SQLite.
  const std::string file = path.starts_with('/') ? path : "./" + path;
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (opened == nullptr) return ResourceExhausted("{}: out of memory", path);
  std::unique_ptr<SqlConnection> connection(new SqlConnection(path, opened));
  if (code != SQLITE_OK) return connection->StatusOf(code);
  if (sqlite3_db_readonly(opened, "main") == 1) {
    return absl::PermissionDeniedError(path + ": cannot be written: permission denied");
  }
  // Of a file that others may have made, nothing but its rows is trusted.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  connection->SetBusyTimeout(busy_ms);
  return connection;
}

SqlConnection::~SqlConnection() { sqlite3_close_v2(connection_); }

void SqlConnection::SetBusyTimeout(int milliseconds) { sqlite3_busy_timeout(connection_, milliseconds); }

absl::Status SqlConnection::Run(const char* sql) {
  const int code = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : StatusOf(code);
}

absl::StatusOr<SqlStatement> SqlConnection::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return StatusOf(code);
  return SqlStatement(statement);
}

absl::StatusOr<int64_t> SqlConnection::Number(const char* sql) {
  TF_ASSIGN_OR_RETURN(SqlStatement statement, Prepare(sql));
  const int code = statement.Step();
  if (code != SQLITE_ROW) return StatusOf(code == SQLITE_DONE ? SQLITE_CORRUPT : code);
  return statement.Integer(0);
}

absl::Status SqlConnection::StatusOf(int code) const {
  const int error = sqlite3_system_errno(connection_);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Unavailable("{}: locked by another program", path_);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return InvalidArgument("{}: {}", path_, sqlite3_errstr(code));
    case SQLITE_FULL:
      return ResourceExhausted("{}: cannot be written: the disk is full", path_);
    case SQLITE_NOMEM:
      return ResourceExhausted("{}: out of memory", path_);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(path_ + ": cannot be written: permission denied");
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: {
      const std::string reason = error == 0 ? sqlite3_errstr(code) : std::generic_category().message(error);
      const std::string message = fmt::format("{}: {}", path_, reason);
      if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
      return error == EACCES ? absl::PermissionDeniedError(message) : absl::UnavailableError(message);
    }
    default:
      return Internal("{}: {}", path_, sqlite3_errmsg(connection_));
  }
}

}  // namespace toolformer
