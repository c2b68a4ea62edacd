#include "tool_flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "failure.h"
#include "terminal.h"
#include "toolformer/tools_file.h"
#include "toolformer/wiki_search.h"

namespace toolformer::cli {
namespace {

constexpr std::string_view kParameters = "k, m, tau_f, tau_s";

std::vector<Tool> AllTools(std::shared_ptr<const Clock> clock) {
  std::vector<Tool> tools;
  tools.push_back(MakeCalculator());
  tools.push_back(MakeCalendar(std::move(clock)));
  tools.push_back(MakeWikiSearch(nullptr));
  tools.push_back(MakeQuestionAnswering(nullptr, nullptr));
  return tools;
}

absl::StatusOr<Tool> MakeWikiSearchOf(const std::string& folder) {
  if (folder.empty()) {
    return UsageError("--tools: WikiSearch needs an index: --wiki-index FOLDER; 'toolformer index build' makes one");
  }
  CLI_ASSIGN_OR_RETURN(std::shared_ptr<const SearchIndex> index, SearchIndex::Open(folder));
  return MakeWikiSearch(MakeIndexSource(std::move(index)));
}

absl::StatusOr<std::vector<Tool>> ReadToolsFile(const std::string& path, std::shared_ptr<const Clock> clock) {
  ToolsFileOptions options;
  options.clock = std::move(clock);
  options.on_warning = [](std::string_view text) {
    fmt::print(stderr, "toolformer: warning: {}\n", PrintableLine(std::string(text)));
  };
  ToolRegistry registry;
  CLI_RETURN_IF_ERROR(LoadTools(path, options, &registry));
  std::vector<Tool> tools;
  for (const std::shared_ptr<const Tool>& tool : registry.tools()) tools.push_back(*tool);
  return tools;
}

absl::StatusOr<std::shared_ptr<const AnswerReader>> MakeReader(const ToolFlags& flags,
                                                               std::shared_ptr<const Model> model) {
  if (model == nullptr) return nullptr;
  if (!flags.qa_model.empty()) return LoadAnswerReader(flags.qa_model);
  return MakeLanguageModelReader(std::move(model), {});
}

absl::StatusOr<Tool> MakeQa(const ToolFlags& flags, const std::shared_ptr<const Model>& model) {
  std::shared_ptr<const SearchSource> source;
  if (!flags.wiki_index.empty()) {
    CLI_ASSIGN_OR_RETURN(std::shared_ptr<const SearchIndex> index, SearchIndex::Open(flags.wiki_index));
    source = MakeIndexSource(std::move(index));
  }
  CLI_ASSIGN_OR_RETURN(std::shared_ptr<const AnswerReader> reader, MakeReader(flags, model));
  return MakeQuestionAnswering(std::move(reader), std::move(source),
                               {.passages = flags.qa_passages, .least_confidence = flags.qa_least});
}

template <typename T>
absl::Status ParseNumber(std::string_view text, const std::string& option, T* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  if (error == std::errc() && end == text.data() + text.size()) return absl::OkStatus();
  return UsageError(
      fmt::format("{}: '{}' is not {}", option, text, std::is_integral_v<T> ? "a whole number" : "a number"));
}

// One --set.
absl::Status ApplySetting(const std::string& setting, std::vector<Tool>* tools) {
  const std::string option = "--set " + setting;
  const size_t equals = setting.find('=');
  const size_t dot = setting.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals) {
    return UsageError(option + ": not of the form Tool.parameter=value, as in Calculator.k=20");
  }
  const std::string name = setting.substr(0, dot);
  const std::string parameter = setting.substr(dot + 1, equals - dot - 1);
  const std::string_view value = std::string_view(setting).substr(equals + 1);
  const auto tool = std::find_if(tools->begin(), tools->end(), [&](const Tool& t) { return t.name == name; });
  if (tool == tools->end()) {
    std::string chosen;
    for (const Tool& each : *tools) chosen += (chosen.empty() ? "" : ", ") + each.name;
    return UsageError(fmt::format("{}: no tool '{}' is in use; --tools names: {}", option, name, chosen));
  }
  AnnotationParameters& parameters = tool->parameters;
  if (parameter == "tau_s") return ParseNumber(value, option, &parameters.tau_s);
  if (parameter == "tau_f") return ParseNumber(value, option, &parameters.tau_f);
  if (parameter == "k") return ParseNumber(value, option, &parameters.k);
  if (parameter == "m") return ParseNumber(value, option, &parameters.m);
  return UsageError(fmt::format("{}: unknown parameter '{}'; there are: {}", option, parameter, kParameters));
}

absl::StatusOr<std::shared_ptr<const Clock>> MakeClock(const std::string& date) {
  if (date.empty()) return SystemClock();
  const std::optional<Date> parsed = ParseDate(date);
  if (!parsed || FormatIsoDate(*parsed) != date) {
    return UsageError(fmt::format("--date: '{}' is not a day written as YYYY-MM-DD", date));
  }
  return FixedClock(*parsed);
}

}  // namespace

std::string KnownTools() {
  std::string names;
  for (const Tool& tool : AllTools(SystemClock())) names += (names.empty() ? "" : ", ") + tool.name;
  return names;
}

bool IsBuiltIn(const std::string& name) {
  const std::vector<Tool> all = AllTools(SystemClock());
  return std::any_of(all.begin(), all.end(), [&](const Tool& tool) { return tool.name == name; });
}

std::string DefaultParameters() {
  std::string table = "  tool          k   m  tau_f  tau_s\n";
  for (const Tool& tool : AllTools(SystemClock())) {
    const AnnotationParameters& p = tool.parameters;
    table += fmt::format("  {:<12} {:>2}  {:>2}  {:>5}  {:>5}\n", tool.name, p.k, p.m, p.tau_f, p.tau_s);
  }
  return table;
}

void AddParameterFlags(CLI::App* app, ToolFlags* flags) {
  const std::string group = "Parameters of all tools (a tool's own where not given, see below)";
  app->add_option("--tau-s", flags->tau_s, "least probability p_i of an opening bracket at a position (tau_s)")
      ->group(group);
  app->add_option("--k", flags->k, "most positions in a text (k)")->group(group);
  app->add_option("--m", flags->m, "calls sampled at each position (m)")->group(group);
  app->add_option("--tau-f", flags->tau_f, "least gain L- minus L+ of a call that is kept, in nats (tau_f)")
      ->group(group);
  app->add_option("--set", flags->set, "parameter of one tool, as in Calculator.k=20; may be repeated")
      ->type_name("TOOL.NAME=VALUE")
      ->allow_extra_args(false)
      ->group(group);
}

void AddToolsFileFlag(CLI::App* app, ToolFlags* flags) {
  flags->named_tools = app->get_option("--tools")->required(false);
  app->add_option(
         "--tools-file", flags->tools_file,
         "a JSON file that declares tools (" + ToolKindNames() +
             "): docs/tools.md. It runs programs: use only files that you trust. Without --tools its tools are "
             "all there are")
      ->type_name("FILE.json");
}

void AddDateFlag(CLI::App* app, ToolFlags* flags) {
  app->add_option("--date", flags->date, "today, for the Calendar (default: the system's date)")
      ->type_name("YYYY-MM-DD");
}

void AddWikiIndexFlag(CLI::App* app, ToolFlags* flags) {
  app->add_option("--wiki-index", flags->wiki_index,
                  "the index that WikiSearch searches and QA reads, as 'toolformer index build' makes it")
      ->type_name("FOLDER");
}

void AddQaFlags(CLI::App* app, ToolFlags* flags) {
  const std::string group = "QA (answers out of passages of --wiki-index; without one, out of its model alone)";
  app->add_option(
         "--qa-model", flags->qa_model,
         "what reads, with int8 weights: a language model, or a folder of FiD or Atlas (default: the command's model)")
      ->type_name("PATH")
      ->group(group);
  app->add_option("--qa-passages", flags->qa_passages, "passages that are read for a question")
      ->check(CLI::Range(1, 100))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  app->add_option("--qa-least", flags->qa_least, "least confidence of an answer, 0 to 1; below it there is none")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->type_name("P")
      ->group(group);
}

absl::StatusOr<std::unique_ptr<ToolRegistry>> MakeRegistry(const ToolFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const Clock> clock, MakeClock(flags.date));
  const bool has_file = !flags.tools_file.empty();
  const bool only_file = has_file && flags.named_tools != nullptr && flags.named_tools->count() == 0;
  if (!has_file && flags.names.empty()) return UsageError("--tools or --tools-file is required");
  std::vector<Tool> chosen;
  if (has_file) {
    CLI_ASSIGN_OR_RETURN(chosen, ReadToolsFile(flags.tools_file, clock));
  }
  for (const std::string& name : only_file ? std::vector<std::string>() : flags.names) {
    std::vector<Tool> all = AllTools(clock);
    const auto found = std::find_if(all.begin(), all.end(), [&](const Tool& tool) { return tool.name == name; });
    if (found == all.end()) {
      return UsageError(fmt::format("--tools: unknown tool '{}'; there are: {}", name, KnownTools()));
    }
    if (name == "WikiSearch") {
      CLI_ASSIGN_OR_RETURN(*found, MakeWikiSearchOf(flags.wiki_index));
    }
    if (name == "QA") {
      CLI_ASSIGN_OR_RETURN(*found, MakeQa(flags, nullptr));
    }
    chosen.push_back(std::move(*found));
  }
  for (Tool& tool : chosen) {
    tool.parameters.tau_s = flags.tau_s.value_or(tool.parameters.tau_s);
    tool.parameters.tau_f = flags.tau_f.value_or(tool.parameters.tau_f);
    tool.parameters.k = flags.k.value_or(tool.parameters.k);
    tool.parameters.m = flags.m.value_or(tool.parameters.m);
  }
  for (const std::string& setting : flags.set) CLI_RETURN_IF_ERROR(ApplySetting(setting, &chosen));
  auto registry = std::make_unique<ToolRegistry>();
  for (Tool& tool : chosen) {
    const absl::Status registered = registry->Register(std::move(tool));
    if (!registered.ok()) return UsageError(std::string(registered.message()));
  }
  return registry;
}

absl::Status GiveModel(const ToolFlags& flags, const std::shared_ptr<const Model>& model,
                       std::unique_ptr<ToolRegistry>* registry) {
  const bool named = std::find(flags.names.begin(), flags.names.end(), "QA") != flags.names.end();
  const bool only_file = !flags.tools_file.empty() && flags.named_tools != nullptr && flags.named_tools->count() == 0;
  if (!named || only_file) return absl::OkStatus();
  auto given = std::make_unique<ToolRegistry>();
  for (const std::shared_ptr<const Tool>& each : (*registry)->tools()) {
    Tool tool = *each;
    if (tool.name == "QA") {
      CLI_ASSIGN_OR_RETURN(tool, MakeQa(flags, model));
      tool.parameters = each->parameters;
    }
    CLI_RETURN_IF_ERROR(given->Register(std::move(tool)));
  }
  *registry = std::move(given);
  return absl::OkStatus();
}

}  // namespace toolformer::cli
