// The subcommands, one source file each.
#ifndef TOOLFORMER_CLI_COMMANDS_H_
#define TOOLFORMER_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"
#include "toolformer/interrupt.h"

namespace toolformer::cli {

// Does what the parsed command line says.
using Command = std::function<absl::Status()>;

// Each adds its subcommand with its options to `app`.
struct Subcommand {
  CLI::App* app = nullptr;
  Command run;
};
Subcommand AddAnnotate(CLI::App* parent);
Subcommand AddScore(CLI::App* parent);
Subcommand AddComplete(CLI::App* parent);
Subcommand AddTokenize(CLI::App* parent);
Subcommand AddLogits(CLI::App* parent);
Subcommand AddInspect(CLI::App* parent);
Subcommand AddPerplexity(CLI::App* parent);
Subcommand AddSave(CLI::App* parent);
Subcommand AddTune(CLI::App* parent);
Subcommand AddEval(CLI::App* parent);
Subcommand AddMine(CLI::App* parent);
Subcommand AddRounds(CLI::App* parent);
Subcommand AddTranslate(CLI::App* parent);
Subcommand AddIndex(CLI::App* parent);

// From now on Ctrl-C and SIGTERM cancel the token returned; a second one ends the process at once.
const CancelToken& CatchSignals();

// Fails where what was printed did not arrive, as on a full disk.
absl::Status FlushOutput();

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_COMMANDS_H_
