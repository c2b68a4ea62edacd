// Kinds of tools that a tools file may declare. A kind is a function from fields to tools; a table of them is all that
// the reader of the file knows.
#ifndef TOOLFORMER_SRC_HOST_TOOL_KIND_H_
#define TOOLFORMER_SRC_HOST_TOOL_KIND_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/host/tool_fields.h"
#include "toolformer/tool.h"
#include "toolformer/tool_arguments.h"
#include "toolformer/tools_file.h"

namespace toolformer {

struct KindContext {
  const ToolsFileOptions& options;
  const std::string& folder;  // of the file

  // A path of the file, relative to its folder.
  std::string Resolve(const std::string& path) const;
};

struct ToolKind {
  std::string_view name;
  // Reads its fields, and applies the common ones (ReadCommonFields). Fields that it has not asked for are errors of
  // the file; the caller sees to that. A problem that `fields` has noted need not be returned too.
  absl::StatusOr<std::vector<Tool>> (*make)(ToolFields& fields, const KindContext& context);
};

// Reads what every tool may have and puts it in place of what `tool` has: name (its calls in instruction, examples and
// proposals are renamed with it), instruction, examples, parameters, documents, deadline_ms, max_concurrent_calls,
// max_retries, free_of_side_effects, cacheable, version, input_characters.
void ReadCommonFields(ToolFields& fields, Tool* tool);

// Reads `description` and `arguments`, a JSON Schema; fills what `tool` lacks of a prompt. Null where there is no
// schema.
std::shared_ptr<const ToolArguments> ReadArgumentFields(ToolFields& fields, Tool* tool);

// calculator, calendar, program, http, mcp_stdio, mcp_http: those that need no model.
std::span<const ToolKind> HostKinds();

// LoadToolsFromText by a table of kinds.
absl::Status LoadToolsOfKinds(std::string_view text, const std::vector<ToolKind>& kinds, const KindContext& context,
                              ToolRegistry* registry);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_TOOL_KIND_H_
