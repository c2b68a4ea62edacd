#include "model_flags.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <map>

#include "terminal.h"

namespace toolformer::cli {
namespace {

constexpr uint64_t kShownBytes = 500'000'000;

const std::map<std::string, WeightType>& Types() {
  static const auto* const types = new std::map<std::string, WeightType>{
      {"float32", WeightType::kFloat32}, {"bfloat16", WeightType::kBFloat16}, {"int8", WeightType::kInt8}};
  return *types;
}

}  // namespace

std::string TypeName(WeightType type) {
  for (const auto& [name, value] : Types()) {
    if (value == type) return name;
  }
  return "?";
}

void AddModelFlags(CLI::App* app, ModelFlags* flags) {
  app->add_option("--model", flags->path, "a .gguf file, or a Hugging Face folder")->required()->type_name("PATH");
  const std::string group = "Running the model";
  app->add_option("--adapter", flags->adapter, "a folder of a low-rank adapter (PEFT), as 'tune --rank' makes them")
      ->type_name("FOLDER")
      ->group(group);
  app->add_option("--device", flags->device, "cpu or cuda:N")->capture_default_str()->group(group);
  app->add_option(
         "--dtype", flags->dtype,
         "type of weights and activations: float32 or bfloat16; int8 for drafts: complete only; auto is float32 on "
         "the CPU and bfloat16 on CUDA")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16", "int8"}))
      ->type_name("TYPE")
      ->capture_default_str()
      ->group(group);
  app->add_option("--threads", flags->threads, "threads of the CPU (default: OMP_NUM_THREADS, or the cores)")
      ->check(CLI::Range(1, 4096))
      ->type_name("N")
      ->group(group);
}

absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelFlags& flags) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  ModelOptions options;
  options.device = flags.device;
  options.adapter = flags.adapter;
  if (flags.dtype != "auto") options.type = Types().at(flags.dtype);
  ProgressLine progress({});
  options.progress = [&](uint64_t done, uint64_t total) {
    // Small files are there at once.
    if (total < kShownBytes) return;
    progress.Note(fmt::format("loading {}: {:.1f} of {:.1f} GB", flags.path, static_cast<double>(done) * 1e-9,
                              static_cast<double>(total) * 1e-9));
  };
  return Model::Load(flags.path, options);
}

}  // namespace toolformer::cli
