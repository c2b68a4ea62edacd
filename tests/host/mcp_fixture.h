// Servers of the Model Context Protocol for tests.
#ifndef TOOLFORMER_TESTS_HOST_MCP_FIXTURE_H_
#define TOOLFORMER_TESTS_HOST_MCP_FIXTURE_H_

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "tests/paths.h"
#include "toolformer/mcp.h"

namespace toolformer::testing {

inline std::string HostTest(const std::string& name) {
  return std::string(TOOLFORMER_SOURCE_DIR) + "/tests/host/" + name;
}

// The stand-in, which needs nothing but Python.
inline McpServerOptions StandIn(const std::vector<std::string>& flags = {}) {
  McpServerOptions options;
  options.command = {"python3", "-IS", HostTest("mcp_stand_in.py")};
  options.command.insert(options.command.end(), flags.begin(), flags.end());
  options.deadline = std::chrono::milliseconds(5000);
  return options;
}

// A Python with pip's `mcp` and `mcp-server-time`, which `make test` installs.
inline std::optional<std::string> McpPython() {
  return IfExists(std::string(TOOLFORMER_SOURCE_DIR) + "/.deps/mcp/python3");
}

// Where the servers must be there: after `make test` has set up, as .ci/run does.
inline bool McpPythonIsRequired() { return std::getenv("CI") != nullptr; }

// The tool that the server calls so.
inline const Tool& Named(const std::vector<McpTool>& tools, const std::string& server_name) {
  for (const McpTool& each : tools) {
    if (each.server_name == server_name) return each.tool;
  }
  std::abort();
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_HOST_MCP_FIXTURE_H_
