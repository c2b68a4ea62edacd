// The unit of annotation: a text with what is known about it.
#ifndef TOOLFORMER_DOCUMENT_H_
#define TOOLFORMER_DOCUMENT_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "toolformer/clock.h"
#include "toolformer/export.h"

namespace toolformer {

struct TOOLFORMER_API Document {
  std::string text;  // UTF-8; invalid bytes are kept as they are
  std::string id;    // the host's name for it; may be empty
  std::string url;   // may be empty
  // The `date` field, or else the date in the URL.
  std::optional<Date> date;
};

// Reads one JSON object: `text` (required string) and `id`, `url`, `date` (optional; `id` may be a number). Other
// fields are ignored. kInvalidArgument names the field or the byte offset of the syntax error.
TOOLFORMER_API absl::StatusOr<Document> ParseDocument(std::string_view json_line);

}  // namespace toolformer

#endif  // TOOLFORMER_DOCUMENT_H_
