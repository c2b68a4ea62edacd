// Documents for a search index, from the files that they are published in.
#ifndef TOOLFORMER_SEARCH_DOCUMENTS_H_
#define TOOLFORMER_SEARCH_DOCUMENTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/search_index.h"

namespace toolformer {

// Reads one document after the other, in bounded memory. One thread at a time.
class TOOLFORMER_API SearchDocumentReader {
 public:
  virtual ~SearchDocumentReader() = default;

  // True and the next document, false at the end. Errors name the file and the line, and are final.
  virtual absl::StatusOr<bool> Next(SearchDocument* document) = 0;

  // Of the file as it lies on the disk: how far the reader is, and how large it is.
  virtual uint64_t bytes_read() const = 0;
  virtual uint64_t bytes() const = 0;
};

// Opens a file by what it begins with, packed by gzip or bzip2 or not:
//   - JSON Lines: objects with `text` (required string) and `id` (string or number), `title`, `url`;
//   - a MediaWiki export ("pages-articles.xml"): articles of the main namespace without redirects, their markup taken
//   out
//     (templates, tables, references, file links; of other links their words stay). The id is the page's number.
// kNotFound, kInvalidArgument (neither of the two), kUnavailable.
TOOLFORMER_API absl::StatusOr<std::unique_ptr<SearchDocumentReader>> OpenSearchDocuments(const std::string& path);

// The text of an article without MediaWiki's markup, as above. Any text gives some text; one pass, no recursion.
TOOLFORMER_API std::string StripWikiMarkup(std::string_view markup);

}  // namespace toolformer

#endif  // TOOLFORMER_SEARCH_DOCUMENTS_H_
