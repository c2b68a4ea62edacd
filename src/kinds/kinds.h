// Kinds of tools that need more than the host's own: each is a file here.
#ifndef TOOLFORMER_SRC_KINDS_KINDS_H_
#define TOOLFORMER_SRC_KINDS_KINDS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "src/host/tool_kind.h"

namespace toolformer {

// ToolKind::make of "wiki_search", "translation" and "question_answering".
absl::StatusOr<std::vector<Tool>> MakeWikiSearchKind(ToolFields& fields, const KindContext& context);
absl::StatusOr<std::vector<Tool>> MakeTranslationKind(ToolFields& fields, const KindContext& context);
absl::StatusOr<std::vector<Tool>> MakeQuestionAnsweringKind(ToolFields& fields, const KindContext& context);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_KINDS_KINDS_H_
