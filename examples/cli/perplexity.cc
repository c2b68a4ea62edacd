// toolformer perplexity: how well a model predicts a text file.
#include "toolformer/perplexity.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "terminal.h"
#include "toolformer/question_suite.h"

namespace toolformer::cli {
namespace {

struct PerplexityFlags {
  ModelFlags model;
  std::string text;
  int64_t tokens = 0;  // 0: all
  int64_t window = 1024;
  bool json = false;
};

absl::Status RunPerplexity(const PerplexityFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::string text, ReadDataFile(flags.text));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(flags.model));
  const std::vector<int32_t> text_ids = model->tokenizer().Encode(text);
  std::span<const int32_t> ids = text_ids;
  if (flags.tokens > 0 && flags.tokens < std::ssize(text_ids)) ids = ids.first(flags.tokens);

  ProgressLine progress({});
  PerplexityOptions options;
  options.window = flags.window;
  TextLosses so_far;
  options.on_window = [&](const TextLosses& window) {
    so_far.Add(window);
    progress.Note(
        fmt::format("{}/{} tokens, {:.4f} nats a token", so_far.all.tokens, ids.size(), so_far.all.mean_nats()));
    return absl::OkStatus();
  };
  Interrupt interrupt;
  interrupt.cancel = &CatchSignals();
  CLI_ASSIGN_OR_RETURN(const Perplexity result, MeasurePerplexity(*model, ids, options, interrupt));
  progress.Clear();
  const TokenLosses& all = result.total.all;
  const TokenLosses& disabled = result.total.calls_disabled;
  if (flags.json) {
    nlohmann::ordered_json json = {{"tokens", all.tokens},
                                   {"mean_nats", all.mean_nats()},
                                   {"perplexity", all.perplexity()},
                                   {"perplexity_calls_disabled", disabled.perplexity()},
                                   {"window_nats", nlohmann::ordered_json::array()}};
    for (const TextLosses& window : result.windows) json["window_nats"].push_back(window.all.nats);
    fmt::print("{}\n", PrintJson(json));
  } else {
    fmt::print("perplexity {:.4f} ({:.6f} nats a token, {} tokens, windows of {}); {:.4f} with calls disabled\n",
               all.perplexity(), all.mean_nats(), all.tokens, flags.window, disabled.perplexity());
  }
  return absl::OkStatus();
}

}  // namespace

Subcommand AddPerplexity(CLI::App* parent) {
  auto flags = std::make_shared<PerplexityFlags>();
  CLI::App* app = parent->add_subcommand("perplexity", "How well the model predicts a text file");
  app->description(
      "Cuts the tokens of a UTF-8 text file into windows that do not overlap, each behind a start token of its own, "
      "and\n"
      "prints the exponential of the mean negative log-probability of a token.");
  AddModelFlags(app, &flags->model);
  app->add_option("--text", flags->text, "the text file, gzipped or not")->required()->type_name("FILE");
  app->add_option("--tokens", flags->tokens, "only so many tokens from its start (default: all)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  app->add_option("--window", flags->window, "tokens of a window, start token included")
      ->capture_default_str()
      ->type_name("N");
  app->add_flag("--json", flags->json, "print a JSON object, with the nats of each window");
  app->footer("\nExample:\n  toolformer perplexity --model SmolLM2.gguf --text wikitext2.txt --tokens 20000");
  return {app, [flags] { return RunPerplexity(*flags); }};
}

}  // namespace toolformer::cli
