// Fine-tuning as a stage of other commands.
#ifndef TOOLFORMER_CLI_TUNE_H_
#define TOOLFORMER_CLI_TUNE_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "toolformer/dataset_merger.h"
#include "toolformer/fine_tuner.h"

namespace toolformer::cli {

struct TuneFlags {
  std::string model;
  std::vector<std::string> data;
  std::vector<std::string> texts;
  std::string out;
  std::vector<std::string> tau_f;  // "Tool=0.5"
  DatasetOptions dataset;
  FineTunerOptions tuner;
  std::string decay = "constant";
  std::string dtype = "float32";
  int64_t rank = 0;    // 0: all weights learn
  double alpha = 0.0;  // 0: twice the rank
  bool dry_run = false;
  bool quiet = false;
};

// What is learned.
void AddDatasetFlags(CLI::App* app, TuneFlags* flags);
// How, but for seed, device and type.
void AddRecipeFlags(CLI::App* app, TuneFlags* flags);

// Tunes, goes on where a run was interrupted, or finds that it has ended.
absl::Status RunTune(TuneFlags flags);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_TUNE_H_
