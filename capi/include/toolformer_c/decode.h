// Continuing a prompt with tools (section 2, "Inference"). Part of toolformer_c.h, whose conventions hold here; see
// toolformer/augmenting_decoder.h.
#ifndef TOOLFORMER_C_DECODE_H_
#define TOOLFORMER_C_DECODE_H_

#include "toolformer_c/model.h"
#include "toolformer_c/tool.h"

TOOLFORMER_C_BEGIN

// Continues prompts. One thread at a time; make one for each thread, they share the model.
typedef struct toolformer_decoder toolformer_decoder;

// The tools are those of the executor's registry.
TOOLFORMER_C_CHECKED toolformer_status toolformer_decoder_new(const toolformer_model *model,
                                                              const toolformer_executor *executor,
                                                              toolformer_decoder **out,
                                                              toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_decoder_free(toolformer_decoder *decoder) TOOLFORMER_C_NOEXCEPT;

#define TOOLFORMER_TOOLS_ENABLED 0
#define TOOLFORMER_TOOLS_DISABLED 1    // the opening of a call has probability 0
#define TOOLFORMER_TOOLS_IN_CONTEXT 2  // the tools' examples stand before the prompt: for models that were not trained

#define TOOLFORMER_EVENT_TEXT 1    // words of the model; may end inside a UTF-8 sequence
#define TOOLFORMER_EVENT_CALL 2    // "Name(input)": has been read and is about to run
#define TOOLFORMER_EVENT_RESULT 3  // what the tool answered
#define TOOLFORMER_EVENT_ERROR 4   // what was wrong; the call is closed without a result

// A piece of the output as it arrives, on the caller's thread. `row` is the index of the prompt.
typedef void (*toolformer_event_fn)(void *user_data, int32_t event, toolformer_string text, size_t row);

typedef struct toolformer_decode_options {
  size_t struct_size;
  int32_t tool_use;           // TOOLFORMER_TOOLS_...; ENABLED
  int32_t reserved;           // 0
  int64_t max_new_tokens;     // of the model's own; results do not count; 128
  int64_t opening_top_k;      // a call is opened whenever that is among the k most likely tokens; 1: plain greedy; 10
  int64_t max_calls;          // at most 16; 1
  int64_t max_call_tokens;    // an opening that comes to no call by then is taken back; 64
  int64_t max_result_tokens;  // longer results are cut; 256
  double temperature;         // 0 (the default): greedy
  uint64_t seed;              // 0
  const toolformer_string *stop;  // [stop_count] texts that end the generation, themselves not part of it
  size_t stop_count;
  toolformer_event_fn on_event;  // may be NULL
  void *event_data;
  toolformer_interrupt interrupt;
  int64_t max_batch_rows;   // of several prompts: most that are continued at once; 32
  int64_t max_read_tokens;  // most tokens of prompts that are read at once; 2,048
} toolformer_decode_options;

TOOLFORMER_C_API void toolformer_decode_options_init(toolformer_decode_options *options,
                                                     size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// What a prompt was continued with. Never changes.
typedef struct toolformer_generation toolformer_generation;

// Continues a prompt. What the prompt or a result says never opens a call. `options` may be NULL.
// TOOLFORMER_ERROR_INVALID (an option out of range), _LIMIT (the prompt exceeds the context), _TIMEOUT, _CANCELLED,
// _CALLBACK (the host's model), _NO_MEMORY.
TOOLFORMER_C_CHECKED toolformer_status toolformer_decoder_decode(toolformer_decoder *decoder, toolformer_string prompt,
                                                                 const toolformer_decode_options *options,
                                                                 toolformer_generation **out,
                                                                 toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Continues several prompts in one batch, each as if it were alone. What is wrong with a prompt alone leaves NULL in
// generations[i] and, where `errors` is not NULL, what it is in errors[i] (else NULL); the call succeeds then. Both
// have `count` elements.
TOOLFORMER_C_CHECKED toolformer_status toolformer_decoder_decode_batch(toolformer_decoder *decoder,
                                                                       const toolformer_string *prompts, size_t count,
                                                                       const toolformer_decode_options *options,
                                                                       toolformer_generation **generations,
                                                                       toolformer_error **errors,
                                                                       toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// With calls and results in place, without the prompt.
TOOLFORMER_C_API toolformer_string toolformer_generation_text(const toolformer_generation *generation)
    TOOLFORMER_C_NOEXCEPT;

// Without calls.
TOOLFORMER_C_API toolformer_string toolformer_generation_plain_text(const toolformer_generation *generation)
    TOOLFORMER_C_NOEXCEPT;

#define TOOLFORMER_STOP_END_TOKEN 1
#define TOOLFORMER_STOP_TEXT 2
#define TOOLFORMER_STOP_MAX_TOKENS 3
#define TOOLFORMER_STOP_CONTEXT_FULL 4

// TOOLFORMER_STOP_...; 0 for NULL.
TOOLFORMER_C_API int32_t toolformer_generation_stop_reason(const toolformer_generation *generation)
    TOOLFORMER_C_NOEXCEPT;

// The model's own tokens.
TOOLFORMER_C_API int64_t toolformer_generation_tokens(const toolformer_generation *generation) TOOLFORMER_C_NOEXCEPT;

// The probability of calling: p_i where the first call was opened; where there is no call, the largest p_i of all
// places where one might have been opened. 0 where calls are disabled, and for NULL.
TOOLFORMER_C_API double toolformer_generation_probability(const toolformer_generation *generation)
    TOOLFORMER_C_NOEXCEPT;

typedef struct toolformer_decoded_call {
  size_t struct_size;
  toolformer_string tool;
  toolformer_string input;
  toolformer_string result;  // empty on an error
  toolformer_string error;
  int64_t byte_offset;  // of the opening bracket in the text
  int32_t failed;       // 1: the tool has answered with an error
  int32_t reserved;
  double probability;  // p_i where it was opened, before any temperature
} toolformer_decoded_call;

// Number of calls.
TOOLFORMER_C_API size_t toolformer_generation_call_count(const toolformer_generation *generation) TOOLFORMER_C_NOEXCEPT;

// Call `index`, in the order of the text. TOOLFORMER_ERROR_INVALID: no such index. Strings live as long as the
// generation.
TOOLFORMER_C_CHECKED toolformer_status toolformer_generation_get_call(const toolformer_generation *generation,
                                                                      size_t index, toolformer_decoded_call *out,
                                                                      toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_generation_free(toolformer_generation *generation) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_DECODE_H_
