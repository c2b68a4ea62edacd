// toolformer complete: continues a prompt, running the tools that the model calls.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "terminal.h"
#include "tool_flags.h"
#include "toolformer/augmenting_decoder.h"

namespace toolformer::cli {
namespace {

constexpr size_t kMaxPromptBytes = size_t{16} << 20;
constexpr double kMaxDeadlineSeconds = 1e6;

struct CompleteFlags {
  ModelFlags model;
  ToolFlags tools;
  std::string prompt;
  bool no_tools = false;
  bool in_context = false;
  bool json = false;
  double deadline = 0.0;  // seconds; 0: none
  DecodeOptions options;
};

absl::StatusOr<std::string> ReadPrompt(const std::string& given) {
  if (given != "-") return given;
  std::string prompt;
  char block[65536];
  size_t got;
  while ((got = std::fread(block, 1, sizeof block, stdin)) > 0) {
    prompt.append(block, got);
    if (prompt.size() > kMaxPromptBytes)
      return Failure("standard input: a prompt of more than {} bytes", kMaxPromptBytes);
  }
  if (std::ferror(stdin) != 0) return Failure("standard input: cannot be read");
  // The line break that ends a file is no part of the prompt.
  if (!prompt.empty() && prompt.back() == '\n') prompt.pop_back();
  return prompt;
}

// Prints the generation as it arrives: bytes as they are into a file; on a terminal in colour, and with nothing in it
// that could act on the terminal.
class StreamPrinter {
 public:
  explicit StreamPrinter(const std::string& prompt) : at_start_(prompt.empty()), terminal_(IsTerminal(stdout)) {
    if (terminal_) fmt::print("{}", style_.Dim(Printable(prompt)));
  }

  void OnEvent(const DecodeEvent& event) {
    switch (event.kind) {
      case DecodeEventKind::kText:
        CloseCall();
        Put(terminal_ ? text_.Add(event.text) : std::string(event.text));
        break;
      case DecodeEventKind::kCall:
        CloseCall();
        if (terminal_) Put(text_.Finish());
        Put((at_start_ ? "" : " ") + style_.Call("[" + Safe(event.text) + " ->"));
        in_call_ = true;
        break;
      case DecodeEventKind::kResult:
        Put(" " + style_.Result(Safe(event.text)));
        break;
      case DecodeEventKind::kError:
        // Not part of the text: into a file only what is.
        if (terminal_) Put(" " + style_.Bad(Safe(event.text)));
        break;
    }
    at_start_ = false;
    printed_ = true;
    std::fflush(stdout);
  }

  // Ends the line; after a failure only where one was begun.
  void Finish(const absl::Status& status) {
    CloseCall();
    Put(text_.Finish());
    if (status.ok() || terminal_ || printed_) Put("\n");
    std::fflush(stdout);
  }

 private:
  std::string Safe(std::string_view text) const { return terminal_ ? PrintableLine(text) : std::string(text); }
  void CloseCall() {
    if (in_call_) Put(style_.Call("]"));
    in_call_ = false;
  }
  static void Put(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

  bool at_start_;
  const bool terminal_;
  bool in_call_ = false;
  bool printed_ = false;
  PrintableStream text_;
  const Style style_{stdout};
};

nlohmann::ordered_json ToJson(const Decoded& decoded, const ToolExecutor& executor) {
  nlohmann::ordered_json json;
  json["text"] = decoded.text;
  json["plain_text"] = decoded.plain_text;
  json["calls"] = nlohmann::ordered_json::array();
  for (const DecodedCall& call : decoded.calls) {
    nlohmann::ordered_json entry;
    entry["tool"] = call.call.tool;
    entry["input"] = call.call.input;
    entry["result"] = call.result ? nlohmann::ordered_json(*call.result) : nlohmann::ordered_json();
    if (!call.error.empty()) entry["error"] = call.error;
    entry["byte_offset"] = call.byte_offset;
    entry["opening_probability"] = call.opening_probability;
    json["calls"].push_back(std::move(entry));
  }
  json["stop_reason"] = StopReasonName(decoded.stop_reason);
  json["tokens"] = decoded.tokens;
  json["opening_probability"] = decoded.opening_probability;
  json["tools"] = nlohmann::ordered_json::parse(FormatToolStatistics(executor.Statistics()));
  return json;
}

absl::Status Explain(const absl::Status& status, const CompleteFlags& flags) {
  if (absl::IsCancelled(status)) return absl::CancelledError("interrupted");
  if (absl::IsDeadlineExceeded(status)) {
    return Failure("the deadline of {} seconds has passed; what was printed until then is not the whole",
                   flags.deadline);
  }
  return status;
}

absl::Status RunComplete(const CompleteFlags& flags) {
  if (flags.no_tools && flags.in_context) return UsageError("--no-tools and --in-context exclude each other");
  CLI_ASSIGN_OR_RETURN(std::unique_ptr<ToolRegistry> registry, MakeRegistry(flags.tools));
  CLI_ASSIGN_OR_RETURN(const std::string prompt, ReadPrompt(flags.prompt));
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, LoadModel(flags.model));
  CLI_RETURN_IF_ERROR(GiveModel(flags.tools, model, &registry));

  DecodeOptions options = flags.options;
  if (flags.no_tools) options.tool_use = ToolUse::kDisabled;
  if (flags.in_context) options.tool_use = ToolUse::kInContext;
  options.interrupt.cancel = &CatchSignals();
  if (flags.deadline > 0.0) {
    options.interrupt.deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int64_t>(flags.deadline * 1e3));
  }
  ToolExecutor executor(*registry);
  const AugmentingDecoder decoder(*model, *registry, executor);
  if (flags.json) {
    const absl::StatusOr<Decoded> decoded = decoder.Decode(prompt, options);
    if (!decoded.ok()) return Explain(decoded.status(), flags);
    fmt::print("{}\n", PrintJson(ToJson(*decoded, executor)));
    return absl::OkStatus();
  }
  StreamPrinter printer(prompt);
  options.on_event = [&printer](const DecodeEvent& event) { printer.OnEvent(event); };
  const absl::StatusOr<Decoded> decoded = decoder.Decode(prompt, options);
  printer.Finish(decoded.status());
  if (!decoded.ok()) return Explain(decoded.status(), flags);
  if (IsTerminal(stderr)) {
    fmt::print(stderr, "{}\n",
               Style(stderr).Dim(fmt::format("{} tokens, {} calls, stopped by {}", decoded->tokens,
                                             decoded->calls.size(), StopReasonName(decoded->stop_reason))));
  }
  return absl::OkStatus();
}

void AddDecodeFlags(CLI::App* app, DecodeOptions* options) {
  const std::string group = "Decoding";
  app->add_option("--max-tokens", options->max_new_tokens, "most tokens of the model's own; results do not count")
      ->check(CLI::Range(int64_t{0}, int64_t{10000000}))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app->add_option("--opening-top-k", options->opening_top_k,
                  "a call opens whenever the bracket is among the k most likely tokens (k of section 4.2); 1: greedy")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}))
      ->type_name("K")
      ->capture_default_str()
      ->group(group);
  app->add_option("--max-calls", options->max_calls, "most calls of a generation")
      ->check(CLI::Range(int64_t{0}, int64_t{16}))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app->add_option("--temperature", options->temperature, "temperature of sampling; 0: greedy")
      ->check(CLI::NonNegativeNumber)
      ->type_name("T")
      ->capture_default_str()
      ->group(group);
  app->add_option("--seed", options->seed, "seed of sampling")->type_name("N")->capture_default_str()->group(group);
  app->add_option("--stop", options->stop, "text that ends the generation, itself not printed; may be repeated")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(group);
}

}  // namespace

Subcommand AddComplete(CLI::App* parent) {
  auto flags = std::make_shared<CompleteFlags>();
  CLI::App* app = parent->add_subcommand("complete", "Continue a prompt with tools (section 2, inference; 4.2)");
  app->description(
      "Continues a prompt. When the model writes a call, decoding stops at its arrow, the tool runs, its result is "
      "put\n"
      "in, and the model goes on (paper, section 2, \"Inference\").");
  AddModelFlags(app, &flags->model);
  app->add_option("PROMPT", flags->prompt, "the text to continue; - reads it from standard input")->required();
  flags->tools.names = {"Calculator", "Calendar"};
  app->add_option("--tools", flags->tools.names,
                  "tools, separated by commas: " + KnownTools() + " (default: Calculator,Calendar)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  AddToolsFileFlag(app, &flags->tools);
  app->add_flag("--no-tools", flags->no_tools, "the opening of a call has probability 0 (paper, footnote 5)");
  app->add_flag("--in-context", flags->in_context,
                "put the tools' examples before the prompt, so that a model that was not trained can use them");
  AddDateFlag(app, &flags->tools);
  AddWikiIndexFlag(app, &flags->tools);
  AddQaFlags(app, &flags->tools);
  app->add_flag("--json", flags->json,
                "print text, plain text, calls, stop reason and how the tools' calls ran as one JSON object");
  app->add_option("--deadline", flags->deadline, "give up after so many seconds")
      ->check(CLI::Range(0.001, kMaxDeadlineSeconds))
      ->type_name("SECONDS");
  AddDecodeFlags(app, &flags->options);
  app->footer(
      "\nExamples:\n"
      "  toolformer complete --model gemma.gguf --tools Calculator --in-context \"27 chairs at 48 dollars each cost\"\n"
      "  echo \"Today is\" | toolformer complete --model gemma.gguf --tools Calendar --date 2023-01-30 --json -");
  return {app, [flags] { return RunComplete(*flags); }};
}

}  // namespace toolformer::cli
