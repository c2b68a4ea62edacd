// A tools file by a table of kinds.
#include <algorithm>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/tool_kind.h"
#include "toolformer/tool_registry.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr size_t kMaxFileTools = 1000;

std::string NamesOf(const std::vector<ToolKind>& kinds) {
  std::vector<std::string_view> sorted;
  sorted.reserve(kinds.size());
  for (const ToolKind& kind : kinds) sorted.push_back(kind.name);
  std::sort(sorted.begin(), sorted.end());
  std::string names;
  for (const std::string_view name : sorted) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

absl::StatusOr<std::vector<Tool>> MakeTools(const json& object, const std::vector<ToolKind>& kinds,
                                            const KindContext& context) {
  ToolFields fields(object);
  const std::string name = fields.Required("kind");
  TF_RETURN_IF_ERROR(fields.status());
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const ToolKind& each) { return each.name == name; });
  if (kind == kinds.end()) {
    return InvalidArgument("field 'kind': '{}' is none; there are: {}", name.substr(0, 64), NamesOf(kinds));
  }
  absl::StatusOr<std::vector<Tool>> tools = kind->make(fields, context);
  // What is wrong with a field says more than what came of it; a field that is unknown, less.
  TF_RETURN_IF_ERROR(fields.status());
  if (!tools.ok()) return tools;
  TF_RETURN_IF_ERROR(fields.Finish());
  return tools;
}

// "tools[2] (http 'Weather')".
std::string PlaceOf(const json& object, size_t index) {
  std::string place = fmt::format("tools[{}]", index);
  if (!object.is_object()) return place;
  std::string more;
  for (const char* name : {"kind", "name"}) {
    const auto field = object.find(name);
    if (field == object.end() || !field->is_string()) continue;
    const std::string text = field->get<std::string>().substr(0, 64);
    more += more.empty() ? text : " '" + text + "'";
  }
  return more.empty() ? place : place + " (" + more + ")";
}

}  // namespace

std::string KindContext::Resolve(const std::string& path) const {
  return path.empty() || path[0] == '/' || folder.empty() ? path : folder + "/" + path;
}

absl::Status LoadToolsOfKinds(std::string_view text, const std::vector<ToolKind>& kinds, const KindContext& context,
                              ToolRegistry* registry) {
  TF_ASSIGN_OR_RETURN(const json root, ParseJson(text));
  ToolFields fields(root, "");
  const json* listed = fields.Take("tools");
  if (!root.is_object() || listed == nullptr || !listed->is_array()) {
    return InvalidArgument("not a tools file: it is an object with a list 'tools'");
  }
  TF_RETURN_IF_ERROR(fields.Finish());
  ToolRegistry all = *registry;
  for (size_t i = 0; i < listed->size(); ++i) {
    const json& object = (*listed)[i];
    absl::StatusOr<std::vector<Tool>> tools = MakeTools(object, kinds, context);
    if (!tools.ok()) return Annotate(tools.status(), PlaceOf(object, i));
    for (Tool& tool : *tools) {
      if (all.tools().size() >= kMaxFileTools) return ResourceExhausted("more than {} tools", kMaxFileTools);
      if (const absl::Status added = all.Register(std::move(tool)); !added.ok())
        return Annotate(added, PlaceOf(object, i));
    }
  }
  *registry = std::move(all);
  return absl::OkStatus();
}

}  // namespace toolformer
