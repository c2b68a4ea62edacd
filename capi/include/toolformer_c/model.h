// Language models: loaded from files, or the host's own. Part of toolformer_c.h, whose conventions hold here; see
// toolformer/model.h.
#ifndef TOOLFORMER_C_MODEL_H_
#define TOOLFORMER_C_MODEL_H_

#include "toolformer_c/tokenizer.h"

TOOLFORMER_C_BEGIN

// Never changes; any number of threads may use it at once. All that is made from it keeps it.
typedef struct toolformer_model toolformer_model;

// What a model remembers of one sequence. One thread at a time.
typedef struct toolformer_cache toolformer_cache;

// ---- Loading ----

// Of weights and activations; logits are F32 in every case.
#define TOOLFORMER_WEIGHTS_DEFAULT 0  // F32 on the CPU, BF16 on CUDA
#define TOOLFORMER_WEIGHTS_F32 1
#define TOOLFORMER_WEIGHTS_BF16 2
#define TOOLFORMER_WEIGHTS_INT8 3  // on the CPU only; may propose calls, does not judge them

// Bytes of the file's tensors that have been read, and their sum. On the thread that loads.
typedef void (*toolformer_load_progress_fn)(void *user_data, uint64_t done, uint64_t total);

typedef struct toolformer_model_options {
  size_t struct_size;
  toolformer_string device;              // "cpu" (the default) or "cuda:N"
  toolformer_string adapter;             // folder of a low-rank adapter in PEFT's format; empty: none
  int64_t context_length;                // lowers the context of the file, in tokens; 0 keeps it
  int32_t weights;                       // TOOLFORMER_WEIGHTS_...
  int32_t plain_kernels;                 // 1: libtorch's operators in place of the library's own, as a check of them
  toolformer_load_progress_fn progress;  // may be NULL
  void *progress_data;
} toolformer_model_options;

TOOLFORMER_C_API void toolformer_model_options_init(toolformer_model_options *options,
                                                    size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Loads a .gguf file or a Hugging Face folder. `options` may be NULL. Memory: the weights, and the largest tensor of
// the file besides. TOOLFORMER_ERROR_NOT_FOUND, _CORRUPT, _UNSUPPORTED (an architecture, type or device: lists what
// is supported), _NO_MEMORY.
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_load(toolformer_string path,
                                                             const toolformer_model_options *options,
                                                             toolformer_model **out,
                                                             toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- A model of the host's own ----

// One sequence that logits are wanted of.
typedef struct toolformer_host_row {
  toolformer_ids ids;     // the whole sequence, start token included
  size_t first_new;       // ids before it were in an earlier call with the same sequence: a host may have kept them
  const int64_t *wanted;  // [wanted_count] ascending indices into `ids`, none below first_new
  size_t wanted_count;    // may be 0
} toolformer_host_row;

// Logits of the token after each wanted one, [sum of wanted_count, vocab_size], row after row, by
// toolformer_reply_logits or toolformer_reply_dlpack, once.
typedef toolformer_status (*toolformer_forward_fn)(void *user_data, const toolformer_host_row *rows, size_t row_count,
                                                   toolformer_reply *reply);

typedef struct toolformer_host_model {
  size_t struct_size;
  const toolformer_tokenizer *tokenizer;  // kept
  toolformer_forward_fn forward;          // may be called from several threads at once
  int64_t vocab_size;                     // width of the logits, at least 1
  int64_t context_length;                 // most tokens of a sequence, at least 2
  int32_t approximate;                    // 1: rounded for speed, so that the loss filter refuses it
  int32_t reserved;                       // 0
  void *user_data;
  toolformer_destroy_fn destroy;  // may be NULL
} toolformer_host_model;

TOOLFORMER_C_API void toolformer_host_model_init(toolformer_host_model *model,
                                                 size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// A model that asks the host. TOOLFORMER_ERROR_INVALID names the field: no tokenizer, no `forward`, a size out of
// range, or fewer logits than the tokenizer has ids.
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_from_host(const toolformer_host_model *host,
                                                                  toolformer_model **out,
                                                                  toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_API void toolformer_model_free(toolformer_model *model) TOOLFORMER_C_NOEXCEPT;

// ---- What it is ----

typedef struct toolformer_model_info {
  size_t struct_size;
  toolformer_string path;         // these four are empty, and the numbers 0, of a host's model
  toolformer_string family;       // "llama", "gpt2", ...
  toolformer_string fingerprint;  // tells models apart
  int64_t layers;
  int64_t hidden;
  int64_t parameters;      // number of weights
  int64_t vocab_size;      // width of the logits
  int64_t context_length;  // tokens
  int32_t weights;         // TOOLFORMER_WEIGHTS_...
  int32_t approximate;     // 1: may propose calls, does not judge them
} toolformer_model_info;

// The strings live as long as the model.
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_get_info(const toolformer_model *model,
                                                                 toolformer_model_info *out,
                                                                 toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// A handle of its own to the model's tokenizer.
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_tokenizer(const toolformer_model *model,
                                                                  toolformer_tokenizer **out,
                                                                  toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Writes a loaded model as a Hugging Face folder. TOOLFORMER_ERROR_IO, _UNSUPPORTED (a host's model, int8 weights).
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_save(const toolformer_model *model, toolformer_string folder,
                                                             toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- Running it ----

// An empty cache for this model.
TOOLFORMER_C_CHECKED toolformer_status toolformer_cache_new(const toolformer_model *model, toolformer_cache **out,
                                                            toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// A second cache with the same content; both may then grow apart.
TOOLFORMER_C_CHECKED toolformer_status toolformer_cache_fork(toolformer_cache *cache, toolformer_cache **out,
                                                             toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Forgets all but the first `length` tokens. TOOLFORMER_ERROR_LIMIT where there are fewer.
TOOLFORMER_C_CHECKED toolformer_status toolformer_cache_truncate(toolformer_cache *cache, int64_t length,
                                                                 toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Tokens remembered. One thread at a time, like all functions of caches.
TOOLFORMER_C_API int64_t toolformer_cache_length(toolformer_cache *cache) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_cache_free(toolformer_cache *cache) TOOLFORMER_C_NOEXCEPT;

// One sequence of a batch.
typedef struct toolformer_row {
  toolformer_ids ids;       // at least one; they follow what `cache` holds
  const int64_t *wanted;    // [wanted_count] ascending indices into `ids`: where the next token's logits are wanted
  size_t wanted_count;      // may be 0
  toolformer_cache *cache;  // of this model; grows by `ids`. NULL: the row is a whole sequence, start token included
} toolformer_row;

// Runs the rows as one batch: logits F32 [sum of wanted_count, vocab_size], row after row. TOOLFORMER_ERROR_INVALID (an
// id or index out of range, a cache of another model or in two rows), _LIMIT (longer than the context), _BUSY (a cache
// in use), _NO_MEMORY; caches are then unchanged.
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_forward(const toolformer_model *model,
                                                                const toolformer_row *rows, size_t row_count,
                                                                toolformer_tensor **out,
                                                                toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- How well it predicts a text ----

// Tokens predicted so far and the sum of their losses in nats, after each window, on the caller's thread.
typedef void (*toolformer_loss_progress_fn)(void *user_data, int64_t tokens, double nats);

typedef struct toolformer_loss_options {
  size_t struct_size;
  int64_t window;  // tokens of a window, start token included; 0 (the default): 1,024 or the context, if that is less
  toolformer_loss_progress_fn progress;  // may be NULL
  void *progress_data;
  toolformer_interrupt interrupt;
} toolformer_loss_options;

typedef struct toolformer_loss {
  size_t struct_size;
  int64_t tokens;     // that were predicted
  double nats;        // sum of -log p over them
  double perplexity;  // exp(nats / tokens)
  // The same with the opening of a call at probability 0 (footnote 5 of the paper); brackets of the text itself, which
  // cannot be predicted then, are left out.
  int64_t calls_disabled_tokens;
  double calls_disabled_nats;
  double calls_disabled_perplexity;
} toolformer_loss;

TOOLFORMER_C_API void toolformer_loss_options_init(toolformer_loss_options *options,
                                                   size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// The loss of a text, given as its ids without start token, in windows that do not overlap, each behind a start token.
// `options` may be NULL. TOOLFORMER_ERROR_INVALID: no ids, or ids or a window out of range.
TOOLFORMER_C_CHECKED toolformer_status toolformer_model_loss(const toolformer_model *model, toolformer_ids ids,
                                                             const toolformer_loss_options *options,
                                                             toolformer_loss *out,
                                                             toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_MODEL_H_
