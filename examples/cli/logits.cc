// toolformer logits: the model's logits at every position, for comparison with other implementations.
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "model_flags.h"
#include "output_file.h"
#include "toolformer/weight_file.h"

namespace toolformer::cli {
namespace {

struct LogitsFlags {
  ModelFlags model;
  std::vector<int32_t> ids;
  std::string out;
};

absl::Status RunLogits(const LogitsFlags& flags) {
  CLI_RETURN_IF_ERROR(CheckWritable(flags.out));
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(flags.model));
  std::vector<int64_t> wanted(flags.ids.size());
  std::iota(wanted.begin(), wanted.end(), 0);
  const ForwardRow row{.ids = flags.ids, .cache = nullptr, .wanted = wanted};
  CLI_ASSIGN_OR_RETURN(at::Tensor logits, model->Forward({&row, 1}));
  logits = logits.to(at::kCPU).to(at::kFloat).contiguous();
  const F32Tensor tensor{
      .name = "logits",
      .shape = {logits.size(0), logits.size(1)},
      .values = {logits.const_data_ptr<float>(), static_cast<size_t>(logits.numel())},
  };
  CLI_RETURN_IF_ERROR(WriteSafetensors(flags.out, {&tensor, 1}));
  fmt::print("logits [{}, {}] f32: {}\n", logits.size(0), logits.size(1), flags.out);
  return absl::OkStatus();
}

}  // namespace

Subcommand AddLogits(CLI::App* parent) {
  auto flags = std::make_shared<LogitsFlags>();
  CLI::App* app = parent->add_subcommand("logits", "Logits of a sequence of token ids, as safetensors");
  app->description(
      "Runs the model once over the ids given, as they are (no start token is added), and writes the logits of the\n"
      "next token at every position: tensor 'logits' [ids, vocabulary], float32.");
  AddModelFlags(app, &flags->model);
  app->add_option("--ids", flags->ids, "token ids, separated by commas")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("IDS");
  app->add_option("--out", flags->out, "the file to write (replaced if it exists)")
      ->required()
      ->type_name("FILE.safetensors");
  app->footer("\nExample:\n  toolformer logits --model gemma.gguf --ids 2,651,6037 --out logits.safetensors");
  return {app, [flags] { return RunLogits(*flags); }};
}

}  // namespace toolformer::cli
