// Articles of a MediaWiki export.
#ifndef TOOLFORMER_SRC_SEARCH_MEDIAWIKI_EXPORT_H_
#define TOOLFORMER_SRC_SEARCH_MEDIAWIKI_EXPORT_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/search/packed_file.h"
#include "toolformer/search_documents.h"

namespace toolformer {

// `begun` is what was read of the file already. kInvalidArgument: XML of something else.
absl::StatusOr<std::unique_ptr<SearchDocumentReader>> OpenMediaWikiExport(std::unique_ptr<PackedFile> file,
                                                                          std::string_view begun);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_MEDIAWIKI_EXPORT_H_
