// The C interface of toolformer: language models that teach themselves to use tools (arXiv 2302.04761).
//
// Everything that a host composes in C++ is here, in plain C, for hosts in C, C++, Rust, Go, Python and whatever else
// can call C. Where a function mirrors one of C++, the header of that name in toolformer/ has the longer story.
//
// Conventions, which hold wherever a function does not say otherwise:
//
//  1. Handles are opaque. What a function gives in `*out` is the caller's, who returns it with the ..._free of its
//  type.
//     Every ..._free takes NULL, returns nothing and can be called at any time, in any order, on any thread: what a
//     handle was made from stays alive as long as the handle needs it, and a call that is under way keeps what it
//     works with. Freeing a handle twice, or using it afterwards, is an error that cannot always be noticed.
//  2. A function that can fail returns a toolformer_status: TOOLFORMER_OK, or a negative code, and then it has left all
//     it was to fill untouched, except `*error`. `error` may be NULL. Otherwise it is set on failure, and on failure
//     only, to an object that the caller frees with toolformer_error_free. Nothing else is to be freed after a failure.
//  3. NULL where a handle, an `out` or a struct is expected is TOOLFORMER_ERROR_INVALID, except where "may be NULL" is
//     said. Functions that cannot fail (accessors) take NULL and return zero, or an empty string.
//  4. Text is UTF-8 as pointer and length (toolformer_string); a NUL inside it is legal. What a function takes is read
//     during the call only. What an accessor returns is borrowed, and lives as long as the handle it was asked of.
//  5. Structs of options and results begin with `struct_size`. Fill options by their ..._init function, which sets
//     defaults, then change what you want; NULL in place of options means the defaults. Before a result is asked for,
//     set its `struct_size` to its sizeof. Fields are only ever added, at the end; a library that is older than its
//     caller refuses a field that it does not know unless that is zero. Structs without `struct_size` never change.
//  6. Threads: a function that takes a handle as `const` may be called from several threads at once, on one handle.
//     One that takes it without is for one thread at a time; where it finds another call under way, on another thread
//     or further up in its own (a callback that calls back), it answers TOOLFORMER_ERROR_BUSY and does nothing.
//  7. Callbacks come as (function, user_data, destroy). `user_data` is handed through and never looked at. `destroy`
//     (may be NULL) is called exactly once, when the library is done with user_data: also where the function that took
//     it fails, provided that it could read the struct. Callbacks and destroy may run on any thread unless said
//     otherwise. What a callback is given lives until it returns. It answers through a toolformer_reply, which copies;
//     a status other than TOOLFORMER_OK says that it has failed. A C++ exception that leaves it counts as a failure; to
//     leave it by longjmp, or by a panic of Rust or Go, is undefined: catch them inside.
//  8. The library has no global state that can be changed, prints nothing, installs no handlers, and lets no exception
//     out. After fork(), only the process that used a model may go on using it.
//  9. TOOLFORMER_OK is 0 and constants of one kind are int32_t; their values are never used again for something else. A
//     value that is none of them is TOOLFORMER_ERROR_INVALID.
#ifndef TOOLFORMER_C_H_
#define TOOLFORMER_C_H_

#include "toolformer_c/annotate.h"
#include "toolformer_c/base.h"
#include "toolformer_c/decode.h"
#include "toolformer_c/model.h"
#include "toolformer_c/reply.h"
#include "toolformer_c/tensor.h"
#include "toolformer_c/tokenizer.h"
#include "toolformer_c/tool.h"
#include "toolformer_c/train.h"

#endif  // TOOLFORMER_C_H_
