// Numbers that cross the interface: token ids, and arrays as DLPack capsules or as pointer, shape and type. Part of
// toolformer_c.h, whose conventions hold here.
#ifndef TOOLFORMER_C_TENSOR_H_
#define TOOLFORMER_C_TENSOR_H_

#include "toolformer_c/reply.h"

TOOLFORMER_C_BEGIN

// Borrowed token ids. `data` may be NULL where `size` is 0.
typedef struct toolformer_ids {
  const int32_t *data;
  size_t size;  // ids, not bytes
} toolformer_ids;

#define TOOLFORMER_TYPE_F32 1
#define TOOLFORMER_TYPE_F64 2
#define TOOLFORMER_TYPE_F16 3
#define TOOLFORMER_TYPE_BF16 4
#define TOOLFORMER_TYPE_I32 5

// Borrowed numbers in memory of the host's, row after row (C order) without gaps.
typedef struct toolformer_array {
  const void *data;      // aligned as its type wants it
  const int64_t *shape;  // [rank]
  int32_t rank;          // at most 8
  int32_t dtype;         // TOOLFORMER_TYPE_...
} toolformer_array;

// An array that a function has made for the caller, in the host's memory.
typedef struct toolformer_tensor toolformer_tensor;

// Its numbers; lives as long as the tensor.
TOOLFORMER_C_API toolformer_array toolformer_tensor_array(const toolformer_tensor *tensor) TOOLFORMER_C_NOEXCEPT;

// The same of a tensor of token ids, [size] I32; empty for any other.
TOOLFORMER_C_API toolformer_ids toolformer_tensor_ids(const toolformer_tensor *tensor) TOOLFORMER_C_NOEXCEPT;

// Of dlpack.h, version 0 or 1.
struct DLManagedTensor;

// The tensor as a DLPack capsule, which shares its memory and outlives it: call the capsule's deleter when done, on any
// thread. Do not write to it while the tensor is in use.
TOOLFORMER_C_CHECKED toolformer_status toolformer_tensor_to_dlpack(const toolformer_tensor *tensor,
                                                                   struct DLManagedTensor **out,
                                                                   toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_API void toolformer_tensor_free(toolformer_tensor *tensor) TOOLFORMER_C_NOEXCEPT;

// Token ids, for the callback that encodes. Appends; TOOLFORMER_ERROR_LIMIT beyond 16,777,216 in all.
TOOLFORMER_C_CHECKED toolformer_status toolformer_reply_ids(toolformer_reply *reply,
                                                            toolformer_ids ids) TOOLFORMER_C_NOEXCEPT;

// Logits, for the callback that runs a model: the whole array at once, F32, F64, F16 or BF16, in the shape that the
// callback was asked for. Copies.
TOOLFORMER_C_CHECKED toolformer_status toolformer_reply_logits(toolformer_reply *reply,
                                                               toolformer_array logits) TOOLFORMER_C_NOEXCEPT;

// The same as a DLPack capsule, of any device that libtorch has and any strides. Takes the capsule, also where it
// fails: its deleter is called exactly once, except where `reply` or the capsule is NULL.
TOOLFORMER_C_CHECKED toolformer_status toolformer_reply_dlpack(toolformer_reply *reply,
                                                               struct DLManagedTensor *logits) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_TENSOR_H_
