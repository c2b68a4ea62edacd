// The Model Context Protocol over streamable HTTP.
#include <atomic>
#include <mutex>
#include <optional>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/call_limits.h"
#include "src/host/event_stream.h"
#include "src/host/mcp_transport.h"
#include "src/host/network.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kGoodbye{1000};
constexpr int kMaxServerRequests = 16;  // answered in one stream

bool IsVisible(std::string_view text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return !text.empty();
}

class HttpTransport : public McpTransport {
 public:
  HttpTransport(const McpServerOptions& options, std::shared_ptr<const HttpClient> client, McpNotified notified)
      : url_(options.url), client_(std::move(client)), notified_(std::move(notified)) {
    own_headers_.assign(options.headers.begin(), options.headers.end());
  }

  ~HttpTransport() override {
    if (session_.empty() || !HttpTransport::IsAlive()) return;
    // The server may keep what it likes; that it is over is a courtesy.
    HttpRequest goodbye = MakeRequest({});
    goodbye.method = "DELETE";
    (void)client_->Fetch(goodbye, Within({}, kGoodbye));
  }

  absl::StatusOr<json> Exchange(const json& request, const HttpHeaders& headers, const Interrupt& interrupt) override {
    std::optional<json> answer;
    int answered = 0;
    const json& id = request.at("id");
    // Messages before the answer: notifications, and requests of the server.
    const auto read = [&](const std::string& data) {
      const absl::StatusOr<json> message = ParseJson(data);
      if (!message.ok() || !message->is_object()) return true;
      if (const auto method = message->find("method"); method != message->end() && method->is_string()) {
        if (!message->contains("id")) {
          notified_(method->get<std::string>());
        } else if (++answered <= kMaxServerRequests) {
          (void)Notify(AnswerServer(*message), Within(interrupt, kGoodbye));
        }
        return true;
      }
      if (message->value("id", json()) != id) return true;
      answer = *message;
      return false;
    };
    EventStream events(read);
    std::string body;
    HttpRequest http = MakeRequest(headers);
    http.body = PrintJson(request);
    std::optional<bool> is_stream;
    http.on_body = [&](std::string_view piece) {
      // The type is not known here yet: JSON starts with a bracket, which no line of an event stream does.
      const size_t first = piece.find_first_not_of(" \t\r\n");
      if (!is_stream && first != std::string_view::npos) is_stream = piece[first] != '{' && piece[first] != '[';
      if (!is_stream || *is_stream) return events.Feed(piece);
      body.append(piece);
      return true;
    };
    TF_ASSIGN_OR_RETURN(const HttpResponse response, client_->Fetch(http, interrupt));
    TF_RETURN_IF_ERROR(NoteSession(request, response));
    if (is_stream && !*is_stream) read(body);
    if (response.status < 200 || response.status >= 300) {
      // An error of the protocol may come with a status of HTTP.
      const absl::StatusOr<json> error = ParseJson(response.body);
      if (error.ok() && error->is_object() && error->contains("error") && IsResponse(*error)) return *error;
      return CheckStatus(response);
    }
    if (!answer) {
      return is_stream && *is_stream ? Unavailable("the server's stream ended without an answer")
                                     : Internal("the server answered with what is no message");
    }
    if (!IsResponse(*answer)) return Internal("the server answered with neither a result nor an error");
    return *answer;
  }

  absl::Status Notify(const json& message, const Interrupt& interrupt) override {
    HttpRequest http = MakeRequest({});
    http.body = PrintJson(message);
    TF_ASSIGN_OR_RETURN(const HttpResponse response, client_->Fetch(http, interrupt));
    return CheckStatus(response);
  }

  void SetProtocol(const std::string& revision) override {
    const std::lock_guard lock(mutex_);
    protocol_ = revision;
  }
  bool IsAlive() const override { return !is_lost_; }
  bool IsOneStream() const override { return false; }

 private:
  HttpRequest MakeRequest(const HttpHeaders& headers) const {
    HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers = own_headers_;
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Accept", "application/json, text/event-stream");
    const std::lock_guard lock(mutex_);
    if (!session_.empty()) request.headers.emplace_back("Mcp-Session-Id", session_);
    if (!protocol_.empty()) request.headers.emplace_back("MCP-Protocol-Version", protocol_);
    request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    return request;
  }

  absl::Status NoteSession(const json& request, const HttpResponse& response) {
    const std::lock_guard lock(mutex_);
    if (response.status == 404 && !session_.empty()) {
      is_lost_ = true;
      return absl::AbortedError("the server has ended the session");
    }
    if (request.at("method") != "initialize") return absl::OkStatus();
    const std::string_view id = response.Header("mcp-session-id");
    if (!id.empty() && !IsVisible(id)) return Internal("the server's session id has characters that none may have");
    session_ = id;
    return absl::OkStatus();
  }

  const std::string url_;
  const std::shared_ptr<const HttpClient> client_;
  const McpNotified notified_;
  HttpHeaders own_headers_;
  mutable std::mutex mutex_;
  std::string session_, protocol_;
  std::atomic<bool> is_lost_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<McpTransport>> ConnectMcpHttp(const McpServerOptions& options, McpNotified notified) {
  NetworkOptions network = options.network;
  network.deadline = std::max(options.start_deadline, options.deadline);
  network.max_response_bytes = options.max_message_bytes;
  network.max_redirects = 0;  // a server that has moved says so to whoever configured it
  TF_ASSIGN_OR_RETURN(std::shared_ptr<const HttpClient> client, MakeClient(network));
  return std::make_unique<HttpTransport>(options, std::move(client), std::move(notified));
}

}  // namespace toolformer
