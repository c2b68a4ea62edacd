// Annotation as a stage of other commands.
#ifndef TOOLFORMER_CLI_ANNOTATE_H_
#define TOOLFORMER_CLI_ANNOTATE_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "model_flags.h"
#include "tool_flags.h"

namespace toolformer::cli {

struct AnnotateFlags {
  ModelFlags model;
  ToolFlags tools;
  std::string texts, out, report, candidates, summary;
  std::string tool_cache;  // empty: none
  uint64_t seed = 0;
  double temperature = 1.0;
  bool free_sampling = false;
  bool propose_int8 = false;
  std::string propose_model, propose_adapter;  // of a model of its own that proposes the calls; empty: the model's
  std::string calls = "sampled";
  int64_t max_call_tokens = 64;
  int64_t limit = 0;  // 0: all
  int64_t batch_texts = 8;
  bool overwrite = false;
  bool quiet = false;
  std::optional<bool> verbose;
};

void AddToolCacheFlag(CLI::App* app, AnnotateFlags* flags);

// Where calls come from.
void AddSamplingFlags(CLI::App* app, AnnotateFlags* flags);

// Annotates, or goes on where a run was interrupted; `out` is the last of its files that appears.
absl::Status RunAnnotate(const AnnotateFlags& flags);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_ANNOTATE_H_
