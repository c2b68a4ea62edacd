#include "toolformer/program_tool.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "src/host/child_process.h"
#include "tests/paths.h"

namespace toolformer::program_tool_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

ProgramToolOptions Shell(const std::string& script, ProgramInput input = ProgramInput::kStandardInput) {
  ProgramToolOptions options;
  options.command = {"/bin/sh", "-c", script};
  options.input = input;
  return options;
}

absl::StatusOr<std::string> Call(const ProgramToolOptions& options, std::string_view input,
                                 const ToolContext& context = {}) {
  return MakeProgramFunction(options).value()(input, context);
}

absl::StatusCode Code(const absl::StatusOr<std::string>& result) { return result.status().code(); }

bool IsRunning(pid_t pid) { return kill(pid, 0) == 0; }

// A process that was killed is gone soon, but not at once: its parent, the system's first process, has to notice.
bool EndsSoon(pid_t pid) {
  for (int i = 0; i < 400 && IsRunning(pid); ++i) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string words;
    std::getline(status, words);
    if (words.find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return !IsRunning(pid);
}

pid_t ReadPid(const std::string& path) {
  pid_t pid = 0;
  for (int i = 0; i < 400 && pid == 0; ++i) {
    std::ifstream(path) >> pid;
    if (pid == 0) std::this_thread::sleep_for(milliseconds(5));
  }
  return pid;
}

TEST_CASE("a process for each call: input, output, status") {
  CHECK(Call(Shell("read line; echo \"got $line\""), "a 'b' $(id) ; c").value() == "got a 'b' $(id) ; c\n");
  CHECK(Call(Shell("cat"), "").value() == "\n");
  CHECK(Call(Shell("true"), "never read").value().empty());
  ProgramToolOptions large = Shell("cat");  // more than a pipe holds, both ways
  CHECK(Call(large, std::string(300000, 'x')).value().size() == 300001);

  const auto failed = Call(Shell("echo out; echo \"bad\ninput\" >&2; exit 3"), "");
  CHECK(Code(failed) == absl::StatusCode::kInvalidArgument);
  CHECK(failed.status().message() == "the program ended with status 3: bad input");
  const auto killed = Call(Shell("kill -9 $$"), "");
  CHECK(Code(killed) == absl::StatusCode::kUnavailable);
  CHECK(killed.status().message() == "the program ended by signal 9");
  const auto noisy = Call(Shell("head -c 100000 /dev/zero | tr '\\0' e >&2; echo \"[the end]\" >&2; exit 1"), "");
  CHECK(noisy.status().message().size() < 700);
  CHECK(noisy.status().message().find("(the end)") != std::string::npos);
}

TEST_CASE("the input as an argument") {
  ProgramToolOptions options;
  options.input = ProgramInput::kArgument;
  options.command = {"printf", "%s|%s", "{input}", "<{input}{input}>"};
  CHECK(Call(options, "a b\"'$(id)*").value() == "a b\"'$(id)*|<a b\"'$(id)*a b\"'$(id)*>");
  // It could be an option of the program otherwise.
  CHECK(Code(Call(options, "-n")) == absl::StatusCode::kInvalidArgument);
  CHECK(Code(Call(options, "--output=/etc/passwd")) == absl::StatusCode::kInvalidArgument);
  options.command = {"printf", "--", "%s", "{input}"};
  CHECK(Call(options, "-n").value() == "-n");
  CHECK(Code(Call(options, std::string("a\0b", 3))) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("nothing of the host is passed on") {
  setenv("TOOLFORMER_SECRET", "secret", 1);
  const int leaked = open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a careless host has them
  REQUIRE(leaked > 2);
  ProgramToolOptions options = Shell("env; ls /proc/self/fd | tr '\\n' ' '");
  options.environment = {{"PATH", "/usr/bin:/bin"}, {"OWN", "x=y"}};
  const std::string seen = Call(options, "").value();
  CHECK(seen.find("secret") == std::string::npos);
  CHECK(seen.find("OWN=x=y\n") != std::string::npos);
  CHECK((seen.size() >= 8 && seen.substr(seen.size() - 8) == "0 1 2 3 "));  // 3 is the folder that ls reads
  close(leaked);
  unsetenv("TOOLFORMER_SECRET");

  testing::TemporaryFolder folder;
  options = Shell("pwd");
  options.working_folder = folder.path();
  CHECK(Call(options, "").value() == folder.path() + "\n");

  // A host that ignores SIGPIPE has programs that do not.
  const auto before = signal(SIGPIPE, SIG_IGN);
  CHECK(Call(Shell("trap - PIPE; kill -PIPE $$; echo survived"), "").status().message() ==
        "the program ended by signal 13");
  signal(SIGPIPE, before);
}

TEST_CASE("programs that cannot be run") {
  ProgramToolOptions options;
  options.command = {"/no/such/program"};
  CHECK(Code(Call(options, "")) == absl::StatusCode::kNotFound);
  options.command = {"no-such-program-in-path"};
  CHECK(Code(Call(options, "")) == absl::StatusCode::kNotFound);
  options.command = {"/etc/passwd"};
  CHECK(Code(Call(options, "")) == absl::StatusCode::kPermissionDenied);
  options.command = {"true"};
  options.working_folder = "/no/such/folder";
  CHECK(Code(Call(options, "")) == absl::StatusCode::kNotFound);
  options.working_folder = "";
  options.environment = {{"A=B", "x"}};
  CHECK(Code(Call(options, "")) == absl::StatusCode::kInvalidArgument);
  options.environment = {{"A", std::string("x\0y", 3)}};
  CHECK(Code(Call(options, "")) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("options that are not as they should be") {
  const auto refuses = [](const ProgramToolOptions& options) {
    return MakeProgramFunction(options).status().code() == absl::StatusCode::kInvalidArgument;
  };
  ProgramToolOptions options;
  CHECK(refuses(options));
  options.command = {"{input}"};
  CHECK(refuses(options));
  options.command = {"echo", "{input}"};
  CHECK(refuses(options));
  options.input = ProgramInput::kArgument;
  CHECK_FALSE(refuses(options));
  options.command = {"echo"};
  CHECK(refuses(options));
  options = Shell("cat");
  options.deadline = milliseconds(0);
  CHECK(refuses(options));
  options = Shell("cat");
  options.max_processes = 0;
  CHECK(refuses(options));
}

TEST_CASE("a program that runs too long ends with its children") {
  testing::TemporaryFolder folder;
  ProgramToolOptions options = Shell("sleep 1000 & echo $! > '" + folder.file("child") + "'; echo $$ > '" +
                                     folder.file("parent") + "'; echo working >&2; wait");
  options.deadline = milliseconds(300);
  const auto start = steady_clock::now();
  const auto result = Call(options, "");
  CHECK(Code(result) == absl::StatusCode::kDeadlineExceeded);
  CHECK(result.status().message() == "the program did not end in time and was killed: working");
  CHECK(steady_clock::now() - start < milliseconds(3000));
  CHECK_FALSE(IsRunning(ReadPid(folder.file("parent"))));  // not even as a zombie
  CHECK(EndsSoon(ReadPid(folder.file("child"))));
}

TEST_CASE("cancelling ends a program; a deadline of the caller's counts") {
  CancelToken token;
  std::thread canceller([&] {
    std::this_thread::sleep_for(milliseconds(50));
    token.Cancel();
  });
  ToolContext context;
  context.interrupt.cancel = &token;
  const auto start = steady_clock::now();
  CHECK(Code(Call(Shell("sleep 1000"), "", context)) == absl::StatusCode::kCancelled);
  canceller.join();
  context.interrupt = {nullptr, steady_clock::now() + milliseconds(50)};
  CHECK(Code(Call(Shell("sleep 1000"), "", context)) == absl::StatusCode::kDeadlineExceeded);
  CHECK(steady_clock::now() - start < milliseconds(3000));
}

TEST_CASE("children that outlive the program end with the call") {
  testing::TemporaryFolder folder;
  // It holds the output open for longer than the program lives.
  const auto start = steady_clock::now();
  CHECK(Call(Shell("sleep 1000 & echo $! > '" + folder.file("child") + "'; echo done"), "").value() == "done\n");
  CHECK(steady_clock::now() - start < milliseconds(3000));
  CHECK(EndsSoon(ReadPid(folder.file("child"))));
}

TEST_CASE("output without end") {
  ProgramToolOptions options = Shell("yes");
  options.max_output_bytes = 100000;
  CHECK(Code(Call(options, "")) == absl::StatusCode::kResourceExhausted);
  options = Shell("yes >&2");
  options.deadline = milliseconds(200);
  CHECK(Code(Call(options, "")) == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("no file descriptor and no process is left behind") {
  const auto count = [] {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
  };
  const auto before = count();
  for (int i = 0; i < 20; ++i) {
    CHECK(Call(Shell("cat"), "x").ok());
    CHECK_FALSE(Call(Shell("exit 1"), "x").ok());
    ProgramToolOptions missing;
    missing.command = {"/no/such/program"};
    CHECK_FALSE(Call(missing, "x").ok());
    CHECK(Call(Shell("while read l; do echo '{\"result\": 1}'; done", ProgramInput::kJsonLines), "x").ok());
  }
  CHECK(count() == before);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("a host that ignores its children's end") {
  const auto before = signal(SIGCHLD, SIG_IGN);
  const auto result = Call(Shell("cat"), "x");
  signal(SIGCHLD, before);
  CHECK((result.ok() || absl::IsUnavailable(result.status())));  // how it ended cannot be known there
}

constexpr const char* kEcho =
    "n=0; while read line; do n=$((n+1)); printf '{\"result\": {\"n\": %d, \"seen\": %s}}\\n' $n \"$line\"; done";

TEST_CASE("a program that is kept") {
  const ToolFunction call = MakeProgramFunction(Shell(kEcho, ProgramInput::kJsonLines)).value();
  CHECK(call("a", {}).value() == R"({"n":1,"seen":{"input":"a"}})");
  CHECK(call("b", {}).value() == R"({"n":2,"seen":{"input":"b"}})");
  ToolContext dated;
  dated.document_date = Date{2023, 1, 30};
  CHECK(call("c", dated).value() == R"({"n":3,"seen":{"date":"2023-01-30","input":"c"}})");

  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string input = std::to_string(t) + "-" + std::to_string(i);
        const auto result = call(input, {});
        if (result.ok() && result->find("\"" + input + "\"") != std::string::npos) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 80);
}

TEST_CASE("a kept program that fails is started anew") {
  // Answers the first line of its life by $1, the others as it should.
  const auto after = [](const std::string& first) {
    ProgramToolOptions options = Shell(
        "read line; " + first + "; while read line; do echo '{\"result\": \"well\"}'; done", ProgramInput::kJsonLines);
    options.deadline = milliseconds(1000);
    options.max_output_bytes = 10000;
    return MakeProgramFunction(options).value();
  };
  const ToolFunction dies = after("echo why >&2; exit 7");
  for (int i = 0; i < 2; ++i) {
    const auto result = dies("x", {});
    CHECK(Code(result) == absl::StatusCode::kUnavailable);
    CHECK(result.status().message() == "the process ended with status 7: why");
  }
  const ToolFunction garbage = after("echo 'no json'");
  for (int i = 0; i < 2; ++i) CHECK(Code(garbage("x", {})) == absl::StatusCode::kInternal);
  const ToolFunction deep = after("printf '%09999d\\n' 0 | tr 0 '['");
  CHECK(Code(deep("x", {})) == absl::StatusCode::kInternal);
  const ToolFunction huge = after("yes | tr -d '\\n'");
  CHECK(Code(huge("x", {})) == absl::StatusCode::kResourceExhausted);
  const ToolFunction says_no = after("echo '{\"error\": \"not today\"}'");
  CHECK(says_no("x", {}).status().message() == "not today");
  CHECK(says_no("x", {}).value() == "well");  // the same process: that was an answer
  // Two answers to one question: the second must not be taken for the next one's.
  const ToolFunction twice = after("echo '{\"result\": 1}'; echo '{\"result\": 2}'");
  CHECK(twice("x", {}).value() == "1");
  std::this_thread::sleep_for(milliseconds(50));
  CHECK(twice("x", {}).value() == "1");
  // Ends while nobody asks.
  const ToolFunction leaves = after("echo '{\"result\": 1}'; exit 0");
  CHECK(leaves("x", {}).value() == "1");
  std::this_thread::sleep_for(milliseconds(50));
  CHECK(leaves("x", {}).value() == "1");
}

TEST_CASE("a kept program that hangs is killed; too many at a time are refused") {
  ProgramToolOptions options = Shell("read line; sleep 1000", ProgramInput::kJsonLines);
  options.deadline = milliseconds(300);
  options.max_processes = 1;
  const ToolFunction call = MakeProgramFunction(options).value();
  const auto start = steady_clock::now();
  std::thread first([&] { CHECK(Code(call("x", {})) == absl::StatusCode::kDeadlineExceeded); });
  std::this_thread::sleep_for(milliseconds(100));
  CHECK(Code(call("y", {})) == absl::StatusCode::kResourceExhausted);
  first.join();
  CHECK(Code(call("z", {})) == absl::StatusCode::kDeadlineExceeded);
  CHECK(steady_clock::now() - start < milliseconds(5000));
}

TEST_CASE("writing to a program that has gone raises no signal") {
  absl::StatusOr<Pipe> pipe = Pipe::Make();
  REQUIRE(pipe.ok());
  pipe->read.Close();
  CHECK(WriteQuietly(pipe->write.get(), "x") == -1);
  CHECK(errno == EPIPE);
  sigset_t pending;
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
}

}  // namespace
}  // namespace toolformer::program_tool_test
