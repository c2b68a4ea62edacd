// toolformer tokenize: lines of text to token ids.
#include <cstdlib>
#include <memory>
#include <string>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "toolformer/tokenizer.h"

namespace toolformer::cli {
namespace {

struct FreeMemory {
  char* data = nullptr;
  ~FreeMemory() { std::free(data); }
};

absl::Status RunTokenize(const std::string& path) {
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, LoadTokenizer(path));
  FreeMemory line;
  size_t capacity = 0;
  ssize_t length;
  while ((length = getline(&line.data, &capacity, stdin)) >= 0) {
    std::string_view text(line.data, static_cast<size_t>(length));
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    fmt::print("{}\n", PrintJson(tokenizer->Encode(text)));
  }
  if (std::ferror(stdin) != 0) return Failure("standard input: cannot be read");
  return absl::OkStatus();
}

}  // namespace

Subcommand AddTokenize(CLI::App* parent) {
  auto path = std::make_shared<std::string>();
  CLI::App* app = parent->add_subcommand("tokenize", "Lines of standard input to token ids");
  app->description("Prints the token ids of each line of standard input as a JSON array, without a start token.");
  app->add_option("--model", *path, "a .gguf file, a Hugging Face folder, or a tokenizer.json")->required();
  app->footer("\nExample:\n  echo \"53 + 13 is 66.\" | toolformer tokenize --model gemma.gguf");
  return {app, [path] { return RunTokenize(*path); }};
}

}  // namespace toolformer::cli
