// Tools, the registry that holds them, and running calls. Part of toolformer_c.h, whose conventions hold here; see
// toolformer/tool.h and docs/tools.md.
#ifndef TOOLFORMER_C_TOOL_H_
#define TOOLFORMER_C_TOOL_H_

#include "toolformer_c/reply.h"

TOOLFORMER_C_BEGIN

// ---- What a tool's callbacks are given ----

// A text with what is known about it. NULL texts and a zero date: not known.
typedef struct toolformer_document {
  size_t struct_size;
  toolformer_string text;  // UTF-8; bytes that are not are kept as they are
  toolformer_string id;    // the host's name for it; handed through
  toolformer_string url;
  toolformer_date date;  // all zero: the date in the URL, if it has one
  int32_t reserved;      // 0
} toolformer_document;

// All empty but for struct_size.
TOOLFORMER_C_API void toolformer_document_init(toolformer_document *document, size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// A call that a tool is to answer. Of the callback's own call and thread only.
typedef struct toolformer_invocation toolformer_invocation;

// What the model wrote between the parentheses: hostile by default. At most 4,096 bytes.
TOOLFORMER_C_API toolformer_string toolformer_invocation_input(const toolformer_invocation *call) TOOLFORMER_C_NOEXCEPT;

// The date of the document that is being annotated; all zero where it has none, and while decoding.
TOOLFORMER_C_API toolformer_date toolformer_invocation_date(const toolformer_invocation *call) TOOLFORMER_C_NOEXCEPT;

// TOOLFORMER_ERROR_CANCELLED or _TIMEOUT where nobody waits for the answer any more; tools that take long should look.
TOOLFORMER_C_API toolformer_status toolformer_invocation_interrupted(const toolformer_invocation *call)
    TOOLFORMER_C_NOEXCEPT;

// Answers a call: the result by toolformer_reply_write, or any status but TOOLFORMER_OK and, by toolformer_reply_fail,
// what was wrong. That is the tool's error: decoding and annotation go on without a result. TOOLFORMER_ERROR_IO (what
// the tool asks cannot be reached) and _TIMEOUT are of the moment: such a call is tried again where the tool allows,
// and its error is not kept; others are the answer to that input. On any thread, several at once. A result is data:
// brackets, arrows and control characters in it are replaced before a model sees it.
typedef toolformer_status (*toolformer_tool_fn)(void *user_data, const toolformer_invocation *call,
                                                toolformer_reply *reply);

// 1 where the document is worth asking the tool about, else 0. `seed` is to decide random samples.
typedef int32_t (*toolformer_accepts_fn)(void *user_data, const toolformer_document *document, uint64_t seed);

// Works out calls for a document with a program: toolformer_reply_call for each, in ascending order.
typedef toolformer_status (*toolformer_propose_fn)(void *user_data, const toolformer_document *document,
                                                   toolformer_reply *reply);

// A call of the tool whose callback replies, to stand before byte `byte_offset` of the text. Copies `input`.
TOOLFORMER_C_CHECKED toolformer_status toolformer_reply_call(toolformer_reply *reply, size_t byte_offset,
                                                             toolformer_string input) TOOLFORMER_C_NOEXCEPT;

// ---- Tools ----

// Parameters of annotation (section 4.1 and appendix A of the paper).
typedef struct toolformer_parameters {
  size_t struct_size;
  double tau_s;  // least opening probability of a position, 0 to 1; 0.05
  double tau_f;  // least gain of a call, in nats; 1.0
  int64_t k;     // most positions of a text; 5
  int64_t m;     // calls sampled at a position; 5
} toolformer_parameters;

TOOLFORMER_C_API void toolformer_parameters_init(toolformer_parameters *parameters,
                                                 size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// A demonstration: a text, and the same text with calls and their results in place.
typedef struct toolformer_example {
  toolformer_string input;
  toolformer_string output;  // "... so it seats [Calculator(24 * 35) -> 840] 840 people."
} toolformer_example;

#define TOOLFORMER_TOOL_NO_INPUT 1u         // calls are always Name()
#define TOOLFORMER_TOOL_RETURNS_AT_ONCE 2u  // within a millisecond: runs on the caller's thread, without a deadline
#define TOOLFORMER_TOOL_NOT_CACHEABLE 4u    // the same input on the same date may be answered otherwise
// A call changes nothing that anyone could notice. Annotation, which runs thousands of calls that a model has made up,
// takes only such tools. Built-in tools have it, but not with a `call` of the host's in place of theirs.
#define TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS 8u

typedef struct toolformer_tool {
  size_t struct_size;
  toolformer_string name;              // [A-Za-z_][A-Za-z0-9_]*, at most 64 bytes
  toolformer_string instruction;       // sentences of the prompt: what the calls are for and how one is written
  const toolformer_example *examples;  // [example_count] of the prompt
  size_t example_count;
  toolformer_string input_characters;       // bytes that an input may consist of; empty: any but control characters
  const toolformer_parameters *parameters;  // NULL: the defaults
  toolformer_tool_fn call;
  toolformer_accepts_fn accepts;  // NULL: every document
  toolformer_propose_fn propose;  // NULL: calls are only sampled
  void *user_data;                // of the three
  toolformer_destroy_fn destroy;  // may be NULL
  uint32_t flags;                 // TOOLFORMER_TOOL_...
  toolformer_date today;          // of built-in tools that tell the date; all zero: the system's, in UTC
  toolformer_string version;     // at most 256 bytes; change it when answers change: it is part of the key of kept ones
  uint64_t deadline_ms;          // of one attempt, at most a year; 0: the executor's
  int32_t max_concurrent_calls;  // of this tool at a time, at most 1,000; 0: 8; -1: no limit but the executor's
  int32_t max_retries;           // of a call that fails with _IO or _TIMEOUT, at most 100; 0 and -1: none
} toolformer_tool;

// All empty but for struct_size.
TOOLFORMER_C_API void toolformer_tool_init(toolformer_tool *tool, size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// ---- The registry ----

// The tools that a model may call. Safe to add to from several threads; what was made from a registry has the tools
// that were in it then.
typedef struct toolformer_registry toolformer_registry;

// One without tools.
TOOLFORMER_C_CHECKED toolformer_status toolformer_registry_new(toolformer_registry **out,
                                                               toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_registry_free(toolformer_registry *registry) TOOLFORMER_C_NOEXCEPT;

// Adds a tool of the host's. TOOLFORMER_ERROR_INVALID: a name that is not one or is taken, no `call`, a parameter out
// of range, an example whose output is not its input with calls of this tool. `destroy` runs when no handle that knows
// the tool is left and no call of it runs.
TOOLFORMER_C_CHECKED toolformer_status toolformer_registry_add(toolformer_registry *registry,
                                                               const toolformer_tool *tool,
                                                               toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Adds a tool that ships with the library: "Calculator" or "Calendar". `changes` (may be NULL) replaces what it gives:
// fields that are empty, NULL or 0 are the built-in tool's own. TOOLFORMER_ERROR_NOT_FOUND lists the names.
TOOLFORMER_C_CHECKED toolformer_status toolformer_registry_add_builtin(toolformer_registry *registry,
                                                                       toolformer_string name,
                                                                       const toolformer_tool *changes,
                                                                       toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Adds the tools that a JSON file declares, all or none: built-in ones, programs, HTTP services, servers of the Model
// Context Protocol (docs/tools.md). The file says which programs are run and which servers are connected to, so it is
// to be trusted like a program; servers are started and asked for their tools before this returns. Errors name the
// file, the tool and the field: TOOLFORMER_ERROR_CORRUPT (not as it should be), _INVALID (a name that is taken),
// _NOT_FOUND, _IO, and whatever keeps a server from being used.
TOOLFORMER_C_CHECKED toolformer_status toolformer_registry_add_file(toolformer_registry *registry,
                                                                    toolformer_string path,
                                                                    toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Number of tools.
TOOLFORMER_C_API size_t toolformer_registry_count(const toolformer_registry *registry) TOOLFORMER_C_NOEXCEPT;

// The name of tool `index`, in the order in which they were added; empty where there is none. Lives as long as the
// registry.
TOOLFORMER_C_API toolformer_string toolformer_registry_name(const toolformer_registry *registry,
                                                            size_t index) TOOLFORMER_C_NOEXCEPT;

// The prompt P(x) that makes a model write calls of a tool into `text` (appendix A.2 of the paper).
TOOLFORMER_C_CHECKED toolformer_status toolformer_registry_prompt(const toolformer_registry *registry,
                                                                  toolformer_string tool, toolformer_string text,
                                                                  toolformer_bytes **out,
                                                                  toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- Running calls ----

typedef struct toolformer_executor_options {
  size_t struct_size;
  uint64_t deadline_ms;         // a tool that has not answered by then has failed; at least 1; 30,000
  uint64_t max_result_bytes;    // longer results are cut and marked; at least 3; 50,000
  uint64_t max_cached_results;  // 0: none is kept; 100,000
  int32_t max_abandoned;        // most calls of a tool left running past their deadline; 16
  int32_t reserved;             // 0
  // A file in which answers of tools that may take their time are kept beyond the process, made where there is none;
  // empty: nowhere. Several executors and processes may share one, on a disk of this machine.
  toolformer_string answers_file;
  uint64_t max_answers_bytes;    // of that file, at least 1 MiB; 0: 1 GiB
  int32_t max_concurrent_calls;  // of all tools that may wait, at a time; 0: 32
  int32_t breaker_failures;      // after which a tool is not called for a while, in a row; 0: 5; -1: never
} toolformer_executor_options;

TOOLFORMER_C_API void toolformer_executor_options_init(toolformer_executor_options *options,
                                                       size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Runs calls, each different one once where its tool allows. Any number of threads at once. A tool that does not answer
// in time is left to end by itself, on its own thread; its answer is dropped.
typedef struct toolformer_executor toolformer_executor;

// With the tools that the registry holds now. `options` may be NULL. TOOLFORMER_ERROR_INVALID: an option out of range,
// an `answers_file` that is not one, or is damaged. Of that file also _NOT_FOUND (no such folder), _STATE (of another
// version), _IO.
TOOLFORMER_C_CHECKED toolformer_status toolformer_executor_new(const toolformer_registry *registry,
                                                               const toolformer_executor_options *options,
                                                               toolformer_executor **out,
                                                               toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_executor_free(toolformer_executor *executor) TOOLFORMER_C_NOEXCEPT;

typedef struct toolformer_request {
  size_t struct_size;
  toolformer_string tool;
  toolformer_string input;
  toolformer_date date;  // of the document; all zero: none
  int32_t reserved;      // 0
  toolformer_interrupt interrupt;
} toolformer_request;

TOOLFORMER_C_API void toolformer_request_init(toolformer_request *request, size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// The result of a call, as a model would see it. TOOLFORMER_ERROR_NOT_FOUND (no such tool), _TOOL (what it said),
// _TIMEOUT, _CANCELLED.
TOOLFORMER_C_CHECKED toolformer_status toolformer_executor_execute(const toolformer_executor *executor,
                                                                   const toolformer_request *request,
                                                                   toolformer_bytes **out,
                                                                   toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// What has come of the calls so far, as JSON: an array with an object for each tool that was asked for: requests,
// answered, errors by kind, where answers came from, attempts, retries, latencies in ms. Safe while others execute.
TOOLFORMER_C_CHECKED toolformer_status toolformer_executor_statistics(const toolformer_executor *executor,
                                                                      toolformer_bytes **out,
                                                                      toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The calculator as a function: the value of an expression of at most 1,024 bytes. TOOLFORMER_ERROR_TOOL.
TOOLFORMER_C_CHECKED toolformer_status toolformer_calculate(toolformer_string expression, toolformer_bytes **out,
                                                            toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_TOOL_H_
