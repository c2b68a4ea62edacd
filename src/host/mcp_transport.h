// How messages of the Model Context Protocol travel.
#ifndef TOOLFORMER_SRC_HOST_MCP_TRANSPORT_H_
#define TOOLFORMER_SRC_HOST_MCP_TRANSPORT_H_

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "src/net/http_client.h"
#include "toolformer/interrupt.h"
#include "toolformer/mcp.h"

namespace toolformer {

// Called with the method of each notification of the server. On any thread.
using McpNotified = std::function<void(const std::string& method)>;

// Safe to use from several threads at once.
class McpTransport {
 public:
  virtual ~McpTransport() = default;

  // The response (an object with "result" or "error") to a request that has an id of its own. `headers` travel with it
  // where there are any. kUnavailable where the connection is lost, kInternal for an answer that is none.
  virtual absl::StatusOr<nlohmann::json> Exchange(const nlohmann::json& request, const HttpHeaders& headers,
                                                  const Interrupt& interrupt) = 0;

  // Sends a message without waiting for an answer.
  virtual absl::Status Notify(const nlohmann::json& message, const Interrupt& interrupt) = 0;

  // The revision that was agreed on by a handshake.
  virtual void SetProtocol(const std::string& /*revision*/) {}

  // False once nothing more will come of it.
  virtual bool IsAlive() const = 0;

  // Whether answers to a request that nobody waits for may come between others, as on standard streams.
  virtual bool IsOneStream() const = 0;
};

absl::StatusOr<std::unique_ptr<McpTransport>> StartMcpProcess(const McpServerOptions& options, McpNotified notified);
absl::StatusOr<std::unique_ptr<McpTransport>> ConnectMcpHttp(const McpServerOptions& options, McpNotified notified);

// The answer to a request of the server: a pong, or that there is no such method here.
nlohmann::json AnswerServer(const nlohmann::json& request);

// Whether `message` answers the request with that id.
bool IsResponse(const nlohmann::json& message);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_MCP_TRANSPORT_H_
