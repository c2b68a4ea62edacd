// Text to token ids and back. Part of toolformer_c.h, whose conventions hold here; see toolformer/tokenizer.h.
#ifndef TOOLFORMER_C_TOKENIZER_H_
#define TOOLFORMER_C_TOKENIZER_H_

#include "toolformer_c/tensor.h"

TOOLFORMER_C_BEGIN

// Never changes.
typedef struct toolformer_tokenizer toolformer_tokenizer;

// Loads a .gguf file, a tokenizer.json, a model file of SentencePiece, or a Hugging Face folder with one of them.
// TOOLFORMER_ERROR_NOT_FOUND, _CORRUPT or _UNSUPPORTED name the file and the field.
TOOLFORMER_C_CHECKED toolformer_status toolformer_tokenizer_load(toolformer_string path, toolformer_tokenizer **out,
                                                                 toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The ids of `text`, by toolformer_reply_ids, without start or end token, all of the vocabulary; never one of a control
// token, however the text spells it. `continuation` is 1 where other text comes before: no blank is then put before the
// first word. Any bytes may come.
typedef toolformer_status (*toolformer_encode_fn)(void *user_data, toolformer_string text, int32_t continuation,
                                                  toolformer_reply *reply);

// The bytes of token `id`, by toolformer_reply_write; none for control tokens.
typedef toolformer_status (*toolformer_token_bytes_fn)(void *user_data, int32_t id, toolformer_reply *reply);

// A tokenizer of the host's own.
typedef struct toolformer_host_tokenizer {
  size_t struct_size;
  toolformer_encode_fn encode;
  toolformer_token_bytes_fn token_bytes;  // asked once of every id, before toolformer_tokenizer_from_host returns
  toolformer_ids end_ids;                 // tokens that end a generation; may be empty
  int32_t vocab_size;                     // 1 to 16,777,216
  int32_t start_id;                       // the token that every sequence starts with
  void *user_data;
  toolformer_destroy_fn destroy;  // may be NULL
} toolformer_host_tokenizer;

// All zero but for struct_size: there are no defaults. Sizes here and in the other _init functions are sizeof the
// caller's struct; a NULL struct is left alone.
TOOLFORMER_C_API void toolformer_host_tokenizer_init(toolformer_host_tokenizer *tokenizer,
                                                     size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// `encode` may then be called from several threads at once.
TOOLFORMER_C_CHECKED toolformer_status toolformer_tokenizer_from_host(const toolformer_host_tokenizer *host,
                                                                      toolformer_tokenizer **out,
                                                                      toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_API void toolformer_tokenizer_free(toolformer_tokenizer *tokenizer) TOOLFORMER_C_NOEXCEPT;

// Ids of `text`, I32 [ids], without start or end token. `continuation`: as of toolformer_encode_fn. At most 256 MiB
// (TOOLFORMER_ERROR_LIMIT).
TOOLFORMER_C_CHECKED toolformer_status toolformer_tokenizer_encode(const toolformer_tokenizer *tokenizer,
                                                                   toolformer_string text, int32_t continuation,
                                                                   toolformer_tensor **out,
                                                                   toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The text of `ids`: their bytes one after the other. Ids outside the vocabulary have none.
TOOLFORMER_C_CHECKED toolformer_status toolformer_tokenizer_decode(const toolformer_tokenizer *tokenizer,
                                                                   toolformer_ids ids, toolformer_bytes **out,
                                                                   toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The bytes that token `id` adds to a text. Lives as long as the tokenizer.
TOOLFORMER_C_API toolformer_string toolformer_tokenizer_token_bytes(const toolformer_tokenizer *tokenizer,
                                                                    int32_t id) TOOLFORMER_C_NOEXCEPT;

// Number of ids, from 0 on.
TOOLFORMER_C_API int32_t toolformer_tokenizer_vocab_size(const toolformer_tokenizer *tokenizer) TOOLFORMER_C_NOEXCEPT;

// The token that every sequence starts with.
TOOLFORMER_C_API int32_t toolformer_tokenizer_start_id(const toolformer_tokenizer *tokenizer) TOOLFORMER_C_NOEXCEPT;

// Tokens that end a generation, perhaps none. Lives as long as the tokenizer.
TOOLFORMER_C_API toolformer_ids toolformer_tokenizer_end_ids(const toolformer_tokenizer *tokenizer)
    TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_TOKENIZER_H_
