// What a tool is: data that teaches a model to call it, and a function that answers.
#ifndef TOOLFORMER_TOOL_H_
#define TOOLFORMER_TOOL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/call_syntax.h"
#include "toolformer/clock.h"
#include "toolformer/document.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"

namespace toolformer {

// Parameters of annotation (paper section 4.1 and App. A; defaults of the tools in docs/tools.md).
struct TOOLFORMER_API AnnotationParameters {
  double tau_s = 0.05;  // least opening probability p_i of a position
  int64_t k = 5;        // most positions of a text
  int64_t m = 5;        // calls sampled at a position
  double tau_f = 1.0;   // least gain, in nats
};

// A demonstration: a text, and the same text with calls in place.
struct TOOLFORMER_API ToolExample {
  std::string input;
  // `input` with calls and their results: "... so it seats [Calculator(24 * 35) -> 840] 840 people."
  std::string output;
};

// What a call may know of where it was written.
struct TOOLFORMER_API ToolContext {
  std::optional<Date> document_date;  // while annotating a document that states one
  Interrupt interrupt;                // tools that wait should check it
};

// Answers a call. The input is whatever the model wrote: hostile by default. Returns the result, or an error whose
// message says what was wrong (a tool error: decoding and annotation go on without a result). Called from any thread,
// several at once. An exception that leaves it counts as a tool error.
using ToolFunction = std::function<absl::StatusOr<std::string>(std::string_view input, const ToolContext& context)>;

// Says whether a document is worth asking a tool about (paper App. A.1). `seed` decides random samples.
using DocumentHeuristic = std::function<bool(const Document& document, uint64_t seed)>;

// A call that was worked out for a place in a text, where the call's result may help with what follows.
struct TOOLFORMER_API WorkedOutCall {
  size_t byte_offset = 0;  // the call stands before it
  Call call;
  // How unlikely it is that chance alone makes the call fit here, in nats; at least 0. Texts are ranked by it.
  double evidence = 1.0;
};

// Works out calls for a document with a program, in place of sampling them from a model. Ascending offsets. What it
// proposes is judged by the loss filter like any other call, so it may propose much and be wrong.
using CallProposer = std::function<std::vector<WorkedOutCall>(const Document& document)>;

// Whether a call that was proposed before byte `byte_offset` of the document's text is worth running. What it drops is
// never run, counted, and no longer a candidate.
using CallCheck = std::function<bool(const Document& document, size_t byte_offset, const Call& call)>;

struct TOOLFORMER_API Tool {
  std::string name;  // [A-Za-z_][A-Za-z0-9_]*, at most kMaxToolNameBytes

  // Sentences of the prompt that say what the calls are for and how one is written, ending in a full stop.
  std::string instruction;
  std::vector<ToolExample> examples;

  AnnotationParameters parameters;

  // False: calls are always `Name()`.
  bool takes_input = true;
  // Bytes that an input may consist of; empty: any but control characters. Used while sampling, so that the model
  // cannot waste a sample; the function checks its input itself.
  std::string input_characters;

  // True where `call` is known to return within a millisecond: it then runs on the caller's thread, without a deadline.
  bool returns_at_once = false;

  // True where the same input on the same date always has the same answer: equal calls then run once.
  bool cacheable = true;
  // Part of the key under which answers are kept on disk: change it when answers change. At most 256 bytes.
  std::string version;

  // True where a call changes nothing that anyone could notice: no message is sent, nothing is written, bought or
  // counted. Annotation runs thousands of calls that a model has made up, and so takes only such tools (Annotator
  // refuses others); while decoding, any tool may be called.
  bool free_of_side_effects = false;

  // How many calls of this tool run at a time, 0 to 1,000; 0: no limit but the executor's. Of tools that may wait.
  int max_concurrent_calls = 8;
  // How often a call that failed with kUnavailable or kDeadlineExceeded is tried again, 0 to 100, within the caller's
  // deadline. For tools that may be asked twice.
  int max_retries = 0;
  // How long one attempt may take, 1 ms to a year; absent: the executor's deadline.
  std::optional<std::chrono::milliseconds> deadline;

  DocumentHeuristic accepts;  // null: every document
  CallProposer propose;       // null: calls are only sampled
  CallCheck keeps;            // null: all
  ToolFunction call;
};

// P(x) of the paper up to and including the text: instruction, examples (calls without results), "Input: x\nOutput:".
// What the model continues is " " + x with calls.
TOOLFORMER_API std::string SamplingPrompt(const Tool& tool, std::string_view text);

// The part of SamplingPrompt before `text`: the same for every document.
TOOLFORMER_API std::string SamplingPromptHead(const Tool& tool);

// The tool's examples as plain text with calls and results, one a line: shown before a prompt, they let a model that
// was not trained use the tool.
TOOLFORMER_API std::string InContextExamples(const Tool& tool);

// The four operations, parentheses and percent over decimals (design decision 8). Input, output, limits: docs/tools.md.
TOOLFORMER_API Tool MakeCalculator();

// "Today is Monday, January 30, 2023.": the document's date where there is one, else the clock's.
TOOLFORMER_API Tool MakeCalendar(std::shared_ptr<const Clock> clock);

// The calculator as a function: the value as text, or kInvalidArgument (not an expression), kOutOfRange (not finite),
// kResourceExhausted (too long or too deep). At most 1,024 bytes, 64 levels of parentheses; no recursion.
TOOLFORMER_API absl::StatusOr<std::string> Calculate(std::string_view expression);

}  // namespace toolformer

#endif  // TOOLFORMER_TOOL_H_
