// toolformer save: a model as a Hugging Face folder.
#include <memory>
#include <string>

#include "commands.h"
#include "failure.h"
#include "model_flags.h"

namespace toolformer::cli {
namespace {

struct SaveFlags {
  ModelFlags model;
  std::string out;
};

absl::Status RunSave(const SaveFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(flags.model));
  CLI_RETURN_IF_ERROR(model->Save(flags.out));
  fmt::print("{}: {} layers of {}, {} numbers, {}\n", flags.out, model->info().layers, model->info().family,
             model->info().parameters, TypeName(model->info().type));
  return absl::OkStatus();
}

}  // namespace

Subcommand AddSave(CLI::App* parent) {
  auto flags = std::make_shared<SaveFlags>();
  CLI::App* app = parent->add_subcommand("save", "Writes a model as a Hugging Face folder");
  app->description(
      "Loads a model, from GGUF or from a Hugging Face folder with safetensors or pytorch_model.bin, and writes "
      "config.json,\n"
      "model*.safetensors and the tokenizer's files, which this program and transformers load. Quantised weights are\n"
      "stored as the numbers they stand for, in the type that --dtype says.");
  AddModelFlags(app, &flags->model);
  app->add_option("--out", flags->out, "the folder to write (made if it is not there)")
      ->required()
      ->type_name("FOLDER");
  app->footer("\nExample:\n  toolformer save --model SmolLM2.Q4_1.gguf --out smollm2 --dtype bfloat16");
  return {app, [flags] { return RunSave(*flags); }};
}

}  // namespace toolformer::cli
