// Full-text search over passages: an index in a folder, built once, mapped by any number of processes, ranked by BM25.
#ifndef TOOLFORMER_SEARCH_INDEX_H_
#define TOOLFORMER_SEARCH_INDEX_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"

namespace toolformer {

// What an index is made of.
struct TOOLFORMER_API SearchDocument {
  std::string id;     // the host's name for it
  std::string title;  // may be empty
  std::string text;   // UTF-8; invalid bytes part words
  std::string url;    // may be empty
};

// What decides ranks and passages; kept in the index. The defaults of k1 and b are those of most engines.
struct TOOLFORMER_API SearchIndexOptions {
  // How words become terms: "english" (stop words left out, Snowball's stems), another language of Snowball's (stems
  // alone), or "none" (words as they are). Letter case and accents never count.
  std::string language = "english";
  double k1 = 1.5;              // how soon further occurrences of a term stop to count, at least 0
  double b = 0.75;              // how much long passages are marked down, 0 to 1
  int64_t passage_words = 100;  // words of a passage, parted by blanks, 1 to 10,000; the title counts beside them
  // Documents are gathered in memory until so many passages are there, then written: what a kill can cost, and about 1
  // kB of memory each.
  int64_t part_passages = 131072;
};

// Writes an index. One thread, and one process a folder: a second one is refused. What Flush has written stays there
// whatever happens to the process.
class TOOLFORMER_API SearchIndexBuilder {
 public:
  // Makes `folder`, or goes on with the unfinished build in it. `source` names what is indexed (say its path, size and
  // time); a build goes on only with the same source and options. kAlreadyExists: the folder holds a finished index,
  // or files that are none of an index; kFailedPrecondition: a build of something else, or one under way elsewhere.
  static absl::StatusOr<std::unique_ptr<SearchIndexBuilder>> Open(const std::string& folder,
                                                                  const SearchIndexOptions& options,
                                                                  const std::string& source);
  ~SearchIndexBuilder();
  SearchIndexBuilder(const SearchIndexBuilder&) = delete;
  SearchIndexBuilder& operator=(const SearchIndexBuilder&) = delete;

  // Added so far. Right after Open: those that an earlier, interrupted build has written; the host passes over as many.
  int64_t documents() const;
  int64_t passages() const;

  // kInvalidArgument: a document of 1 GiB or more. A document without words is counted and cannot be found.
  absl::Status Add(const SearchDocument& document);
  // Writes what was added. After an error of this or of Add the index is as at the last success.
  absl::Status Flush();
  // Flushes and marks the index as whole: from then on it can be opened. Nothing may be added afterwards.
  absl::Status Finish();

 private:
  struct State;
  explicit SearchIndexBuilder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A passage of a document.
struct TOOLFORMER_API SearchPassage {
  int64_t number = 0;  // in the index, from 0; a document's passages follow each other
  int64_t page = 0;    // in its document, from 0
  int64_t pages = 0;   // of its document
  std::string document_id, title, url;
  std::string text;
  double score = 0.0;  // of a search, in BM25's unit
};

// What is searched for.
struct TOOLFORMER_API SearchQuery {
  std::string text;                   // passages are ranked by its words
  std::vector<std::string> required;  // words that a passage has to have
  std::vector<std::string> excluded;  // and those that it must not have
  int64_t limit = 10, offset = 0;     // results, and how many of the best are passed over; each 0 to 10,000
};

// Const, and used from any number of threads at once; the files are mapped and shared between processes. Damaged files
// give errors, never a crash.
class TOOLFORMER_API SearchIndex {
 public:
  // kNotFound (no such folder, no index in it), kFailedPrecondition (the build was not finished), kInvalidArgument (a
  // file that is damaged or of another version). Takes milliseconds, whatever the size.
  static absl::StatusOr<std::shared_ptr<const SearchIndex>> Open(const std::string& folder);
  ~SearchIndex();
  SearchIndex(const SearchIndex&) = delete;
  SearchIndex& operator=(const SearchIndex&) = delete;

  int64_t documents() const;
  int64_t passages() const;
  const SearchIndexOptions& options() const;
  // Equal for indexes that answer alike, whatever folder they lie in: 16 hexadecimal digits.
  const std::string& identity() const;

  // The passages with the highest scores, best first, equal ones in their order in the index; those after the first
  // `offset`, at most `limit`. A passage's score is the sum, over the words of the query, of
  //   ln(1 + (N - n + 0.5) / (n + 0.5)) * f / (f + k1 * (1 - b + b * length / average length))
  // with N passages, n of them with the word, f times in this one (Robertson and Zaragoza 2009, with Lucene's
  // logarithm, which is never negative). Passages without any of the words are no result. A query's words after its
  // 64th different one are left out; of required and excluded words together, the same. Words that the options leave
  // out of texts ("the") are required and excluded of none. kOutOfRange: limit or offset above 10,000 or below 0.
  absl::StatusOr<std::vector<SearchPassage>> Search(const SearchQuery& query, const Interrupt& interrupt = {}) const;
  absl::StatusOr<std::vector<SearchPassage>> Search(std::string_view text, int64_t limit, int64_t offset = 0,
                                                    const Interrupt& interrupt = {}) const;

  // A passage by its number. kNotFound.
  absl::StatusOr<SearchPassage> Passage(int64_t number) const;

  // The first passage of the document of that title; letter case, accents and punctuation do not count. Of several the
  // first. kNotFound.
  absl::StatusOr<SearchPassage> Find(std::string_view title) const;

  // The terms that `text` is searched by, in its order: what the options make of its words.
  std::vector<std::string> Terms(std::string_view text) const;

 private:
  struct State;
  explicit SearchIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SEARCH_INDEX_H_
