// What callbacks of the host are given and answer through (convention 7). Part of toolformer_c.h, whose conventions
// hold here.
#ifndef TOOLFORMER_C_REPLY_H_
#define TOOLFORMER_C_REPLY_H_

#include "toolformer_c/base.h"

TOOLFORMER_C_BEGIN

// What a callback answers through (convention 7). Of its own call only, on the thread of the call. Each callback says
// which of these functions it may use; others are TOOLFORMER_ERROR_INVALID.
typedef struct toolformer_reply toolformer_reply;

// What to say of a callback that returns a failure. The first 4,096 bytes count; a later message replaces an earlier.
TOOLFORMER_C_API void toolformer_reply_fail(toolformer_reply *reply, toolformer_string message) TOOLFORMER_C_NOEXCEPT;

// Appends text. TOOLFORMER_ERROR_LIMIT beyond 64 MiB in all.
TOOLFORMER_C_CHECKED toolformer_status toolformer_reply_write(toolformer_reply *reply,
                                                              toolformer_string text) TOOLFORMER_C_NOEXCEPT;

// Called when the library is done with `user_data`.
typedef void (*toolformer_destroy_fn)(void *user_data);

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_REPLY_H_
