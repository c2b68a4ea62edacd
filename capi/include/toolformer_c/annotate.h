// Section 2 of the paper: sampling calls, filtering them by the loss, and both as one object that annotates texts. Part
// of toolformer_c.h, whose conventions hold here; see toolformer/call_sampler.h, loss_filter.h and annotator.h.
#ifndef TOOLFORMER_C_ANNOTATE_H_
#define TOOLFORMER_C_ANNOTATE_H_

#include "toolformer_c/model.h"
#include "toolformer_c/tool.h"

TOOLFORMER_C_BEGIN

// ---- Sampling calls ----

typedef struct toolformer_sampler_options {
  size_t struct_size;
  double temperature;         // above 0; 1
  uint64_t seed;              // 0
  int64_t max_call_tokens;    // a call that is not closed by then is discarded; 64
  int32_t free_sampling;      // 1: the model writes the tool's name too and any characters, as in the paper; 0
  int32_t reserved;           // 0
  int64_t max_batch_rows;     // how the work is done, not what comes of it: most rows of a decoding step; 64
  int64_t max_open_texts;     // most texts that are read or decoded at once; 16
  int64_t max_open_tokens;    // most tokens whose keys and values they hold; 1,536
  int64_t max_read_tokens;    // most tokens of a batch while texts are read; 1,024
  uint64_t max_logits_bytes;  // most bytes of its logits; 32 MiB
} toolformer_sampler_options;

TOOLFORMER_C_API void toolformer_sampler_options_init(toolformer_sampler_options *options,
                                                      size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Any number of threads at once.
typedef struct toolformer_sampler toolformer_sampler;

// `options` may be NULL. TOOLFORMER_ERROR_INVALID: an option out of range.
TOOLFORMER_C_CHECKED toolformer_status toolformer_sampler_new(const toolformer_model *model,
                                                              const toolformer_sampler_options *options,
                                                              toolformer_sampler **out,
                                                              toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_sampler_free(toolformer_sampler *sampler) TOOLFORMER_C_NOEXCEPT;

// A text, and the tool to sample calls of.
typedef struct toolformer_sampling {
  size_t struct_size;
  const toolformer_registry *registry;
  toolformer_string tool;  // by its name in the registry
  toolformer_string text;
  const toolformer_parameters *parameters;  // NULL: the tool's
  uint64_t seed;                            // of this text's samples, beside the sampler's
  toolformer_interrupt interrupt;
} toolformer_sampling;

TOOLFORMER_C_API void toolformer_sampling_init(toolformer_sampling *sampling, size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// p_i for every token i of the text, F64 [tokens]: how probable a call is before it. TOOLFORMER_ERROR_LIMIT where
// prompt and text exceed the context.
TOOLFORMER_C_CHECKED toolformer_status toolformer_sampler_probabilities(const toolformer_sampler *sampler,
                                                                        const toolformer_sampling *sampling,
                                                                        toolformer_tensor **out,
                                                                        toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Calls that a model has proposed for a text.
typedef struct toolformer_candidates toolformer_candidates;

// Positions with p_i > tau_s, the k most probable of them, and up to m calls at each. The same seeds give the same
// calls.
TOOLFORMER_C_CHECKED toolformer_status toolformer_sampler_sample(const toolformer_sampler *sampler,
                                                                 const toolformer_sampling *sampling,
                                                                 toolformer_candidates **out,
                                                                 toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

typedef struct toolformer_candidate {
  size_t struct_size;
  int64_t position;    // the call stands before token `position` of the text
  double probability;  // p_i of the position
  toolformer_string tool;
  toolformer_string input;
  int64_t times_sampled;
} toolformer_candidate;

// What became of the samples.
typedef struct toolformer_sampling_counts {
  int64_t samples;
  int64_t not_a_call;
  int64_t other_tool;
  int64_t not_closed;
  int64_t duplicates;
  int64_t candidates;
} toolformer_sampling_counts;

// Number of distinct calls, each at one position.
TOOLFORMER_C_API size_t toolformer_candidates_count(const toolformer_candidates *candidates) TOOLFORMER_C_NOEXCEPT;

// Ascending positions; of one position in the order first sampled. Strings live as long as `candidates`.
// TOOLFORMER_ERROR_INVALID: no such index.
TOOLFORMER_C_CHECKED toolformer_status toolformer_candidates_get(const toolformer_candidates *candidates, size_t index,
                                                                 toolformer_candidate *out,
                                                                 toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// What became of the samples; all zero for NULL.
TOOLFORMER_C_API toolformer_sampling_counts toolformer_candidates_counts(const toolformer_candidates *candidates)
    TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_candidates_free(toolformer_candidates *candidates) TOOLFORMER_C_NOEXCEPT;

// ---- Filtering them ----

typedef struct toolformer_filter_options {
  size_t struct_size;
  int64_t max_batch_tokens;   // bounds of memory: most tokens of a batch; 1,024
  uint64_t max_logits_bytes;  // and bytes of its logits; 32 MiB
} toolformer_filter_options;

TOOLFORMER_C_API void toolformer_filter_options_init(toolformer_filter_options *options,
                                                     size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Any number of threads at once.
typedef struct toolformer_filter toolformer_filter;

// `options` may be NULL. TOOLFORMER_ERROR_INVALID: an option out of range.
TOOLFORMER_C_CHECKED toolformer_status toolformer_filter_new(const toolformer_model *model,
                                                             const toolformer_filter_options *options,
                                                             toolformer_filter **out,
                                                             toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_filter_free(toolformer_filter *filter) TOOLFORMER_C_NOEXCEPT;

// A call with its result, to be judged at a position of a text.
typedef struct toolformer_case {
  int64_t position;  // index into the ids of the text; the tokens from there on are to become more likely
  toolformer_string tool;
  toolformer_string input;
  toolformer_string result;  // as the tool gave it
} toolformer_case;

// L_i of three prefixes, in nats (equation 3 of the paper).
typedef struct toolformer_losses {
  double empty;   // without a call
  double call;    // with the call and no result
  double result;  // L+: with call and result
  double gain;    // min(empty, call) - result: the call is kept when that is at least tau_f
} toolformer_losses;

// Judges `count` cases of a text, given as its ids without start token: losses[i] is that of cases[i]. `interrupt` may
// be NULL. TOOLFORMER_ERROR_INVALID (no ids, a position outside them, an approximate model), _LIMIT (a prefix and the
// text exceed the context).
TOOLFORMER_C_CHECKED toolformer_status toolformer_filter_score(const toolformer_filter *filter, toolformer_ids ids,
                                                               const toolformer_case *cases, size_t count,
                                                               const toolformer_interrupt *interrupt,
                                                               toolformer_losses *losses,
                                                               toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- Annotating texts ----

typedef struct toolformer_annotator_options {
  size_t struct_size;
  const toolformer_sampler_options *sampler;    // NULL: the defaults
  const toolformer_filter_options *filter;      // NULL: the defaults
  const toolformer_executor_options *executor;  // NULL: the defaults
  const toolformer_model *proposer;             // proposes calls in place of the model, which judges them; NULL: none
  int32_t no_sampling;                          // 1: calls are not sampled
  int32_t worked_out;                           // 1: tools that can work calls out do
  int32_t exact_gains;                          // 1: gains far below tau_f are computed too, not only bounded
  int32_t reserved;                             // 0
} toolformer_annotator_options;

TOOLFORMER_C_API void toolformer_annotator_options_init(toolformer_annotator_options *options,
                                                        size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Annotates with all tools of a registry. One thread at a time; make one for each thread, they share the model.
typedef struct toolformer_annotator toolformer_annotator;

// `options` may be NULL. TOOLFORMER_ERROR_INVALID: no tools, a tool without
// TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS, a proposer with another vocabulary, an approximate model.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotator_new(const toolformer_model *model,
                                                                const toolformer_registry *registry,
                                                                const toolformer_annotator_options *options,
                                                                toolformer_annotator **out,
                                                                toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_annotator_free(toolformer_annotator *annotator) TOOLFORMER_C_NOEXCEPT;

// What came of a text. Never changes.
typedef struct toolformer_annotation toolformer_annotation;

// Annotates one text. The same model, tools, options and text give the same annotation. A text that cannot be annotated
// is skipped, not failed (toolformer_annotation_skip). `interrupt` may be NULL.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotator_annotate(toolformer_annotator *annotator,
                                                                     const toolformer_document *document,
                                                                     const toolformer_interrupt *interrupt,
                                                                     toolformer_annotation **out,
                                                                     toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// What has come of the tools' calls so far, as toolformer_executor_statistics says it. Safe while texts are annotated.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotator_statistics(const toolformer_annotator *annotator,
                                                                       toolformer_bytes **out,
                                                                       toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Gives the next text by toolformer_reply_document; the stream ends when it gives none.
typedef toolformer_status (*toolformer_next_document_fn)(void *user_data, toolformer_reply *reply);

// Copies the document. Once a call of the callback.
TOOLFORMER_C_CHECKED toolformer_status
toolformer_reply_document(toolformer_reply *reply, const toolformer_document *document) TOOLFORMER_C_NOEXCEPT;

// Takes an annotation, which is the callback's to free. A status other than TOOLFORMER_OK ends the stream.
typedef toolformer_status (*toolformer_take_annotation_fn)(void *user_data, toolformer_annotation *annotation);

typedef struct toolformer_stream {
  size_t struct_size;
  toolformer_next_document_fn next;
  toolformer_take_annotation_fn take;
  void *user_data;     // of both, which run on the caller's thread
  int64_t batch_size;  // texts that are worked on together; 16
  toolformer_interrupt interrupt;
} toolformer_stream;

TOOLFORMER_C_API void toolformer_stream_init(toolformer_stream *stream, size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Annotates texts as they come and gives their annotations in the same order, each as if its text were alone.
// TOOLFORMER_ERROR_CALLBACK where `next` or `take` has failed; what was taken by then stands.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotator_stream(toolformer_annotator *annotator,
                                                                   const toolformer_stream *stream,
                                                                   toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- What came of a text ----

#define TOOLFORMER_SKIP_NONE 0
#define TOOLFORMER_SKIP_EMPTY 1
#define TOOLFORMER_SKIP_TOO_LONG 2
#define TOOLFORMER_SKIP_CONTAINS_CALLS 3  // texts that hold a call already are never annotated

// Why the text was not annotated, TOOLFORMER_SKIP_...
TOOLFORMER_C_API int32_t toolformer_annotation_skip(const toolformer_annotation *annotation) TOOLFORMER_C_NOEXCEPT;

// The text, as it was given.
TOOLFORMER_C_API toolformer_string toolformer_annotation_text(const toolformer_annotation *annotation)
    TOOLFORMER_C_NOEXCEPT;

// The host's name for the text, as it was given.
TOOLFORMER_C_API toolformer_string toolformer_annotation_id(const toolformer_annotation *annotation)
    TOOLFORMER_C_NOEXCEPT;

// x*: the text with the kept calls and their results in place.
TOOLFORMER_C_API toolformer_string toolformer_annotation_augmented_text(const toolformer_annotation *annotation)
    TOOLFORMER_C_NOEXCEPT;

// Ids of the text, without start token.
TOOLFORMER_C_API toolformer_ids toolformer_annotation_ids(const toolformer_annotation *annotation)
    TOOLFORMER_C_NOEXCEPT;

// Ids of x*, without start token: built of the pieces that filtering and decoding use, not what the tokenizer makes of
// it.
TOOLFORMER_C_API toolformer_ids toolformer_annotation_augmented_ids(const toolformer_annotation *annotation)
    TOOLFORMER_C_NOEXCEPT;

#define TOOLFORMER_VERDICT_KEPT 1
#define TOOLFORMER_VERDICT_TOOL_ERROR 2
#define TOOLFORMER_VERDICT_BELOW_THRESHOLD 3
#define TOOLFORMER_VERDICT_SMALLER_GAIN 4  // another call at the same position gains more

// A candidate with all that is known of it.
typedef struct toolformer_judged_call {
  size_t struct_size;
  toolformer_string tool;
  toolformer_string input;
  toolformer_string result;  // empty on a tool error
  toolformer_string error;   // of the tool
  int64_t position;          // index into the text's ids
  int64_t byte_offset;       // of that position in the text
  double probability;        // p_i; 0 of calls that were worked out
  toolformer_losses losses;  // NaN on a tool error; `call` is NaN where it was not needed
  int32_t verdict;           // TOOLFORMER_VERDICT_...
  int32_t worked_out;        // 1: not sampled from the model
  int32_t gain_is_bound;     // 1: losses.gain is only known to be no larger than it says
  int32_t reserved;
} toolformer_judged_call;

// Number of candidates of all tools.
TOOLFORMER_C_API size_t toolformer_annotation_call_count(const toolformer_annotation *annotation) TOOLFORMER_C_NOEXCEPT;

// Candidate `index`: tool after tool, of each in ascending position. TOOLFORMER_ERROR_INVALID: no such index. Strings
// live as long as the annotation.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotation_get_call(const toolformer_annotation *annotation,
                                                                      size_t index, toolformer_judged_call *out,
                                                                      toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// What one tool made of the text.
typedef struct toolformer_outcome {
  size_t struct_size;
  toolformer_string tool;
  toolformer_sampling_counts sampling;
  int64_t positions;  // with p_i > tau_s, at most k
  int64_t calls;      // candidates
  int32_t accepted;   // 1: the tool's document filter has let the text through
  int32_t reserved;
} toolformer_outcome;

// Number of tools that were asked: all of the annotator's, none where the text was skipped.
TOOLFORMER_C_API size_t toolformer_annotation_tool_count(const toolformer_annotation *annotation) TOOLFORMER_C_NOEXCEPT;

// What tool `index` made of the text. TOOLFORMER_ERROR_INVALID: no such index. The name lives as long as the
// annotation.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotation_get_tool(const toolformer_annotation *annotation,
                                                                      size_t index, toolformer_outcome *out,
                                                                      toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The annotation as one line of JSON, without line break.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotation_to_json(const toolformer_annotation *annotation,
                                                                     toolformer_bytes **out,
                                                                     toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// An annotation that toolformer_annotation_to_json wrote. TOOLFORMER_ERROR_CORRUPT names the field, or has the offset.
TOOLFORMER_C_CHECKED toolformer_status toolformer_annotation_from_json(toolformer_string json,
                                                                       toolformer_annotation **out,
                                                                       toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_annotation_free(toolformer_annotation *annotation) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_ANNOTATE_H_
