// Tools of servers that speak the Model Context Protocol.
#ifndef TOOLFORMER_MCP_H_
#define TOOLFORMER_MCP_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/http_tool.h"
#include "toolformer/tool.h"

namespace toolformer {

struct TOOLFORMER_API McpServerOptions {
  // A server that is started here and spoken to over its standard streams, as in ProgramToolOptions. Empty: one at
  // `url`.
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string working_folder;
  // A server that is spoken to over streamable HTTP.
  std::string url;
  std::map<std::string, std::string> headers;  // of every request: what the server wants to know who asks
  NetworkOptions network;                      // its deadline is not used: those below are

  // A revision of the protocol: "2026-07-28", or "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", which begin
  // with a handshake. Empty: the handshake is tried first, since every server answers it, if only by refusing.
  std::string protocol;
  std::chrono::milliseconds start_deadline{20000};  // to start, agree on a revision, and list the tools
  std::chrono::milliseconds deadline{30000};        // of a call; the executor's own comes first where it is shorter
  size_t max_message_bytes = 4 << 20;

  std::string name_prefix;  // of the tools' names here
  // Where in a structured answer (or one whose text is JSON) the result stands, as in HttpToolOptions; empty: its text.
  std::string result;
  // Whether the server's word is taken for a tool being free of side effects (readOnlyHint).
  bool trust_annotations = false;
  // Is told what was left out, and why: a tool whose schema is none. Null: nobody is.
  std::function<void(std::string_view)> on_warning;
};

struct TOOLFORMER_API McpTool {
  std::string server_name;  // of the tool, as the server calls it
  Tool tool;                // whose name is made valid: other characters than [A-Za-z0-9_] become '_'
};

// Connects to a server and makes a tool of each of its own, in its order, with prompts made from their schemas
// (ToolArguments::Describe). They share the connection, which ends with the last copy of them. A connection that is
// lost, a server that has died, or that said nothing while a call ran out of time, is started anew by the next call.
// When the server says that its list has changed, it is read again before the next call: calls then follow the new
// schemas, and a tool that is gone answers kFailedPrecondition; tools that are new are there once this function is
// called again. Requests of the server are answered (ping) or refused. What it says is data. Errors: of starting a
// program or connecting, kFailedPrecondition (no tools, no revision in common, refusals), kInternal (answers that are
// none), kDeadlineExceeded, kResourceExhausted. Of a call, besides: kInvalidArgument (arguments that the schema does
// not accept; an answer that is marked as an error), kUnavailable, kCancelled.
TOOLFORMER_API absl::StatusOr<std::vector<McpTool>> ConnectMcpServer(const McpServerOptions& options);

}  // namespace toolformer

#endif  // TOOLFORMER_MCP_H_
