// toolformer: annotates texts with tool calls, completes prompts with tools, and shows what is underneath.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

CancelToken cancelled;

void OnSignal(int) { cancelled.Cancel(); }

std::string Programs(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  return chosen.empty() ? "toolformer" : "toolformer " + chosen.front()->get_name();
}

int Main(int argc, char** argv) {
  // A file size limit is then an error of write() that can be told.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app{"Language models that teach themselves to use tools (Toolformer, arXiv 2302.04761)."};
  app.name("toolformer");
  app.get_formatter()->column_width(30);
  app.set_version_flag("--version", "toolformer " TOOLFORMER_VERSION);
  app.require_subcommand(1);
  app.footer("\n'toolformer COMMAND --help' tells more of each.");
  const std::vector<Subcommand> subcommands = {
      AddAnnotate(&app), AddScore(&app),      AddComplete(&app), AddTokenize(&app), AddLogits(&app),
      AddInspect(&app),  AddPerplexity(&app), AddSave(&app),     AddTune(&app),     AddEval(&app),
      AddMine(&app),     AddRounds(&app),     AddIndex(&app),    AddTranslate(&app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    fmt::print(stderr, "toolformer: {}\nSee '{} --help'.\n", PrintableLine(error.what()), Programs(app));
    return kExitUsage;
  }
  for (const Subcommand& subcommand : subcommands) {
    if (!subcommand.app->parsed()) continue;
    absl::Status status = subcommand.run();
    if (status.ok()) status = FlushOutput();
    return ReportStatus(status);
  }
  return kExitUsage;
}

}  // namespace

const CancelToken& CatchSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return cancelled;
}

absl::Status FlushOutput() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  return Failure("standard output: cannot be written: {}", SystemReason(errno));
}

}  // namespace toolformer::cli

int main(int argc, char** argv) {
  try {
    return toolformer::cli::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("toolformer: out of memory\n", stderr);
  } catch (const std::exception& error) {
    fmt::print(stderr, "toolformer: {}\n", toolformer::cli::PrintableLine(error.what()));
  }
  return toolformer::cli::kExitFailure;
}
