// Tools, the registry, running calls.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>

#include "capi/src/host.h"
#include "capi/src/objects.h"
#include "toolformer/tools_file.h"

struct toolformer_invocation : toolformer::capi::Handle<toolformer_invocation> {
  static constexpr const char* kName = "toolformer_invocation";
  toolformer_invocation(std::string_view i, const toolformer::ToolContext& c) : input(i), context(c) {}
  const std::string_view input;
  const toolformer::ToolContext& context;
};

namespace toolformer::capi {
namespace {

// A year is as good as never, and what is added to it does not overflow.
constexpr uint64_t kMostMilliseconds = uint64_t{1000} * 60 * 60 * 24 * 365;

toolformer_date ViewDate(const std::optional<Date>& date) {
  return date ? toolformer_date{date->year, date->month, date->day} : toolformer_date{};
}

// Calls of a tool that its callback has worked out.
struct CallsReply : toolformer_reply {
  absl::Status Call(size_t byte_offset, std::string_view input) override {
    if (byte_offset > most) return InvalidArgument("byte offset {} in a text of {} bytes", byte_offset, most);
    if (!calls.empty() && byte_offset < calls.back().byte_offset) {
      return InvalidArgument("byte offset {} after {}: calls come in ascending order", byte_offset,
                             calls.back().byte_offset);
    }
    if (calls.size() >= kMostCalls) {
      return Coded(TOOLFORMER_ERROR_LIMIT, fmt::format("more than {} calls for a text", kMostCalls));
    }
    if (input.size() > kMaxInputBytes) {
      return Coded(TOOLFORMER_ERROR_LIMIT, fmt::format("an input of more than {} bytes", kMaxInputBytes));
    }
    calls.push_back({byte_offset, {tool, std::string(input)}});
    return absl::OkStatus();
  }
  static constexpr size_t kMostCalls = 100000;
  std::string tool;
  size_t most = 0;
  std::vector<WorkedOutCall> calls;
};

// Callbacks of a tool, with what belongs to them.
class HostTool {
 public:
  HostTool(const toolformer_tool& tool, UserData user_data)
      : call_(tool.call), accepts_(tool.accepts), propose_(tool.propose), user_data_(std::move(user_data)) {}

  absl::StatusOr<std::string> Call(std::string_view input, const ToolContext& context) const {
    const toolformer_invocation invocation(input, context);
    TextReply reply;
    toolformer_status returned = TOOLFORMER_OK;
    const absl::Status status =
        CallHost(reply, "the tool", [&] { return returned = call_(user_data_.get(), &invocation, &reply); });
    if (status.ok()) return std::move(reply.text);
    // A tool's error is data, like its result; of what it returned counts whether the call may be tried again.
    switch (returned) {
      case TOOLFORMER_ERROR_IO:
        return absl::UnavailableError(status.message());
      case TOOLFORMER_ERROR_TIMEOUT:
        return absl::DeadlineExceededError(status.message());
      default:
        return absl::InvalidArgumentError(status.message());
    }
  }

  bool Accepts(const Document& document, uint64_t seed) const {
    const toolformer_document view = ViewDocument(document);
    return CallHost("accepts", [&] { return accepts_(user_data_.get(), &view, seed); }) != 0;
  }

  std::vector<WorkedOutCall> Propose(const std::string& name, const Document& document) const {
    CallsReply reply;
    reply.tool = name;
    reply.most = document.text.size();
    const toolformer_document view = ViewDocument(document);
    const absl::Status status = CallHost(reply, "propose", [&] { return propose_(user_data_.get(), &view, &reply); });
    if (!status.ok()) throw HostFailure(status);
    return std::move(reply.calls);
  }

 private:
  const toolformer_tool_fn call_;
  const toolformer_accepts_fn accepts_;
  const toolformer_propose_fn propose_;
  const UserData user_data_;
};

// How calls of the tool run.
absl::Status ChangeRunning(const toolformer_tool& given, Tool* tool) {
  constexpr uint32_t kFlags = TOOLFORMER_TOOL_NO_INPUT | TOOLFORMER_TOOL_RETURNS_AT_ONCE |
                              TOOLFORMER_TOOL_NOT_CACHEABLE | TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS;
  if ((given.flags & ~kFlags) != 0) return InvalidArgument("tool.flags has bits that are none: {:#x}", given.flags);
  if ((given.flags & TOOLFORMER_TOOL_NO_INPUT) != 0) tool->takes_input = false;
  if ((given.flags & TOOLFORMER_TOOL_RETURNS_AT_ONCE) != 0) tool->returns_at_once = true;
  if ((given.flags & TOOLFORMER_TOOL_NOT_CACHEABLE) != 0) tool->cacheable = false;
  const bool marked = (given.flags & TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS) != 0;
  tool->free_of_side_effects = marked || (tool->free_of_side_effects && given.call == nullptr);

  TF_RETURN_IF_ERROR(CheckText(given.version, "tool.version"));
  if (given.version.size > 0) tool->version = ToString(given.version);
  if (given.deadline_ms > kMostMilliseconds) {
    return InvalidArgument("tool.deadline_ms is {}, more than a year", given.deadline_ms);
  }
  if (given.deadline_ms > 0) tool->deadline = std::chrono::milliseconds(given.deadline_ms);
  if (given.max_concurrent_calls < -1) {
    return InvalidArgument("tool.max_concurrent_calls is {}, not -1 (no limit), 0 (the default) or more",
                           given.max_concurrent_calls);
  }
  if (given.max_concurrent_calls != 0) tool->max_concurrent_calls = std::max(given.max_concurrent_calls, 0);
  if (given.max_retries < -1) {
    return InvalidArgument("tool.max_retries is {}, not -1 (none), 0 (the default) or more", given.max_retries);
  }
  if (given.max_retries != 0) tool->max_retries = std::max(given.max_retries, 0);
  return absl::OkStatus();
}

// What `given` says in place of what `tool` has.
absl::Status Change(const toolformer_tool& given, UserData user_data, Tool* tool) {
  TF_RETURN_IF_ERROR(CheckText(given.name, "tool.name"));
  TF_RETURN_IF_ERROR(CheckText(given.instruction, "tool.instruction"));
  TF_RETURN_IF_ERROR(CheckText(given.input_characters, "tool.input_characters"));
  TF_RETURN_IF_ERROR(CheckArray(given.examples, given.example_count, "tool.examples"));
  if (given.name.size > 0) tool->name = ToString(given.name);
  if (given.instruction.size > 0) tool->instruction = ToString(given.instruction);
  if (given.input_characters.size > 0) tool->input_characters = ToString(given.input_characters);
  if (given.example_count > 0) tool->examples.clear();
  for (size_t i = 0; i < given.example_count; ++i) {
    TF_RETURN_IF_ERROR(CheckText(given.examples[i].input, "tool.examples.input"));
    TF_RETURN_IF_ERROR(CheckText(given.examples[i].output, "tool.examples.output"));
    tool->examples.push_back({ToString(given.examples[i].input), ToString(given.examples[i].output)});
  }
  TF_ASSIGN_OR_RETURN(tool->parameters, ReadParameters(given.parameters, tool->parameters));
  TF_RETURN_IF_ERROR(ChangeRunning(given, tool));
  const auto host = std::make_shared<const HostTool>(given, std::move(user_data));
  if (given.call != nullptr) {
    tool->call = [host](std::string_view input, const ToolContext& context) { return host->Call(input, context); };
  }
  if (given.accepts != nullptr) {
    tool->accepts = [host](const Document& document, uint64_t seed) { return host->Accepts(document, seed); };
  }
  if (given.propose != nullptr) {
    tool->propose = [host, name = tool->name](const Document& document) { return host->Propose(name, document); };
  }
  return absl::OkStatus();
}

struct BuiltIn {
  std::string_view name;
  Tool (*make)(const std::optional<Date>& today);
};
constexpr std::array<BuiltIn, 2> kBuiltIns = {{
    {"Calculator", [](const std::optional<Date>&) { return MakeCalculator(); }},
    {"Calendar",
     [](const std::optional<Date>& today) { return MakeCalendar(today ? FixedClock(*today) : SystemClock()); }},
}};

toolformer_parameters ViewParameters(const AnnotationParameters& own) {
  return {sizeof(toolformer_parameters), own.tau_s, own.tau_f, own.k, own.m};
}

toolformer_executor_options DefaultExecutorOptions() {
  const ToolExecutorOptions own;
  return {sizeof(toolformer_executor_options),
          static_cast<uint64_t>(own.deadline.count()),
          own.max_result_bytes,
          own.max_cached_results,
          own.max_abandoned,
          0,
          {},
          0,
          own.max_concurrent_calls,
          own.breaker.failures};
}

}  // namespace

absl::StatusOr<std::optional<Date>> ReadDate(const toolformer_date& date, const char* name) {
  if (date.year == 0 && date.month == 0 && date.day == 0) return std::nullopt;
  const Date read{date.year, date.month, date.day};
  if (!read.IsValid()) return InvalidArgument("{}: {}-{}-{} is no day", name, date.year, date.month, date.day);
  return read;
}

toolformer_document ViewDocument(const Document& document) {
  return {sizeof(toolformer_document), View(document.text),     View(document.id),
          View(document.url),          ViewDate(document.date), 0};
}

absl::StatusOr<Document> ReadDocument(const toolformer_document* given, const char* name) {
  TF_ASSIGN_OR_RETURN(const toolformer_document read, ReadStruct(given, name, toolformer_document{}));
  TF_RETURN_IF_ERROR(CheckText(read.text, "document.text"));
  TF_RETURN_IF_ERROR(CheckText(read.id, "document.id"));
  TF_RETURN_IF_ERROR(CheckText(read.url, "document.url"));
  TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
  Document document{ToString(read.text), ToString(read.id), ToString(read.url), std::nullopt};
  TF_ASSIGN_OR_RETURN(document.date, ReadDate(read.date, "document.date"));
  if (!document.date) document.date = DateFromUrl(document.url);
  return document;
}

absl::StatusOr<AnnotationParameters> ReadParameters(const toolformer_parameters* given,
                                                    const AnnotationParameters& own) {
  TF_ASSIGN_OR_RETURN(const toolformer_parameters read, ReadOptions(given, "parameters", ViewParameters(own)));
  return AnnotationParameters{read.tau_s, read.k, read.m, read.tau_f};
}

absl::StatusOr<ToolExecutorOptions> ReadExecutorOptions(const toolformer_executor_options* given) {
  TF_ASSIGN_OR_RETURN(const toolformer_executor_options read,
                      ReadOptions(given, "executor options", DefaultExecutorOptions()));
  TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
  if (read.deadline_ms < 1) return InvalidArgument("deadline_ms is 0; it must be at least 1");
  if (read.max_result_bytes < 3)
    return InvalidArgument("max_result_bytes is {}, not at least 3", read.max_result_bytes);
  if (read.max_abandoned < 0) return InvalidArgument("max_abandoned {} is negative", read.max_abandoned);
  if (read.max_concurrent_calls < 0) {
    return InvalidArgument("max_concurrent_calls {} is negative", read.max_concurrent_calls);
  }
  if (read.breaker_failures < -1) {
    return InvalidArgument("breaker_failures is {}, not -1 (never), 0 (the default) or more", read.breaker_failures);
  }
  TF_RETURN_IF_ERROR(CheckText(read.answers_file, "answers_file"));
  ToolExecutorOptions own;
  own.deadline = std::chrono::milliseconds(std::min(read.deadline_ms, kMostMilliseconds));
  own.max_result_bytes = read.max_result_bytes;
  own.max_cached_results = read.max_cached_results;
  own.max_abandoned = read.max_abandoned;
  if (read.max_concurrent_calls > 0) own.max_concurrent_calls = read.max_concurrent_calls;
  if (read.breaker_failures != 0) own.breaker.failures = std::max(read.breaker_failures, 0);
  if (read.answers_file.size > 0) {
    AnswerStoreOptions answers;
    if (read.max_answers_bytes > 0) answers.max_bytes = read.max_answers_bytes;
    TF_ASSIGN_OR_RETURN(own.answers, AnswerStore::Open(ToString(read.answers_file), answers));
  }
  return own;
}

}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

extern "C" {

void toolformer_document_init(toolformer_document* document, size_t struct_size) noexcept {
  Initialise(document, struct_size, toolformer_document{});
}

toolformer_string toolformer_invocation_input(const toolformer_invocation* call) noexcept {
  return LiveOrNull(call) == nullptr ? toolformer_string{} : View(call->input);
}

toolformer_date toolformer_invocation_date(const toolformer_invocation* call) noexcept {
  return LiveOrNull(call) == nullptr ? toolformer_date{} : ViewDate(call->context.document_date);
}

toolformer_status toolformer_invocation_interrupted(const toolformer_invocation* call) noexcept {
  if (LiveOrNull(call) == nullptr) return TOOLFORMER_OK;
  return Guard(nullptr, [&] { return call->context.interrupt.Check(); });
}

void toolformer_parameters_init(toolformer_parameters* parameters, size_t struct_size) noexcept {
  Initialise(parameters, struct_size, ViewParameters({}));
}

void toolformer_tool_init(toolformer_tool* tool, size_t struct_size) noexcept {
  Initialise(tool, struct_size, toolformer_tool{});
}

toolformer_status toolformer_registry_new(toolformer_registry** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_registry>();
    return absl::OkStatus();
  });
}

void toolformer_registry_free(toolformer_registry* registry) noexcept { delete LiveOrNull(registry); }

toolformer_status toolformer_registry_add(toolformer_registry* registry, const toolformer_tool* tool,
                                          toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_ASSIGN_OR_RETURN(const toolformer_tool read, ReadStruct(tool, "tool", toolformer_tool{}));
    UserData user_data(read.user_data, read.destroy);
    TF_RETURN_IF_ERROR(CheckHandle(registry, "registry"));
    if (read.call == nullptr) return toolformer::InvalidArgument("tool.call is NULL");
    toolformer::Tool own;
    TF_RETURN_IF_ERROR(Change(read, std::move(user_data), &own));
    return registry->Add(std::move(own));
  });
}

toolformer_status toolformer_registry_add_builtin(toolformer_registry* registry, toolformer_string name,
                                                  const toolformer_tool* changes, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_ASSIGN_OR_RETURN(const toolformer_tool read, ReadOptions(changes, "changes", toolformer_tool{}));
    UserData user_data(read.user_data, read.destroy);
    TF_RETURN_IF_ERROR(CheckHandle(registry, "registry"));
    TF_RETURN_IF_ERROR(CheckText(name, "name"));
    TF_ASSIGN_OR_RETURN(const auto today, ReadDate(read.today, "changes.today"));
    std::string names;
    for (const BuiltIn& built_in : kBuiltIns) {
      if (built_in.name == ToView(name)) {
        toolformer::Tool tool = built_in.make(today);
        TF_RETURN_IF_ERROR(Change(read, std::move(user_data), &tool));
        return registry->Add(std::move(tool));
      }
      names += (names.empty() ? "" : ", ") + std::string(built_in.name);
    }
    return toolformer::NotFound("no built-in tool '{}'; there are: {}", ToView(name).substr(0, 64), names);
  });
}

toolformer_status toolformer_registry_add_file(toolformer_registry* registry, toolformer_string path,
                                               toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(registry, "registry"));
    TF_RETURN_IF_ERROR(CheckText(path, "path"));
    toolformer::ToolRegistry read;
    TF_RETURN_IF_ERROR(Corrupt(toolformer::LoadTools(ToString(path), {}, &read)));
    return registry->AddAll(read);
  });
}

size_t toolformer_registry_count(const toolformer_registry* registry) noexcept {
  return LiveOrNull(registry) == nullptr ? 0 : registry->tools()->tools().size();
}

toolformer_string toolformer_registry_name(const toolformer_registry* registry, size_t index) noexcept {
  if (LiveOrNull(registry) == nullptr) return {};
  const auto tools = registry->tools();
  // Tools are never taken out, so that the name lives as long as the registry.
  return index < tools->tools().size() ? View(tools->tools()[index]->name) : toolformer_string{};
}

toolformer_status toolformer_registry_prompt(const toolformer_registry* registry, toolformer_string tool,
                                             toolformer_string text, toolformer_bytes** out,
                                             toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(registry, "registry"));
    TF_RETURN_IF_ERROR(CheckText(tool, "tool"));
    TF_RETURN_IF_ERROR(CheckText(text, "text"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const auto tools = registry->tools();
    const auto found = tools->Find(ToView(tool));
    if (found == nullptr) return toolformer::NotFound("unknown tool; there are: {}", tools->Names());
    *out = New<toolformer_bytes>(toolformer::SamplingPrompt(*found, ToView(text)));
    return absl::OkStatus();
  });
}

void toolformer_executor_options_init(toolformer_executor_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultExecutorOptions());
}

toolformer_status toolformer_executor_new(const toolformer_registry* registry,
                                          const toolformer_executor_options* options, toolformer_executor** out,
                                          toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(registry, "registry"));
    TF_ASSIGN_OR_RETURN(const toolformer::ToolExecutorOptions read, ReadExecutorOptions(options));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_executor>(std::make_shared<ExecutorState>(registry->tools(), read));
    return absl::OkStatus();
  });
}

void toolformer_executor_free(toolformer_executor* executor) noexcept { delete LiveOrNull(executor); }

void toolformer_request_init(toolformer_request* request, size_t struct_size) noexcept {
  Initialise(request, struct_size, toolformer_request{});
}

toolformer_status toolformer_executor_execute(const toolformer_executor* executor, const toolformer_request* request,
                                              toolformer_bytes** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(executor, "executor"));
    TF_ASSIGN_OR_RETURN(const toolformer_request read, ReadStruct(request, "request", toolformer_request{}));
    TF_RETURN_IF_ERROR(CheckText(read.tool, "request.tool"));
    TF_RETURN_IF_ERROR(CheckText(read.input, "request.input"));
    TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_ASSIGN_OR_RETURN(const HeldInterrupt interrupt, HeldInterrupt::Of(read.interrupt));
    TF_ASSIGN_OR_RETURN(const auto date, ReadDate(read.date, "request.date"));
    if (read.input.size > toolformer::kMaxInputBytes) {
      return Coded(TOOLFORMER_ERROR_LIMIT, fmt::format("an input of more than {} bytes", toolformer::kMaxInputBytes));
    }
    const std::shared_ptr<ExecutorState> state = executor->state;
    const bool known = state->tools->Find(ToView(read.tool)) != nullptr;
    auto result = state->executor.Execute({ToString(read.tool), ToString(read.input)}, {date, interrupt.get()});
    if (!result.ok()) {
      const bool is_the_callers =
          !known || absl::IsCancelled(result.status()) || absl::IsDeadlineExceeded(result.status());
      return is_the_callers ? result.status() : Coded(TOOLFORMER_ERROR_TOOL, std::string(result.status().message()));
    }
    *out = New<toolformer_bytes>(*std::move(result));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_executor_statistics(const toolformer_executor* executor, toolformer_bytes** out,
                                                 toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(executor, "executor"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_bytes>(toolformer::FormatToolStatistics(executor->state->executor.Statistics()));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_calculate(toolformer_string expression, toolformer_bytes** out,
                                       toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckText(expression, "expression"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    auto value = toolformer::Calculate(ToView(expression));
    if (!value.ok()) return Coded(TOOLFORMER_ERROR_TOOL, std::string(value.status().message()));
    *out = New<toolformer_bytes>(*std::move(value));
    return absl::OkStatus();
  });
}

}  // extern "C"
