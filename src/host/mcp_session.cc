#include "src/host/mcp_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/child_process.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr std::string_view kModern = "2026-07-28";
constexpr std::array<std::string_view, 4> kWithHandshake = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
constexpr size_t kMaxTools = 1000, kMaxPages = 100, kMaxNameBytes = 256, kMaxTextBytes = 200;
constexpr int kInvalidParams = -32602, kMethodNotFound = -32601;

json ClientInfo() { return {{"name", "toolformer"}, {"version", "0.1.0"}}; }

bool HasHandshake(std::string_view revision) {
  return std::find(kWithHandshake.begin(), kWithHandshake.end(), revision) != kWithHandshake.end();
}

std::string StringField(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

absl::Status ErrorOf(const json& error) {
  const auto code = error.find("code");
  const int64_t number = code != error.end() && code->is_number_integer() ? code->get<int64_t>() : 0;
  const std::string text = NeutralizeResult(StringField(error, "message"), kMaxTextBytes);
  if (number == kInvalidParams) return InvalidArgument("the server says: {}", text);
  if (number == kMethodNotFound) return Unimplemented("the server says: {}", text);
  return FailedPrecondition("the server says: {} (error {})", text, number);
}

// One piece of an answer as text.
std::string TextOfBlock(const json& block) {
  const std::string type = StringField(block, "type");
  if (type == "text") return StringField(block, "text");
  if (type == "resource_link") return StringField(block, "uri");
  if (type == "resource" && block.contains("resource")) {
    const json& resource = block["resource"];
    const std::string text = StringField(resource, "text");
    return text.empty() ? StringField(resource, "uri") : text;
  }
  const std::string kind = StringField(block, "mimeType");
  return kind.empty() ? "" : "(" + kind + ")";  // an image or a sound: that there is one
}

}  // namespace

absl::StatusOr<std::shared_ptr<McpSession>> McpSession::Open(const McpServerOptions& options,
                                                             const Interrupt& interrupt) {
  std::shared_ptr<McpSession> session(new McpSession(options));
  TF_ASSIGN_OR_RETURN(session->result_path_, JsonPath::Parse(options.result));
  const McpNotified notified = [raw = session.get()](const std::string& method) {
    if (method == "notifications/tools/list_changed") raw->list_has_changed_ = true;
  };
  if (options.command.empty()) {
    TF_ASSIGN_OR_RETURN(session->transport_, ConnectMcpHttp(options, notified));
  } else {
    TF_ASSIGN_OR_RETURN(session->transport_, StartMcpProcess(options, notified));
  }
  TF_RETURN_IF_ERROR(session->Agree(interrupt));
  TF_RETURN_IF_ERROR(session->ReadList(interrupt));
  return session;
}

absl::Status McpSession::Agree(const Interrupt& interrupt) {
  if (options_.protocol == kModern) return Discover(interrupt);
  if (!options_.protocol.empty()) return ShakeHands(options_.protocol, interrupt);
  absl::Status by_hand = ShakeHands(std::string(kWithHandshake[0]), interrupt);
  // A server of today has no handshake and says so; what broke the connection says nothing of the kind.
  const bool is_refusal = absl::IsFailedPrecondition(by_hand) || absl::IsInvalidArgument(by_hand) ||
                          absl::IsUnimplemented(by_hand) || absl::IsNotFound(by_hand);
  if (by_hand.ok() || !is_refusal) return by_hand;
  return Discover(interrupt).ok() ? absl::OkStatus() : by_hand;
}

absl::Status McpSession::ShakeHands(const std::string& revision, const Interrupt& interrupt) {
  const json params = {{"protocolVersion", revision}, {"capabilities", json::object()}, {"clientInfo", ClientInfo()}};
  TF_ASSIGN_OR_RETURN(const json result, Ask("initialize", params, interrupt));
  const std::string agreed = StringField(result, "protocolVersion");
  if (!HasHandshake(agreed)) {
    return FailedPrecondition("the server speaks revision '{}', which is not known here", NeutralizeResult(agreed, 64));
  }
  transport_->SetProtocol(agreed);
  if (!result.value("capabilities", json::object()).contains("tools"))
    return FailedPrecondition("the server offers no tools");
  return transport_->Notify({{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}, interrupt);
}

absl::Status McpSession::Discover(const Interrupt& interrupt) {
  is_modern_ = true;
  transport_->SetProtocol(std::string(kModern));
  absl::StatusOr<json> result = Ask("server/discover", json::object(), interrupt);
  if (!result.ok()) {
    is_modern_ = false;
    transport_->SetProtocol("");
    return result.status();
  }
  const json revisions = result->value("supportedVersions", json::array());
  if (std::none_of(revisions.begin(), revisions.end(), [](const json& r) { return r == kModern; })) {
    return FailedPrecondition("the server does not speak revision {}", kModern);
  }
  const json capabilities = result->value("capabilities", json::object());
  if (!capabilities.is_object() || !capabilities.contains("tools"))
    return FailedPrecondition("the server offers no tools");
  const json& tools = capabilities["tools"];
  const bool tells_changes = tools.is_object() && tools.value("listChanged", json(false)) == json(true);
  if (!tells_changes || !transport_->IsOneStream()) return absl::OkStatus();
  // Nobody waits for the answer to this request: it comes when the server stops telling.
  return transport_->Notify(MakeRequest("subscriptions/listen", {{"notifications", {{"toolsListChanged", true}}}}),
                            interrupt);
}

json McpSession::MakeRequest(const std::string& method, json params) {
  if (is_modern_) {
    params["_meta"] = {{"io.modelcontextprotocol/protocolVersion", kModern},
                       {"io.modelcontextprotocol/clientInfo", ClientInfo()},
                       {"io.modelcontextprotocol/clientCapabilities", json::object()}};
  }
  json request = {{"jsonrpc", "2.0"}, {"id", next_id_++}, {"method", method}};
  if (!params.empty()) request["params"] = std::move(params);
  return request;
}

absl::StatusOr<json> McpSession::Ask(const std::string& method, json params, const Interrupt& interrupt,
                                     HttpHeaders headers) {
  if (is_modern_) {
    headers.emplace_back("Mcp-Method", method);
    if (method == "tools/call") headers.emplace_back("Mcp-Name", HeaderValue(params.at("name").get<std::string>()));
  }
  TF_ASSIGN_OR_RETURN(const json answer,
                      transport_->Exchange(MakeRequest(method, std::move(params)), headers, interrupt));
  if (const auto error = answer.find("error"); error != answer.end()) return ErrorOf(*error);
  return answer.at("result");
}

absl::Status McpSession::ReadList(const Interrupt& interrupt) {
  list_has_changed_ = false;
  std::vector<McpToolEntry> tools;
  std::string cursor;
  for (size_t page = 0;; ++page) {
    json params = json::object();
    if (!cursor.empty()) params["cursor"] = cursor;
    TF_ASSIGN_OR_RETURN(const json result, Ask("tools/list", std::move(params), interrupt));
    const auto listed = result.find("tools");
    if (listed == result.end() || !listed->is_array()) return Internal("the server's answer to tools/list has no list");
    for (const json& tool : *listed) {
      absl::StatusOr<McpToolEntry> entry = ReadEntry(tool);
      if (entry.ok()) {
        tools.push_back(*std::move(entry));
      } else {
        Warn("tool '" + NeutralizeResult(StringField(tool, "name"), 64) +
             "' is left out: " + std::string(entry.status().message()));
      }
    }
    cursor = StringField(result, "nextCursor");
    if (cursor.empty()) break;
    if (tools.size() > kMaxTools || page >= kMaxPages) {
      return ResourceExhausted("the server lists more than {} tools, or goes on listing", kMaxTools);
    }
  }
  const std::lock_guard lock(mutex_);
  tools_ = std::move(tools);
  return absl::OkStatus();
}

absl::StatusOr<McpToolEntry> McpSession::ReadEntry(const json& tool) const {
  McpToolEntry entry;
  entry.name = StringField(tool, "name");
  if (entry.name.empty() || entry.name.size() > kMaxNameBytes) return InvalidArgument("it has no name, or a long one");
  entry.description = StringField(tool, "description");
  if (entry.description.empty()) entry.description = StringField(tool, "title");
  const auto annotations = tool.find("annotations");
  entry.is_read_only = annotations != tool.end() && annotations->is_object() &&
                       annotations->value("readOnlyHint", json(false)) == json(true);
  const auto schema = tool.find("inputSchema");
  if (schema == tool.end() || !schema->is_object()) return InvalidArgument("it has no inputSchema");
  TF_ASSIGN_OR_RETURN(entry.arguments, ToolArguments::Parse(PrintJson(*schema)));
  if (is_modern_ && !transport_->IsOneStream()) {
    TF_ASSIGN_OR_RETURN(entry.mirrored, FindMirroredArguments(*schema));
  }
  return entry;
}

std::vector<McpToolEntry> McpSession::ListTools() const {
  const std::lock_guard lock(mutex_);
  return tools_;
}

absl::StatusOr<std::string> McpSession::Call(const std::string& tool, std::string_view input,
                                             const Interrupt& interrupt) {
  if (list_has_changed_.exchange(false)) {
    if (absl::Status read = ReadList(interrupt); !read.ok()) {
      list_has_changed_ = true;
      return toolformer::Annotate(read, "reading the server's new list of tools");
    }
  }
  McpToolEntry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(tools_.begin(), tools_.end(), [&](const McpToolEntry& t) { return t.name == tool; });
    if (found == tools_.end()) return FailedPrecondition("the server offers no tool '{}' any more", tool);
    entry = *found;
  }
  TF_ASSIGN_OR_RETURN(const std::string read, entry.arguments->Read(input));
  TF_ASSIGN_OR_RETURN(const json arguments, ParseJson(read));
  const json params = {{"name", tool}, {"arguments", arguments}};
  absl::StatusOr<json> result = Ask("tools/call", params, interrupt, MirrorArguments(entry.mirrored, arguments));
  // Over HTTP nobody may have told of a change.
  if (absl::IsInvalidArgument(result.status())) list_has_changed_ = true;
  if (!result.ok()) return result.status();
  return ReadResult(*result);
}

absl::StatusOr<std::string> McpSession::ReadResult(const json& result) const {
  if (StringField(result, "resultType") == "input_required") {
    return FailedPrecondition("the server asks for more than the call's arguments, which nobody can give it");
  }
  std::string text;
  const auto content = result.find("content");
  if (content != result.end() && content->is_array()) {
    for (const json& block : *content) {
      const std::string piece = TextOfBlock(block);
      if (!piece.empty()) text += (text.empty() ? "" : "\n") + piece;
    }
  }
  const auto structured = result.find("structuredContent");
  const bool is_structured = structured != result.end() && !structured->is_null();
  if (result.value("isError", json(false)) == json(true)) {
    return InvalidArgument("{}", text.empty() ? "the tool failed without saying why" : text);
  }
  if (!options_.result.empty()) {
    if (is_structured) return result_path_.Read(*structured);
    TF_ASSIGN_OR_RETURN(const json parsed, ParseJson(text));
    return result_path_.Read(parsed);
  }
  if (text.empty() && is_structured) return PrintJson(*structured);
  return text;
}

void McpSession::Warn(const std::string& message) const {
  if (options_.on_warning) options_.on_warning(message);
}

}  // namespace toolformer
