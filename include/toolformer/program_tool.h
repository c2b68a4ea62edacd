// Programs as tools: a child process for every call, or one that is kept.
#ifndef TOOLFORMER_PROGRAM_TOOL_H_
#define TOOLFORMER_PROGRAM_TOOL_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/tool.h"

namespace toolformer {

enum class ProgramInput {
  // A process for every call: the input is the line on its standard input, what it prints is the result.
  kStandardInput,
  // The same, but the input stands in place of "{input}" in the arguments of the command.
  kArgument,
  // Processes that are kept: for every call one line of JSON in, {"input": "...", "date": "2023-01-30"} (the date of
  // the
  // document, where it has one), and one out, {"result": "..."} or {"error": "..."}.
  kJsonLines,
};

struct TOOLFORMER_API ProgramToolOptions {
  // The program and its arguments; there is no shell. A name without a slash is looked for in the host's PATH.
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  // all that the program sees
  std::string working_folder;                      // empty: the host's
  ProgramInput input = ProgramInput::kStandardInput;
  std::chrono::milliseconds deadline{30000};  // of a call; the executor's own comes first where it is shorter
  size_t max_output_bytes = 1 << 20;          // a program that prints more is ended
  int max_processes = 8;                      // that are kept (kJsonLines); further calls at the same time fail
};

// A function for Tool::call. The process leads a session of its own and is killed with all that it started when the
// call ends, is cancelled, or runs out of time. It inherits no open file, signal mask or environment. The result is
// what it printed; a status other than 0 is a tool error with the end of what it wrote to standard error. Errors:
// kInvalidArgument (status other than 0; an input that would read as an option, see docs/tools.md; what an answer in
// JSON calls an error), kUnavailable (ended by a signal or without an answer), kDeadlineExceeded, kCancelled,
// kResourceExhausted (too much output), kNotFound and kPermissionDenied (no such program), kInternal (an answer that is
// none). Of MakeProgramFunction itself: kInvalidArgument.
TOOLFORMER_API absl::StatusOr<ToolFunction> MakeProgramFunction(ProgramToolOptions options);

}  // namespace toolformer

#endif  // TOOLFORMER_PROGRAM_TOOL_H_
