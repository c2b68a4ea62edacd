#include <doctest/doctest.h>

#include <fstream>
#include <mutex>
#include <thread>

#include "src/base/json.h"
#include "src/host/child_process.h"
#include "src/host/event_stream.h"
#include "src/host/mcp_headers.h"
#include "tests/host/mcp_fixture.h"
#include "tests/net/stand_in_server.h"

namespace toolformer::mcp_http_test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using testing::Exchange;
using testing::Named;
using testing::StandInServer;

McpServerOptions At(const std::string& url) {
  McpServerOptions options;
  options.url = url;
  options.network.allowed_networks = {"127.0.0.1"};
  options.deadline = milliseconds(5000);
  return options;
}

std::string Call(const std::vector<McpTool>& tools, const std::string& name, std::string_view input = "") {
  const auto result = Named(tools, name).call(input, {});
  return result.ok() ? *result
                     : std::string(absl::StatusCodeToString(result.status().code())) + ": " +
                           std::string(result.status().message());
}

std::string Says(const McpServerOptions& options) { return ConnectMcpServer(options).status().ToString(); }

// A server over HTTP whose answers a test may change.
class HttpStandIn {
 public:
  HttpStandIn() : server_([this](const Exchange& exchange) { Answer(exchange); }) {}

  bool modern = false, streams = false;
  std::string session = "session-1";                                // the one that is taken
  std::function<bool(const Exchange&, const json& message)> first;  // true: it has answered
  std::string Url() const { return server_.Url("/mcp"); }
  // All fields above are changed by it.
  void Change(const std::function<void()>& change) { server_.Change(change); }
  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

 private:
  void Answer(const Exchange& exchange) {
    const std::lock_guard lock(mutex_);
    heads_.push_back(exchange.head);
    const json message = exchange.body.empty() ? json::object() : ParseJson(exchange.body).value();
    if (first && first(exchange, message)) return;
    if (exchange.method == "DELETE") return (void)exchange.Answer("200 OK", "");
    const std::string method = message.value("method", "");
    if (modern &&
        (exchange.head.find("Mcp-Method: " + method + "\r\n") == std::string::npos || method == "initialize")) {
      const json error = {{"jsonrpc", "2.0"},
                          {"id", nullptr},
                          {"error", {{"code", -32022}, {"message", "Unsupported protocol version"}}}};
      return (void)exchange.Answer("400 Bad Request", PrintJson(error));
    }
    const bool needs_session = !modern && method != "initialize";
    if (needs_session && exchange.head.find("Mcp-Session-Id: " + session + "\r\n") == std::string::npos) {
      return (void)exchange.Answer("404 Not Found", "");
    }
    if (!message.contains("id")) return (void)exchange.Answer("202 Accepted", "");
    json result;
    if (method == "initialize") {
      result = {{"protocolVersion", "2025-11-25"}, {"capabilities", {{"tools", json::object()}}}};
    } else if (method == "server/discover") {
      result = {{"supportedVersions", {"2026-07-28"}}, {"capabilities", {{"tools", json::object()}}}};
    } else if (method == "tools/list") {
      const json schema = {{"properties", {{"text", {{"type", "string"}, {"x-mcp-header", "Text"}}}}},
                           {"required", {"text"}}};
      const json bad = {{"properties", {{"text", {{"type", "string"}, {"x-mcp-header", "not a token"}}}}}};
      result = {{"tools", {{{"name", "say"}, {"inputSchema", schema}}, {{"name", "bad"}, {"inputSchema", bad}}}}};
    } else {
      result = {{"content", {{{"type", "text"}, {"text", message["params"]["arguments"]["text"]}}}}};
    }
    const std::string answer = PrintJson(json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}});
    const std::string extra = method == "initialize" ? "MCP-Session-Id: " + session + "\r\n" : "";
    if (!streams) return (void)exchange.Answer("200 OK", answer, "Content-Type: application/json\r\n" + extra);
    exchange.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + extra +
                  "\r\n: hello\r\nid: 1\r\ndata:\r\n\r\n");
    exchange.Send("event: message\ndata: {\"jsonrpc\": \"2.0\", \"method\": \"notifications/message\"}\n\n");
    exchange.Send("data: " + answer.substr(0, 10));
    exchange.Sleep(milliseconds(5));
    exchange.Send(answer.substr(10) + "\n\n");
    exchange.Sleep(milliseconds(100));  // the stream stays open; nobody must wait for its end
  }

  std::mutex mutex_;
  std::vector<std::string> heads_;
  StandInServer server_;
};

TEST_CASE("JSON and event streams, a session, and its end") {
  for (const bool streams : {false, true}) {
    HttpStandIn server;
    server.Change([&] { server.streams = streams; });
    {
      McpServerOptions options = At(server.Url());
      options.headers = {{"Authorization", "Bearer token"}};
      const std::vector<McpTool> tools = ConnectMcpServer(options).value();
      CHECK(tools.size() == 2);  // revisions with a handshake know no x-mcp-header
      CHECK(Call(tools, "say", "hello \xc3\xa9") == "hello \xc3\xa9");
      // The server forgets the session: the call is made in a new one.
      server.Change([&] { server.session = "session-2"; });
      CHECK(Call(tools, "say", "again") == "again");
    }
    const std::vector<std::string> heads = server.heads();
    CHECK(heads[0].find("Mcp-Session-Id") == std::string::npos);
    CHECK(heads[0].find("Accept: application/json, text/event-stream\r\n") != std::string::npos);
    for (const std::string& head : heads) CHECK(head.find("Authorization: Bearer token\r\n") != std::string::npos);
    CHECK(heads[2].find("Mcp-Session-Id: session-1\r\n") != std::string::npos);
    CHECK(heads[2].find("MCP-Protocol-Version: 2025-11-25\r\n") != std::string::npos);
    CHECK(heads.back().find("DELETE /mcp ") == 0);
    CHECK(heads.back().find("Mcp-Session-Id: session-2\r\n") != std::string::npos);
  }
}

TEST_CASE("the revision without a handshake") {
  HttpStandIn server;
  server.Change([&] { server.modern = true; });
  const std::vector<McpTool> tools = ConnectMcpServer(At(server.Url())).value();
  CHECK(tools.size() == 1);  // the other one's x-mcp-header is no name
  CHECK(Call(tools, "say", "plain") == "plain");
  const std::string head = server.heads().back();
  for (const char* line : {"MCP-Protocol-Version: 2026-07-28\r\n", "Mcp-Method: tools/call\r\n", "Mcp-Name: say\r\n",
                           "Mcp-Param-Text: plain\r\n"}) {
    CHECK(head.find(line) != std::string::npos);
  }
  CHECK(Call(tools, "say", "{\"text\": \"a\\r\\nHost: evil\"}") == "a\r\nHost: evil");
  CHECK(server.heads().back().find("Mcp-Param-Text: =?base64?YQ0KSG9zdDogZXZpbA==?=\r\n") != std::string::npos);
}

// The examples of the specification.
TEST_CASE("values of headers") {
  CHECK(HeaderValue("us-west1") == "us-west1");
  CHECK(HeaderValue("Hello, \xe4\xb8\x96\xe7\x95\x8c") == "=?base64?SGVsbG8sIOS4lueVjA==?=");
  CHECK(HeaderValue(" padded ") == "=?base64?IHBhZGRlZCA=?=");
  CHECK(HeaderValue("line1\nline2") == "=?base64?bGluZTEKbGluZTI=?=");
  CHECK(HeaderValue("=?base64?literal?=") == "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=");
  CHECK(HeaderValue("") == "");
  const auto find = [](const char* schema) { return FindMirroredArguments(ParseJson(schema).value()); };
  CHECK(find(R"({"properties": {"a": {"properties": {"b": {"type": "integer", "x-mcp-header": "B"}}}}})")
            ->at(0)
            .path.size() == 2);
  for (
      const char* bad :
      {R"({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}})",
       R"({"properties": {"a": {"type": "string", "x-mcp-header": ""}}})",
       R"({"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}})",
       R"({"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}})", R"({"x-mcp-header": "A"})"}) {
    CHECK_FALSE(find(bad).ok());
  }
  const json arguments = {{"a", {{"b", 7}}}};
  CHECK(MirrorArguments({{"Mcp-Param-B", {"a", "b"}}, {"Mcp-Param-C", {"a", "c"}}}, arguments) ==
        HttpHeaders{{"Mcp-Param-B", "7"}});
}

TEST_CASE("hostile servers over HTTP") {
  std::string answer;
  HttpStandIn server;
  McpServerOptions options = At(server.Url());
  options.start_deadline = options.deadline = milliseconds(500);
  options.max_message_bytes = 100000;
  const auto set_first = [&](std::function<bool(const Exchange&, const json&)> handler) {
    server.Change([&] { server.first = std::move(handler); });
  };
  set_first([&](const Exchange& exchange, const json&) { return exchange.Answer("200 OK", answer); });
  server.Change([&] { answer = "no json"; });
  CHECK(Says(options).find("UNAVAILABLE") == 0);  // reads as a stream without an event
  server.Change([&] { answer = "{broken"; });
  CHECK(Says(options).find("INTERNAL") == 0);
  server.Change([&] { answer = std::string(50000, '['); });
  CHECK(Says(options).find("INTERNAL") == 0);
  server.Change([&] { answer = "{\"jsonrpc\": \"2.0\", \"id\": 999, \"result\": {}}"; });
  CHECK(Says(options).find("INTERNAL") == 0);
  server.Change([&] { answer = "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": 3}"; });
  CHECK(Says(options).find("INTERNAL") == 0);
  server.Change([&] { answer = std::string(200000, ' '); });
  CHECK(Says(options).find("RESOURCE_EXHAUSTED") == 0);
  set_first([&](const Exchange& exchange, const json&) { return exchange.Answer("401 Unauthorized", "who?"); });
  CHECK(Says(options).find("status 401: who?") != std::string::npos);
  set_first([&](const Exchange& exchange, const json&) {
    return exchange.Redirect("307 Temporary Redirect", "http://10.0.0.1/");
  });
  CHECK(Says(options).find("more than 0 redirects") != std::string::npos);
  set_first([&](const Exchange& exchange, const json& message) {
    const std::string result = "{\"jsonrpc\":\"2.0\",\"id\":" + message["id"].dump() + ",\"result\":{}}";
    return exchange.Answer("200 OK", result, "MCP-Session-Id: a b\r\n");
  });
  CHECK(Says(options).find("INTERNAL: the server's session id") == 0);
  set_first([&](const Exchange& exchange, const json&) {
    exchange.Send("HTTP/1.1 200 OK\r\n\r\n");
    while (exchange.Send(": keep alive\n\n") && exchange.Sleep(milliseconds(5))) {
    }
    return true;
  });
  CHECK(Says(options).find("DEADLINE_EXCEEDED") == 0);
  set_first([&](const Exchange& exchange, const json&) {
    exchange.Send("HTTP/1.1 200 OK\r\n\r\n");
    while (exchange.Send("data: {\"jsonrpc\": \"2.0\", \"method\": \"x\"}\n\n")) {
    }
    return true;
  });
  CHECK(Says(options).find("RESOURCE_EXHAUSTED") == 0);
  options.network.allowed_networks.clear();
  CHECK(Says(options).find("PERMISSION_DENIED") == 0);
  CHECK(Says(At("file:///etc/passwd")).find("INVALID_ARGUMENT") == 0);
}

TEST_CASE("event streams in pieces") {
  const std::string stream = "\xef\xbb\xbf: x\ndata: a\ndata:b\r\ndata:  c\r\rid: 7\nevent: e\n\ndata\n\ndata: d\n\n";
  for (size_t size = 1; size <= stream.size(); ++size) {
    std::vector<std::string> heard;
    EventStream events([&](const std::string& data) {
      heard.push_back(data);
      return true;
    });
    for (size_t i = 0; i < stream.size(); i += size) CHECK(events.Feed(std::string_view(stream).substr(i, size)));
    CHECK(heard == std::vector<std::string>{"a\nb\n c", "d"});
    CHECK(events.last_id() == "7");
  }
  EventStream stops([](const std::string&) { return false; });
  CHECK_FALSE(stops.Feed("data: a\n\ndata: b\n\n"));
}

// A server that is not ours, in both revisions.
TEST_CASE("a server made with pip's mcp, over streamable HTTP") {
  if (!testing::McpPython()) {
    CHECK_MESSAGE(!testing::McpPythonIsRequired(), "pip's mcp is not installed (scripts/setup.sh test does it)");
    MESSAGE("skipped: scripts/setup.sh test has not been run");
    return;
  }
  testing::TemporaryFolder folder;
  ProcessSpec spec;
  spec.command = {*testing::McpPython(), testing::HostTest("mcp_real_server.py"), "http", folder.file("port")};
  const auto server = ChildProcess::Start(spec);
  REQUIRE(server.ok());
  std::string port;
  for (int i = 0; i < 3000 && port.empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    std::ifstream(folder.file("port")) >> port;
  }
  McpServerOptions options = At("http://127.0.0.1:" + port + "/mcp");
  absl::StatusOr<std::vector<McpTool>> tools = absl::UnknownError("");
  for (int i = 0; i < 500 && !tools.ok(); ++i) {  // it listens a moment after it has said where
    std::this_thread::sleep_for(milliseconds(20));
    tools = ConnectMcpServer(options);
  }
  REQUIRE_MESSAGE(tools.ok(), tools.status().ToString());
  for (const char* protocol : {"2025-11-25", "2026-07-28"}) {
    CAPTURE(protocol);
    options.protocol = protocol;
    tools = ConnectMcpServer(options);
    REQUIRE_MESSAGE(tools.ok(), tools.status().ToString());
    CHECK(Call(*tools, "multiply", "a=6, b=7") == "42");
    CHECK(Call(*tools, "shout", "hello") == "HELLO");
    CHECK(Call(*tools, "refuse").find("INVALID_ARGUMENT") == 0);
  }
}

}  // namespace
}  // namespace toolformer::mcp_http_test
