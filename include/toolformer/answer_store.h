// Answers of tools, kept in a file: what was asked once is not asked again by the next run, nor after one was killed.
#ifndef TOOLFORMER_ANSWER_STORE_H_
#define TOOLFORMER_ANSWER_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toolformer/export.h"

namespace toolformer {

struct TOOLFORMER_API AnswerStoreOptions {
  // Bytes of the file beyond which the oldest answers make room for new ones; 1 MiB at least. The write-ahead log
  // beside it takes some megabytes more.
  uint64_t max_bytes = uint64_t{1} << 30;
};

// What an answer depends on.
struct TOOLFORMER_API AnswerKey {
  std::string tool;
  std::string version;  // Tool::version
  std::string input;
  std::string date;               // of the document, "2023-01-30"; empty: none
  uint64_t max_result_bytes = 0;  // to which the answer was cut
};

// What happened to the store since it was opened.
struct TOOLFORMER_API AnswerStoreCounts {
  int64_t found = 0;
  int64_t kept = 0;
  int64_t damaged = 0;    // records whose checksum was wrong: dropped, and the tool is asked anew
  int64_t failed = 0;     // reads and writes that the file refused; the tool is asked, its answer is not kept
  int64_t dropped = 0;    // old answers that made room
  std::string failure;    // the first of the failed ones
  bool given_up = false;  // the file is damaged as a whole: nothing more is read or written
};

// An SQLite database in write-ahead mode. Safe to use from several threads, executors and processes at once, on a disk
// of this machine (not over NFS or SMB). An answer is kept when Keep returns: a process that is killed loses none; a
// power failure may lose the last ones. Nothing that happens to the file after it was opened is an error of a run: it
// then only asks the tools more often.
class TOOLFORMER_API AnswerStore {
 public:
  // Makes the file where there is none. kInvalidArgument (not a store, or a damaged one: it is left as it is, and the
  // message says what to do), kFailedPrecondition (a store of another version), kUnavailable (locked by another program
  // for 10 s), kNotFound (no such folder), kPermissionDenied.
  static absl::StatusOr<std::shared_ptr<AnswerStore>> Open(const std::string& path,
                                                           const AnswerStoreOptions& options = {});
  ~AnswerStore();
  AnswerStore(const AnswerStore&) = delete;
  AnswerStore& operator=(const AnswerStore&) = delete;

  // The answer or tool error that was kept under the key; nothing where there is none.
  std::optional<absl::StatusOr<std::string>> Find(const AnswerKey& key);

  // Keeps an answer, in place of one that is there.
  void Keep(const AnswerKey& key, const absl::StatusOr<std::string>& answer);

  AnswerStoreCounts counts() const;

 private:
  struct Database;
  explicit AnswerStore(std::unique_ptr<Database> database);
  const std::unique_ptr<Database> database_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_ANSWER_STORE_H_
