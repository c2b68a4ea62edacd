#include "toolformer/program_tool.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "src/base/status.h"
#include "src/host/call_limits.h"
#include "src/host/child_process.h"
#include "src/host/kept_program.h"

namespace toolformer {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kPlace = "{input}";

// A process that is asked one thing.
class OneCall {
 public:
  OneCall(std::unique_ptr<ChildProcess> child, std::string_view input, size_t max_bytes)
      : child_(std::move(child)), input_(input), max_bytes_(max_bytes) {}

  absl::StatusOr<std::string> Run(const Interrupt& interrupt) {
    std::optional<absl::Status> ended;
    // Whoever the process started may hold its output open for longer than it lives.
    while (!(ended = child_->TryWait())) {
      TF_RETURN_IF_ERROR(Check(interrupt));
      if (!child_->output.is_open() && !child_->errors.is_open()) {
        std::this_thread::sleep_for(milliseconds(1));
        continue;
      }
      std::array<pollfd, 3> wanted = {
          {{child_->output.get(), POLLIN, 0}, {child_->errors.get(), POLLIN, 0}, {child_->input.get(), POLLOUT, 0}}};
      poll(wanted.data(), wanted.size(), static_cast<int>(kInterruptPoll.count()));
      if (wanted[2].revents != 0) Write();
      TF_RETURN_IF_ERROR(Read());
    }
    TF_RETURN_IF_ERROR(Read());
    if (!ended->ok()) {
      return absl::Status(ended->code(),
                          fmt::format("the program {}{}", std::string(ended->message()), said_.Message()));
    }
    return std::move(result_);
  }

 private:
  absl::Status Check(const Interrupt& interrupt) const {
    absl::Status status = interrupt.Check();
    if (!absl::IsDeadlineExceeded(status)) return status;
    return DeadlineExceeded("the program did not end in time and was killed{}", said_.Message());
  }

  void Write() {
    const ssize_t count = WriteQuietly(child_->input.get(), input_);
    if (count > 0) input_.remove_prefix(static_cast<size_t>(count));
    const bool failed = count < 0 && errno != EAGAIN && errno != EINTR;
    if (input_.empty() || failed) child_->input.Close();  // a program need not read its input
  }

  absl::Status Read() {
    TF_RETURN_IF_ERROR(ReadFrom(&child_->output, [this](std::string_view bytes) { result_.append(bytes); }));
    return ReadFrom(&child_->errors, [this](std::string_view bytes) { said_.Append(bytes); });
  }

  template <typename Keep>
  absl::Status ReadFrom(Descriptor* from, const Keep& keep) {
    std::array<char, 65536> buffer;
    // A bound on the turns: a program that writes for ever must not keep anyone from looking at the clock.
    for (int turn = 0; turn < 16 && from->is_open(); ++turn) {
      const ssize_t count = read(from->get(), buffer.data(), buffer.size());
      if (count < 0) return absl::OkStatus();
      if (count == 0) from->Close();
      keep(std::string_view(buffer.data(), static_cast<size_t>(count)));
      if (result_.size() > max_bytes_) return ResourceExhausted("the program printed more than {} bytes", max_bytes_);
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<ChildProcess> child_;
  std::string_view input_;
  const size_t max_bytes_;
  std::string result_;
  Tail said_;
};

bool HoldsPlace(const std::string& argument) { return argument.find(kPlace) != std::string::npos; }

// The command with the input in its place.
absl::StatusOr<std::vector<std::string>> FillCommand(const std::vector<std::string>& command, std::string_view input) {
  std::vector<std::string> filled;
  bool options_are_over = false;
  for (const std::string& argument : command) {
    // A model could otherwise write "--output=/etc/passwd".
    if (!options_are_over && argument.substr(0, kPlace.size()) == kPlace && input.substr(0, 1) == "-") {
      return InvalidArgument(
          "an input that starts with '-' would be read as an option; a command with \"--\" before {} takes it", kPlace);
    }
    options_are_over |= argument == "--";
    std::string text;
    size_t at = 0;
    for (size_t place = argument.find(kPlace); place != std::string::npos; place = argument.find(kPlace, at)) {
      text.append(argument, at, place - at).append(input);
      at = place + kPlace.size();
    }
    filled.push_back(text.append(argument, at));
  }
  return filled;
}

absl::StatusOr<std::string> CallOnce(const ProgramToolOptions& options, std::string_view input,
                                     const ToolContext& context) {
  const Interrupt interrupt = Within(context.interrupt, options.deadline);
  TF_RETURN_IF_ERROR(interrupt.Check());
  ProcessSpec spec{options.command, options.environment, options.working_folder};
  std::string line;
  if (options.input == ProgramInput::kArgument) {
    TF_ASSIGN_OR_RETURN(spec.command, FillCommand(options.command, input));
  } else {
    line = std::string(input) + "\n";
  }
  TF_ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> child, ChildProcess::Start(spec));
  if (line.empty()) child->input.Close();
  return OneCall(std::move(child), line, options.max_output_bytes).Run(interrupt);
}

}  // namespace

absl::StatusOr<ToolFunction> MakeProgramFunction(ProgramToolOptions options) {
  if (options.command.empty() || options.command[0].empty()) return InvalidArgument("command is empty");
  if (options.deadline < milliseconds(1)) return InvalidArgument("deadline is not at least 1 ms");
  if (options.max_processes < 1) return InvalidArgument("max_processes is {}, not at least 1", options.max_processes);
  if (HoldsPlace(options.command[0])) return InvalidArgument("command: the program itself cannot be {}", kPlace);
  bool holds_place = false;
  for (const std::string& argument : options.command) holds_place |= HoldsPlace(argument);
  if (holds_place != (options.input == ProgramInput::kArgument)) {
    return holds_place ? InvalidArgument("command: {} is filled in only where the input is an argument", kPlace)
                       : InvalidArgument("command: no argument holds {}, where the input is to stand", kPlace);
  }
  if (options.input == ProgramInput::kJsonLines) {
    return [kept = std::make_shared<KeptProgram>(std::move(options))](
               std::string_view input, const ToolContext& context) { return kept->Call(input, context); };
  }
  return [options = std::move(options)](std::string_view input, const ToolContext& context) {
    return CallOnce(options, input, context);
  };
}

}  // namespace toolformer
