// All kinds of tools that a tools file may declare. A kind that needs more than the host's tools do is a file beside
// this one and a line in AllKinds.
#include "toolformer/tools_file.h"

#include <algorithm>
#include <vector>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/kinds/kinds.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxFileBytes = 4 << 20;

std::vector<ToolKind> AllKinds() {
  const std::span<const ToolKind> host = HostKinds();
  std::vector<ToolKind> kinds(host.begin(), host.end());
  kinds.push_back({"wiki_search", MakeWikiSearchKind});
  kinds.push_back({"translation", MakeTranslationKind});
  kinds.push_back({"question_answering", MakeQuestionAnsweringKind});
  return kinds;
}

}  // namespace

absl::Status LoadToolsFromText(std::string_view text, const std::string& folder, const ToolsFileOptions& options,
                               ToolRegistry* registry) {
  return LoadToolsOfKinds(text, AllKinds(), {options, folder}, registry);
}

absl::Status LoadTools(const std::string& path, const ToolsFileOptions& options, ToolRegistry* registry) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const absl::Status loaded = LoadToolsFromText(text, folder, options, registry);
  return loaded.ok() ? loaded : Annotate(loaded, path);
}

std::string ToolKindNames() {
  std::vector<std::string> names;
  for (const ToolKind& kind : AllKinds()) names.emplace_back(kind.name);
  std::sort(names.begin(), names.end());
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace toolformer
