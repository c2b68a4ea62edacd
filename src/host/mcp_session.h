// A conversation with a server of the Model Context Protocol: agreeing on a revision, the list of tools, calls.
#ifndef TOOLFORMER_SRC_HOST_MCP_SESSION_H_
#define TOOLFORMER_SRC_HOST_MCP_SESSION_H_

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/host/json_path.h"
#include "src/host/mcp_headers.h"
#include "src/host/mcp_transport.h"
#include "toolformer/mcp.h"
#include "toolformer/tool_arguments.h"

namespace toolformer {

// A tool as its server describes it.
struct McpToolEntry {
  std::string name, description;
  bool is_read_only = false;  // says the server
  std::shared_ptr<const ToolArguments> arguments;
  std::vector<MirroredArgument> mirrored;
};

// Safe to use from several threads at once.
class McpSession {
 public:
  // Starts or connects, agrees on a revision, and lists the tools.
  static absl::StatusOr<std::shared_ptr<McpSession>> Open(const McpServerOptions& options, const Interrupt& interrupt);

  // In the server's order.
  std::vector<McpToolEntry> ListTools() const;

  // The text of the answer of a tool, which is asked for by the server's name. Reads the list again before, where the
  // server has said that it changed.
  absl::StatusOr<std::string> Call(const std::string& tool, std::string_view input, const Interrupt& interrupt);

  // False once a new session is needed.
  bool IsAlive() const { return transport_->IsAlive(); }

 private:
  explicit McpSession(const McpServerOptions& options) : options_(options) {}

  absl::Status Agree(const Interrupt& interrupt);
  absl::Status ShakeHands(const std::string& revision, const Interrupt& interrupt);
  absl::Status Discover(const Interrupt& interrupt);
  absl::Status ReadList(const Interrupt& interrupt);
  absl::StatusOr<McpToolEntry> ReadEntry(const nlohmann::json& tool) const;
  absl::StatusOr<std::string> ReadResult(const nlohmann::json& result) const;
  void Warn(const std::string& message) const;

  // The result of a request, or what its error says.
  absl::StatusOr<nlohmann::json> Ask(const std::string& method, nlohmann::json params, const Interrupt& interrupt,
                                     HttpHeaders headers = {});
  nlohmann::json MakeRequest(const std::string& method, nlohmann::json params);

  const McpServerOptions options_;
  JsonPath result_path_;
  bool is_modern_ = false;  // every request says the revision; there was no handshake
  std::atomic<int64_t> next_id_ = 1;
  std::atomic<bool> list_has_changed_ = false;
  mutable std::mutex mutex_;
  std::vector<McpToolEntry> tools_;
  std::unique_ptr<McpTransport> transport_;  // the last member: it calls back
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_MCP_SESSION_H_
