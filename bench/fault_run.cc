// Thousands of calls of an HTTP tool and of an MCP server's, both faulty: bench/faults.py starts them and this.
//
//     fault_run CALLS URL MCP-COMMAND...
//
// Prints one JSON object: what came of the calls, and the executor's statistics. Every answer is checked.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "toolformer/http_tool.h"
#include "toolformer/mcp.h"
#include "toolformer/tool_executor.h"
#include "toolformer/tool_registry.h"

namespace toolformer {
namespace {

using nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kDeadline{2000};  // a server that died has to be started in it

absl::Status Register(Tool tool, ToolRegistry* registry) {
  tool.free_of_side_effects = true;
  tool.returns_at_once = false;
  tool.deadline = kDeadline;
  tool.max_retries = 3;
  return registry->Register(std::move(tool));
}

absl::Status AddTools(const std::string& url, const std::vector<std::string>& command, ToolRegistry* registry) {
  HttpToolOptions http;
  http.url = url + "?q={input}";
  http.result = "/answer";
  http.network.allowed_networks = {"127.0.0.0/8"};
  http.network.deadline = std::chrono::seconds(60);  // the executor's is to be the one that counts
  absl::StatusOr<ToolFunction> function = MakeHttpFunction(http);
  if (!function.ok()) return function.status();
  Tool tool;
  tool.name = "Http";
  tool.instruction = "Asks a service.";
  tool.call = *std::move(function);
  if (absl::Status status = Register(std::move(tool), registry); !status.ok()) return status;

  McpServerOptions server;
  server.command = command;
  server.environment = {{"PATH", "/usr/bin:/bin"}};
  absl::StatusOr<std::vector<McpTool>> tools = ConnectMcpServer(server);
  if (!tools.ok()) return tools.status();
  for (McpTool& each : *tools) {
    each.tool.name = "Mcp";
    each.tool.examples.clear();
    if (absl::Status status = Register(std::move(each.tool), registry); !status.ok()) return status;
  }
  return absl::OkStatus();
}

int Threads() {
  int count = 0;
  if (std::FILE* file = std::fopen("/proc/self/status", "r"); file != nullptr) {
    char line[256];
    while (std::fgets(line, sizeof line, file) != nullptr) std::sscanf(line, "Threads: %d", &count);
    std::fclose(file);
  }
  return count;
}

absl::StatusOr<ordered_json> Run(size_t calls, const ToolRegistry& registry) {
  std::vector<ToolRequest> requests;
  for (size_t i = 0; i < calls; ++i) requests.push_back({{i % 2 == 0 ? "Http" : "Mcp", std::to_string(i)}, {}});
  ToolExecutorOptions options;
  options.retry.first_rest = milliseconds(20);
  options.retry.longest_rest = milliseconds(500);
  ordered_json out;
  const auto began = steady_clock::now();
  size_t right = 0, wrong = 0, failed = 0;
  {
    ToolExecutor executor(registry, options);
    const auto results = executor.ExecuteAll(requests, {});
    if (!results.ok()) return results.status();
    out["seconds"] = std::chrono::duration<double>(steady_clock::now() - began).count();
    for (size_t i = 0; i < calls; ++i) {
      const absl::StatusOr<std::string>& result = (*results)[i];
      ++(!result.ok() ? failed : *result == "answer to " + requests[i].call.input ? right : wrong);
    }
    // Statistics once all that was left behind has returned: nothing may stay for good.
    const auto give_up = steady_clock::now() + std::chrono::seconds(20);
    while (Threads() > options.max_concurrent_calls + 8 && steady_clock::now() < give_up) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    out["calls"] = calls;
    out["right"] = right;
    out["wrong"] = wrong;
    out["failed"] = failed;
    bool adds_up = right + wrong + failed == calls;
    int64_t requests_counted = 0;
    for (const ToolStatistics& s : executor.Statistics()) {
      int64_t errors = 0;
      for (const auto& [code, count] : s.errors) errors += count;
      adds_up = adds_up && s.requests == s.answered + errors && s.attempts == s.called + s.retries &&
                s.requests == s.shared + s.from_memory + s.from_disk + s.refused + s.called;
      requests_counted += s.requests;
    }
    out["adds_up"] = adds_up && requests_counted == static_cast<int64_t>(calls);
    out["tools"] = ordered_json::parse(FormatToolStatistics(executor.Statistics()));
    out["threads_after"] = Threads();
  }
  return out;
}

int Main(int argc, char** argv) {
  size_t calls = 0;
  if (argc > 3) std::from_chars(argv[1], argv[1] + std::char_traits<char>::length(argv[1]), calls);
  if (calls == 0) {
    std::fputs("usage: fault_run CALLS URL MCP-COMMAND...\n", stderr);
    return 2;
  }
  ToolRegistry registry;
  absl::Status status = AddTools(argv[2], {argv + 3, argv + argc}, &registry);
  if (status.ok()) {
    const absl::StatusOr<ordered_json> out = Run(calls, registry);
    status = out.status();
    if (out.ok()) std::printf("%s\n", out->dump().c_str());
  }
  if (!status.ok()) std::fprintf(stderr, "fault_run: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace toolformer

int main(int argc, char** argv) { return toolformer::Main(argc, argv); }
