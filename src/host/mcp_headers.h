// Arguments that a server wants repeated in HTTP headers (revision 2026-07-28, "x-mcp-header").
#ifndef TOOLFORMER_SRC_HOST_MCP_HEADERS_H_
#define TOOLFORMER_SRC_HOST_MCP_HEADERS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/net/http_client.h"

namespace toolformer {

struct MirroredArgument {
  std::string header;             // "Mcp-Param-Region"
  std::vector<std::string> path;  // of members, to the argument
};

// kInvalidArgument where an annotation stands where none may, or is no name of a header: such a tool is to be left out.
absl::StatusOr<std::vector<MirroredArgument>> FindMirroredArguments(const nlohmann::json& schema);

// Headers for a call's arguments; none for those that are absent or null.
HttpHeaders MirrorArguments(const std::vector<MirroredArgument>& mirrored, const nlohmann::json& arguments);

// A value as a header may carry it: as it is, or in base64 with the marks that say so.
std::string HeaderValue(std::string_view value);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_MCP_HEADERS_H_
