// The tool of Wikipedia Search, and where it searches.
#ifndef TOOLFORMER_WIKI_SEARCH_H_
#define TOOLFORMER_WIKI_SEARCH_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/search_index.h"
#include "toolformer/tool.h"

namespace toolformer {

// Where a search tool searches: an index of this library, or an engine elsewhere. Const, and used from any number of
// threads at once.
class TOOLFORMER_API SearchSource {
 public:
  virtual ~SearchSource() = default;

  // The best passages for a query, best first. Titles and texts are filled; an engine may leave the rest.
  virtual absl::StatusOr<std::vector<SearchPassage>> Search(const SearchQuery& query,
                                                            const Interrupt& interrupt) const = 0;

  // The passage `page`, from 0, of the document of that title. kNotFound: no document is called so; kOutOfRange: it has
  // fewer passages.
  virtual absl::StatusOr<SearchPassage> Open(std::string_view title, int64_t page,
                                             const Interrupt& interrupt) const = 0;

  // Another one where answers may differ; at most 200 bytes.
  virtual std::string Version() const = 0;
};

// The passages of an index.
TOOLFORMER_API std::shared_ptr<const SearchSource> MakeIndexSource(std::shared_ptr<const SearchIndex> index);

// An index of Elasticsearch or OpenSearch, whose search API is the same: for collections beyond one machine.
struct TOOLFORMER_API EngineSourceOptions {
  std::string url;  // of the index: "https://search.example.org:9200/wikipedia"
  std::string title_field = "title", text_field = "text";
  // Field with the number, from 0, of a passage in its document, where a document of the engine is one passage of an
  // article. Empty: it is a whole article, which is cut into passages here.
  std::string page_field;
  int64_t passage_words = 100;                               // of such a passage
  std::vector<std::pair<std::string, std::string>> headers;  // of each request, as {"Authorization", "ApiKey ..."}
  // Networks that the engine may be in although they are not public, as {"10.0.0.0/8", "127.0.0.1"}.
  std::vector<std::string> allowed_networks;
  std::chrono::milliseconds deadline{5000};  // of a request
  size_t max_response_bytes = size_t{8} << 20;
  std::string version;  // of what is searched: changed by the host when its answers change
};

// Searches are requests to the engine: kUnavailable (not reached, overloaded), kDeadlineExceeded, kPermissionDenied (an
// address that is not allowed, credentials that are refused), kFailedPrecondition (no such index), kInvalidArgument (an
// answer that is none), kResourceExhausted (one that is too large). What an engine answers is data, believed in
// nothing. Here: kInvalidArgument where the options are not as they should be; nothing is sent.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const SearchSource>> MakeEngineSource(const EngineSourceOptions& options);

struct TOOLFORMER_API WikiSearchOptions {
  std::string name = "WikiSearch";
  int64_t results = 2;         // of a page, 1 to 20
  int64_t snippet_words = 40;  // of a result, 1 to 1,000
  int64_t most_pages = 20;     // the last page of results that can be asked for, 1 to 100
};

// Snippets for a term, "Title > text | Title > text", and by follow-up inputs the next pages, what stands on in an
// article, and narrower searches (docs/tools.md: inputs, outputs, errors). Every input is complete in itself: the tool
// keeps nothing between calls. Options outside their range are brought into it. Without a source (null) every call is a
// tool error.
TOOLFORMER_API Tool MakeWikiSearch(std::shared_ptr<const SearchSource> source, const WikiSearchOptions& options = {});

}  // namespace toolformer

#endif  // TOOLFORMER_WIKI_SEARCH_H_
