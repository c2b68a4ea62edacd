#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/host/mcp_fixture.h"
#include "toolformer/call_syntax.h"
#include "toolformer/tool_registry.h"

namespace toolformer::mcp_process_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Named;
using testing::StandIn;

std::vector<McpTool> Connect(const McpServerOptions& options) {
  auto tools = ConnectMcpServer(options);
  REQUIRE_MESSAGE(tools.ok(), tools.status().ToString());
  return *std::move(tools);
}

std::string Call(const std::vector<McpTool>& tools, const std::string& name, std::string_view input = "") {
  const auto result = Named(tools, name).call(input, {});
  return result.ok() ? *result
                     : std::string(absl::StatusCodeToString(result.status().code())) + ": " +
                           std::string(result.status().message());
}

TEST_CASE("a server's tools, over all pages, with valid names and prompts") {
  const std::vector<McpTool> tools = Connect(StandIn());
  CHECK(tools.size() == 22);
  CHECK(Named(tools, "echo").name == "echo");
  CHECK(Named(tools, "bad name.with/marks").name == "bad_name_with_marks");
  CHECK_FALSE(Named(tools, "echo").free_of_side_effects);  // the server says so, but nobody trusts it
  CHECK(Named(tools, "add").instruction.find("[add(a=..., b=...)]") != std::string::npos);
  ToolRegistry registry;
  for (const McpTool& each : tools) CHECK(registry.Register(each.tool).ok());

  McpServerOptions trusting = StandIn();
  trusting.trust_annotations = true;
  trusting.name_prefix = "s-";
  const std::vector<McpTool> trusted = Connect(trusting);
  CHECK(Named(trusted, "echo").name == "s_echo");
  CHECK(Named(trusted, "echo").free_of_side_effects);
  CHECK_FALSE(Named(trusted, "add").free_of_side_effects);
}

TEST_CASE("calls, and what comes of them") {
  const std::vector<McpTool> tools = Connect(StandIn());
  CHECK(Call(tools, "echo", "a \"b\" \xc3\xa9 [c]") == "a \"b\" \xc3\xa9 [c]");
  CHECK(Call(tools, "bad name.with/marks", "x") == "x");
  CHECK(Call(tools, "add", "a=2, b=40") == "42");
  CHECK(Call(tools, "add", "a=2").find("INVALID_ARGUMENT: 'b' is missing") == 0);
  CHECK(Call(tools, "add", "a=2, b=x") == "INVALID_ARGUMENT: 'b' is not an integer: x");
  CHECK(Call(tools, "fail") == "INVALID_ARGUMENT: it failed because");
  CHECK(Call(tools, "error") == "FAILED_PRECONDITION: the server says: no (such) luck  (error -32000)");
  CHECK(Call(tools, "blocks") == "one\n(image/png)\nfile:///x\ntwo");
  CHECK(Call(tools, "structured") == R"({"a":{"b":[1,2]}})");
  CHECK(Call(tools, "twice") == "first");
  CHECK(Call(tools, "wrong_id") == "right");
  CHECK(Call(tools, "no_result").find("INTERNAL: the server answered with neither") == 0);
  CHECK(Call(tools, "input_required").find("FAILED_PRECONDITION: ") == 0);
  CHECK(Call(tools, "flood") == "after the flood");
  McpServerOptions at = StandIn();
  at.result = "$.a.b[1]";
  CHECK(Call(Connect(at), "structured") == "2");
}

TEST_CASE("requests of the server: a ping is answered, anything else refused") {
  CHECK(Call(Connect(StandIn()), "ping") == "p1 {} p2 -32601");
}

TEST_CASE("revisions of the protocol") {
  CHECK(Call(Connect(StandIn({"--old"})), "echo", "x") == "x");
  CHECK(Call(Connect(StandIn({"--modern"})), "echo", "x") == "x");
  McpServerOptions fixed = StandIn({"--modern"});
  fixed.protocol = "2026-07-28";
  CHECK(Call(Connect(fixed), "echo", "x") == "x");
  fixed.protocol = "2025-06-18";
  CHECK(ConnectMcpServer(fixed).status().code() == absl::StatusCode::kFailedPrecondition);
  fixed = StandIn();
  fixed.protocol = "2025-06-18";
  CHECK(Call(Connect(fixed), "echo", "x") == "x");
  fixed.protocol = "2026-07-28";
  CHECK_FALSE(ConnectMcpServer(fixed).ok());
  fixed.protocol = "1.0";
  CHECK(ConnectMcpServer(fixed).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("servers that cannot be used") {
  const auto says = [](const McpServerOptions& options) { return ConnectMcpServer(options).status().ToString(); };
  CHECK(says(StandIn({"--future"})).find("revision '2099-01-01', which is not known here") != std::string::npos);
  CHECK(says(StandIn({"--no-tools"})).find("the server offers no tools") != std::string::npos);
  CHECK(says(StandIn({"--exit"})) == "UNAVAILABLE: the process ended with status 1: cannot start: no licence");
  CHECK(says(StandIn({"--no-list"})).find("INTERNAL") == 0);
  CHECK(says(StandIn({"--many"})).find("RESOURCE_EXHAUSTED") == 0);
  CHECK(says(StandIn({"--forever-pages"})).find("RESOURCE_EXHAUSTED") == 0);
  McpServerOptions options = StandIn({"--silent"});
  options.start_deadline = milliseconds(300);
  CHECK(says(options).find("DEADLINE_EXCEEDED") == 0);
  options = {};
  CHECK(says(options).find("INVALID_ARGUMENT") == 0);
  options.command = {"/no/such/server"};
  CHECK(says(options).find("NOT_FOUND") == 0);
  options.url = "http://127.0.0.1/";
  CHECK(says(options).find("INVALID_ARGUMENT") == 0);
}

TEST_CASE("tools whose schema is none are left out; a banner is passed over") {
  std::vector<std::string> warnings;
  McpServerOptions options = StandIn({"--bad-schemas", "--banner"});
  options.on_warning = [&](std::string_view text) { warnings.emplace_back(text); };
  const std::vector<McpTool> tools = Connect(options);
  REQUIRE(tools.size() == 1);
  CHECK(tools[0].server_name == "good");
  CHECK(warnings.size() == 6);
  CHECK(warnings[0] == "tool 'no_schema' is left out: it has no inputSchema");
}

TEST_CASE("a server that dies is started anew by the next call") {
  const std::vector<McpTool> tools = Connect(StandIn());
  for (int i = 0; i < 2; ++i) {
    CHECK(Call(tools, "count") == "1");
    CHECK(Call(tools, "die") == "UNAVAILABLE: the process ended with status 3: about to die");
  }
  CHECK(Call(tools, "count") == "1");
}

TEST_CASE("a server that starts more slowly than a call may take is there for the next one") {
  McpServerOptions options = StandIn({"--slow-start"});
  const std::vector<McpTool> tools = Connect(options);
  CHECK(Call(tools, "die").find("UNAVAILABLE") == 0);
  ToolContext impatient;
  impatient.interrupt.deadline = steady_clock::now() + milliseconds(50);
  CHECK(Named(tools, "count").call("", impatient).status().message().find("waiting for the server to start") == 0);
  CHECK(Call(tools, "count") == "1");
}

TEST_CASE("a server that says nothing is ended; one that only takes long is told") {
  McpServerOptions options = StandIn();
  options.deadline = milliseconds(1500);
  const std::vector<McpTool> tools = Connect(options);
  CHECK(Call(tools, "count") == "1");
  ToolContext impatient;
  impatient.interrupt.deadline = steady_clock::now() + milliseconds(100);
  CHECK(Named(tools, "hang").call("", impatient).status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(Call(tools, "count") == "1");  // another process
  // It had said something meanwhile: it stays, and learns that nobody waits.
  impatient.interrupt.deadline = steady_clock::now() + milliseconds(700);
  CHECK(Named(tools, "cancelled").call("", impatient).status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(Call(tools, "count") == "3");

  CancelToken token;
  std::thread canceller([&] {
    std::this_thread::sleep_for(milliseconds(50));
    token.Cancel();
  });
  ToolContext cancelled;
  cancelled.interrupt.cancel = &token;
  CHECK(Named(tools, "cancelled").call("", cancelled).status().code() == absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_CASE("answers that are none") {
  McpServerOptions options = StandIn();
  options.deadline = milliseconds(1000);
  options.max_message_bytes = 1 << 20;
  const std::vector<McpTool> tools = Connect(options);
  CHECK(Call(tools, "debris").find("INTERNAL: the server answered with what is no message: {\"jsonrpc\"") == 0);
  CHECK(Call(tools, "garbage")
            .find("DEADLINE_EXCEEDED: the server did not answer in time; it wrote what is no message:") == 0);
  CHECK(Call(tools, "deep").find("INTERNAL") == 0);
  CHECK(Call(tools, "huge") == "RESOURCE_EXHAUSTED: the process wrote a line of more than 1048576 bytes");
  options.deadline = milliseconds(5000);
  CHECK(Call(Connect(options), "echo", "well") == "well");
}

TEST_CASE("a list that changes") {
  for (const std::vector<std::string>& flags : {std::vector<std::string>{}, {"--modern"}}) {
    const std::vector<McpTool> tools = Connect(StandIn(flags));
    CHECK(Call(tools, "echo", "x") == "x");
    CHECK(Call(tools, "change") == "changed");
    // The schema is the new one, a tool that has gone says so, the new one is there for who asks again.
    CHECK(Call(tools, "echo", "words=ab, times=2") == "abab");
    CHECK(Call(tools, "echo", "text=x").find("INVALID_ARGUMENT") == 0);
    CHECK(Call(tools, "add", "a=1, b=2") == "FAILED_PRECONDITION: the server offers no tool 'add' any more");
  }
}

TEST_CASE("calls from several threads share a server") {
  const std::vector<McpTool> tools = Connect(StandIn());
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string input = std::to_string(t) + "-" + std::to_string(i);
        if (Call(tools, "echo", input) == input) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 100);
}

// Servers that are not ours.
TEST_CASE("a server made with pip's mcp, over standard streams") {
  if (!testing::McpPython()) {
    CHECK_MESSAGE(!testing::McpPythonIsRequired(), "pip's mcp is not installed (scripts/setup.sh test does it)");
    MESSAGE("skipped: scripts/setup.sh test has not been run");
    return;
  }
  McpServerOptions options;
  options.command = {*testing::McpPython(), testing::HostTest("mcp_real_server.py"), "stdio"};
  const std::vector<McpTool> tools = Connect(options);
  CHECK(tools.size() == 5);
  CHECK(Call(tools, "multiply", "a=6, b=7") == "42");
  CHECK(Call(tools, "multiply", "a=6, b=x") == "INVALID_ARGUMENT: 'b' is not an integer: x");
  CHECK(Call(tools, "shout", "hello (there)") == "HELLO (THERE)");
  CHECK(Call(tools, "measure", "Oslo").find("21.5") != std::string::npos);
  CHECK(Call(tools, "measure", "place=Oslo, unit=F").find("70.7") != std::string::npos);
  CHECK(Call(tools, "refuse").find("INVALID_ARGUMENT") == 0);
  CHECK(Named(tools, "shout").examples.at(0).output.find("[shout(some text)]") != std::string::npos);
  CHECK(Call(tools, "grow") == "it has grown");
  CHECK(Call(tools, "refuse") == "FAILED_PRECONDITION: the server offers no tool 'refuse' any more");
}

TEST_CASE("mcp-server-time") {
  if (!testing::McpPython()) {
    CHECK_MESSAGE(!testing::McpPythonIsRequired(),
                  "pip's mcp-server-time is not installed (scripts/setup.sh test does it)");
    MESSAGE("skipped: scripts/setup.sh test has not been run");
    return;
  }
  McpServerOptions options;
  options.command = {*testing::McpPython(), "-m", "mcp_server_time", "--local-timezone", "Europe/Paris"};
  options.result = "/time_difference";
  options.trust_annotations = true;
  const std::vector<McpTool> tools = Connect(options);
  REQUIRE(tools.size() == 2);
  const Tool& convert = Named(tools, "convert_time");
  CHECK(convert.free_of_side_effects);
  CHECK(Call(tools, "convert_time", "source_timezone=Asia/Tokyo, time=12:00, target_timezone=Asia/Kolkata") == "-3.5h");
  CHECK(Call(tools, "convert_time", "source_timezone=Asia/Tokyo, time=12:00").find("'target_timezone' is missing") !=
        std::string::npos);
  CHECK(Call(tools, "convert_time", "source_timezone=Nowhere, time=12:00, target_timezone=Asia/Kolkata")
            .find("INVALID_ARGUMENT") == 0);
  const Tool& now = Named(tools, "get_current_time");
  CHECK(now.instruction.find("[get_current_time(timezone)]") != std::string::npos);
  CHECK(now.examples.at(0).output.find("[get_current_time(America/New_York)]") != std::string::npos);
}

}  // namespace
}  // namespace toolformer::mcp_process_test
