// The kinds of tools that need no model: built-in ones, programs, HTTP services, servers of the Model Context Protocol.
#include <array>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/tool_kind.h"
#include "toolformer/http_tool.h"
#include "toolformer/mcp.h"
#include "toolformer/program_tool.h"

namespace toolformer {
namespace {

using nlohmann::json;

absl::StatusOr<std::vector<Tool>> One(Tool tool) {
  std::vector<Tool> tools;
  tools.push_back(std::move(tool));
  return tools;
}

absl::StatusOr<std::vector<Tool>> MakeCalculatorKind(ToolFields& fields, const KindContext& /*context*/) {
  Tool tool = MakeCalculator();
  ReadCommonFields(fields, &tool);
  return One(std::move(tool));
}

absl::StatusOr<std::vector<Tool>> MakeCalendarKind(ToolFields& fields, const KindContext& context) {
  std::string today;
  fields.Read("today", &today);
  std::shared_ptr<const Clock> clock = context.options.clock == nullptr ? SystemClock() : context.options.clock;
  if (!today.empty()) {
    const std::optional<Date> date = ParseDate(today);
    if (!date || FormatIsoDate(*date) != today) {
      fields.Fail("today", "is not a day written as YYYY-MM-DD");
    } else {
      clock = FixedClock(*date);
    }
  }
  Tool tool = MakeCalendar(std::move(clock));
  ReadCommonFields(fields, &tool);
  return One(std::move(tool));
}

// `function`, called only with inputs of the form that the file states, if it states one.
ToolFunction WithInputPattern(ToolFields& fields, ToolFunction function) {
  std::string pattern;
  fields.Read("input_pattern", &pattern);
  if (pattern.empty()) return function;
  absl::StatusOr<ToolFunction> checked = TakeInput(pattern, std::move(function));
  fields.Fail("input_pattern", checked.status());
  return checked.ok() ? *std::move(checked) : ToolFunction();
}

// `function`, given its arguments as the schema wants them where there is one.
ToolFunction WithArguments(std::shared_ptr<const ToolArguments> arguments, ToolFunction function) {
  if (arguments == nullptr) return function;
  return TakeArguments(std::move(arguments), std::move(function));
}

// A program in the file's own folder is named relative to it; a name without a slash is looked for in PATH.
std::vector<std::string> ResolveCommand(std::vector<std::string> command, const KindContext& context) {
  if (!command.empty() && command[0].find('/') != std::string::npos) command[0] = context.Resolve(command[0]);
  return command;
}

// What is started, with what environment and where: of ProgramToolOptions and McpServerOptions alike.
template <typename Options>
void ReadProcessFields(ToolFields& fields, const KindContext& context, Options* options) {
  fields.Read("command", &options->command);
  if (options->command.empty()) fields.Fail("command", fields.Has("command") ? "is empty" : "is missing");
  options->command = ResolveCommand(std::move(options->command), context);
  fields.ReadTexts("environment", &options->environment);
  options->working_folder = ".";
  fields.Read("working_folder", &options->working_folder);
  options->working_folder = context.Resolve(options->working_folder);
}

absl::StatusOr<std::vector<Tool>> MakeProgramKind(ToolFields& fields, const KindContext& context) {
  Tool tool;
  ReadCommonFields(fields, &tool);
  const std::shared_ptr<const ToolArguments> arguments = ReadArgumentFields(fields, &tool);
  ProgramToolOptions options;
  ReadProcessFields(fields, context, &options);
  std::string input = "standard_input";
  fields.Read("input", &input);
  if (input == "argument") {
    options.input = ProgramInput::kArgument;
  } else if (input == "json_lines") {
    options.input = ProgramInput::kJsonLines;
  } else if (input != "standard_input") {
    fields.Fail("input", "is none of: standard_input, argument, json_lines");
  }
  fields.Read("max_output_bytes", &options.max_output_bytes);
  fields.Read("max_processes", &options.max_processes);
  if (tool.deadline) options.deadline = *tool.deadline;
  TF_RETURN_IF_ERROR(fields.status());
  TF_ASSIGN_OR_RETURN(ToolFunction function, MakeProgramFunction(std::move(options)));
  tool.call = WithInputPattern(fields, WithArguments(arguments, std::move(function)));
  return One(std::move(tool));
}

void ReadNetworkFields(ToolFields& fields, const KindContext& context, NetworkOptions* network) {
  fields.Read("allowed_networks", &network->allowed_networks);
  fields.Read("max_response_bytes", &network->max_response_bytes);
  fields.Read("max_redirects", &network->max_redirects);
  fields.Read("ca_file", &network->ca_file);
  network->ca_file = context.Resolve(network->ca_file);
}

absl::StatusOr<std::vector<Tool>> MakeHttpKind(ToolFields& fields, const KindContext& context) {
  Tool tool;
  ReadCommonFields(fields, &tool);
  HttpToolOptions options;
  options.arguments = ReadArgumentFields(fields, &tool);
  options.url = fields.Required("url");
  fields.Read("method", &options.method);
  fields.ReadTexts("headers", &options.headers);
  // A body that is not a string is the JSON that it looks like.
  if (const json* body = fields.Take("body"))
    options.body = body->is_string() ? body->get<std::string>() : PrintJson(*body);
  fields.Read("content_type", &options.content_type);
  fields.Read("result", &options.result);
  ReadNetworkFields(fields, context, &options.network);
  if (tool.deadline) options.network.deadline = *tool.deadline;
  TF_RETURN_IF_ERROR(fields.status());
  TF_ASSIGN_OR_RETURN(ToolFunction function, MakeHttpFunction(std::move(options)));
  tool.call = WithInputPattern(fields, std::move(function));
  return One(std::move(tool));
}

// Which of a server's tools are taken, and what is said of each.
absl::StatusOr<std::vector<Tool>> ChooseTools(ToolFields& fields, std::vector<McpTool> offered) {
  std::vector<std::string> only;
  fields.Read("only", &only);
  const json* own = fields.Take("tools");
  if (own != nullptr && !own->is_object())
    fields.Fail("tools", "is not an object with a field for each tool of the server");
  const auto has = [&](const std::string& name) {
    return std::any_of(offered.begin(), offered.end(), [&](const McpTool& each) { return each.server_name == name; });
  };
  std::string names;
  for (const McpTool& each : offered) names += (names.empty() ? "" : ", ") + each.server_name;
  for (const std::string& name : only) {
    if (!has(name))
      return InvalidArgument("field 'only': the server has no tool '{}'; there are: {}", name.substr(0, 64), names);
  }
  std::vector<Tool> tools;
  for (McpTool& each : offered) {
    if (!only.empty() && std::find(only.begin(), only.end(), each.server_name) == only.end()) continue;
    // What the file says of all tools of the server, then what it says of this one.
    ReadCommonFields(fields, &each.tool);
    if (own != nullptr && own->is_object() && own->contains(each.server_name)) {
      ToolFields of_one(own->at(each.server_name), "tools." + each.server_name + ".");
      ReadCommonFields(of_one, &each.tool);
      TF_RETURN_IF_ERROR(of_one.Finish());
    }
    tools.push_back(std::move(each.tool));
  }
  if (own != nullptr && own->is_object()) {
    for (const auto& [name, unused] : own->items()) {
      if (!has(name))
        return InvalidArgument("field 'tools': the server has no tool '{}'; there are: {}", name.substr(0, 64), names);
    }
  }
  for (const char* field : {"name", "instruction", "examples"}) {
    if (fields.Has(field) && tools.size() != 1) {
      fields.Fail(field, "is of one tool, and the server has several: say it under 'tools'");
    }
  }
  return tools;
}

absl::StatusOr<std::vector<Tool>> MakeMcpKind(ToolFields& fields, const KindContext& context,
                                              McpServerOptions options) {
  fields.Read("protocol", &options.protocol);
  fields.ReadMilliseconds("start_deadline_ms", &options.start_deadline);
  fields.Read("max_message_bytes", &options.max_message_bytes);
  fields.Read("name_prefix", &options.name_prefix);
  fields.Read("result", &options.result);
  fields.Read("trust_annotations", &options.trust_annotations);
  fields.ReadMilliseconds("deadline_ms", &options.deadline);
  options.on_warning = context.options.on_warning;
  TF_RETURN_IF_ERROR(fields.status());
  TF_ASSIGN_OR_RETURN(std::vector<McpTool> tools, ConnectMcpServer(std::move(options)));
  return ChooseTools(fields, std::move(tools));
}

absl::StatusOr<std::vector<Tool>> MakeMcpStdioKind(ToolFields& fields, const KindContext& context) {
  McpServerOptions options;
  ReadProcessFields(fields, context, &options);
  return MakeMcpKind(fields, context, std::move(options));
}

absl::StatusOr<std::vector<Tool>> MakeMcpHttpKind(ToolFields& fields, const KindContext& context) {
  McpServerOptions options;
  options.url = fields.Required("url");
  fields.ReadTexts("headers", &options.headers);
  fields.Read("allowed_networks", &options.network.allowed_networks);
  fields.Read("ca_file", &options.network.ca_file);
  options.network.ca_file = context.Resolve(options.network.ca_file);
  return MakeMcpKind(fields, context, std::move(options));
}

constexpr std::array<ToolKind, 6> kHostKinds = {{{"calculator", MakeCalculatorKind},
                                                 {"calendar", MakeCalendarKind},
                                                 {"program", MakeProgramKind},
                                                 {"http", MakeHttpKind},
                                                 {"mcp_stdio", MakeMcpStdioKind},
                                                 {"mcp_http", MakeMcpHttpKind}}};

}  // namespace

std::span<const ToolKind> HostKinds() { return kHostKinds; }

}  // namespace toolformer
