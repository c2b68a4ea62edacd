// --tools and the options that change a tool's parameters.
#ifndef TOOLFORMER_CLI_TOOL_FLAGS_H_
#define TOOLFORMER_CLI_TOOL_FLAGS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/clock.h"
#include "toolformer/model.h"
#include "toolformer/question_answering.h"
#include "toolformer/tool_registry.h"

namespace toolformer::cli {

struct ToolFlags {
  std::vector<std::string> names;
  std::string tools_file;                    // its tools come before those named
  const CLI::Option* named_tools = nullptr;  // --tools, where there is a tools file to go without it
  std::string date;                          // of the clock; empty: the system's
  std::string wiki_index;                    // folder of the index that WikiSearch searches and QA reads
  std::string qa_model;                      // what QA reads with; empty: the command's model
  int64_t qa_passages = 5;
  double qa_least = kLeastAnswerConfidence;  // of an answer of QA
  // For all tools; a tool's own where absent.
  std::optional<double> tau_s, tau_f;
  std::optional<int64_t> k, m;
  std::vector<std::string> set;  // "Tool.parameter=value", after the ones above
};

// "Calculator, Calendar, WikiSearch".
std::string KnownTools();

// Whether KnownTools holds the name.
bool IsBuiltIn(const std::string& name);

// A table of the tools' own parameters, for --help.
std::string DefaultParameters();

void AddParameterFlags(CLI::App* app, ToolFlags* flags);
// After --tools, which need not be given then.
void AddToolsFileFlag(CLI::App* app, ToolFlags* flags);
void AddDateFlag(CLI::App* app, ToolFlags* flags);
void AddWikiIndexFlag(CLI::App* app, ToolFlags* flags);
void AddQaFlags(CLI::App* app, ToolFlags* flags);

// The tools of the tools file and those named, with their parameters changed as said. Mistakes are usage errors that
// list what exists. QA is there to be checked, not yet to be called.
absl::StatusOr<std::unique_ptr<ToolRegistry>> MakeRegistry(const ToolFlags& flags);

// The registry with a QA that can be called, where it holds one that was named: it reads with `model` where the flags
// name no other.
absl::Status GiveModel(const ToolFlags& flags, const std::shared_ptr<const Model>& model,
                       std::unique_ptr<ToolRegistry>* registry);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_TOOL_FLAGS_H_
