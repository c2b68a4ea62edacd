// --model and how it is loaded.
#ifndef TOOLFORMER_CLI_MODEL_FLAGS_H_
#define TOOLFORMER_CLI_MODEL_FLAGS_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "toolformer/model.h"

namespace toolformer::cli {

struct ModelFlags {
  std::string path;
  std::string device = "cpu";
  std::string dtype = "auto";
  std::string adapter;
  int threads = 0;  // 0: as many as libtorch takes by itself
};

// What --dtype calls a type.
std::string TypeName(WeightType type);

void AddModelFlags(CLI::App* app, ModelFlags* flags);

absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelFlags& flags);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_MODEL_FLAGS_H_
