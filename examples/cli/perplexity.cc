// toolformer perplexity: how well a model predicts a text file.
#include "toolformer/perplexity.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "model_flags.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

constexpr size_t kMaxTextBytes = size_t{256} << 20;

struct PerplexityFlags {
  ModelFlags model;
  std::string text;
  int64_t tokens = 0;  // 0: all
  int64_t window = 1024;
  bool json = false;
};

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Failure("{}: is a folder, not a text file", path);
  std::ifstream file(path, std::ios::binary);
  std::string text;
  std::vector<char> block(1 << 16);
  while (file.read(block.data(), std::ssize(block)) || file.gcount() > 0) {
    text.append(block.data(), file.gcount());
    if (text.size() > kMaxTextBytes) return Failure("{}: has over {} bytes", path, kMaxTextBytes);
  }
  if (!file.eof()) return Failure("{}: cannot be read: {}", path, std::strerror(errno));
  return text;
}

absl::Status RunPerplexity(const PerplexityFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::string text, ReadText(flags.text));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(flags.model));
  const std::vector<int32_t> all = model->tokenizer().Encode(text);
  std::span<const int32_t> ids = all;
  if (flags.tokens > 0 && flags.tokens < std::ssize(all)) ids = ids.first(flags.tokens);

  ProgressLine progress({});
  PerplexityOptions options;
  options.window = flags.window;
  options.progress = [&](int64_t tokens, double nats) {
    progress.Note(
        fmt::format("{}/{} tokens, {:.4f} nats a token", tokens, ids.size(), nats / static_cast<double>(tokens)));
  };
  Interrupt interrupt;
  interrupt.cancel = &CatchSignals();
  CLI_ASSIGN_OR_RETURN(const Perplexity result, MeasurePerplexity(*model, ids, options, interrupt));
  progress.Clear();
  if (flags.json) {
    const nlohmann::ordered_json json = {{"tokens", result.tokens},
                                         {"mean_nats", result.mean_nats()},
                                         {"perplexity", result.perplexity()},
                                         {"window_nats", result.window_nats}};
    fmt::print("{}\n", PrintJson(json));
  } else {
    fmt::print("perplexity {:.4f} ({:.6f} nats a token, {} tokens, windows of {})\n", result.perplexity(),
               result.mean_nats(), result.tokens, flags.window);
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
  app->add_option("--text", flags->text, "the text file")->required()->type_name("FILE");
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
