// Versions, statuses and errors, text, cancellation. Part of toolformer_c.h, whose conventions hold here.
//
// What is declared in this file works without libtorch; everything else needs it (toolformer_prepare).
#ifndef TOOLFORMER_C_BASE_H_
#define TOOLFORMER_C_BASE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TOOLFORMER_C_BEGIN extern "C" {
#define TOOLFORMER_C_END }
#define TOOLFORMER_C_NOEXCEPT noexcept
#else
#define TOOLFORMER_C_BEGIN
#define TOOLFORMER_C_END
#define TOOLFORMER_C_NOEXCEPT
#endif

// Exported; of functions that can fail, the status is not to be dropped.
#define TOOLFORMER_C_API __attribute__((visibility("default")))
#define TOOLFORMER_C_CHECKED __attribute__((visibility("default"), warn_unused_result))

TOOLFORMER_C_BEGIN

// ---- Versions ----

// Of the interface that this header describes. Grows with every addition; the SONAME of the library changes when
// something that was there changes, which it is not meant to.
#define TOOLFORMER_ABI_VERSION 1

typedef int32_t toolformer_status;

#define TOOLFORMER_OK 0
#define TOOLFORMER_ERROR_INVALID (-1)      // the caller's mistake: an argument or option that cannot be
#define TOOLFORMER_ERROR_CORRUPT (-2)      // a file or a JSON text that is damaged or not what it should be
#define TOOLFORMER_ERROR_UNSUPPORTED (-3)  // well formed, but not known here: names what is
#define TOOLFORMER_ERROR_NOT_FOUND (-4)    // a file, or a tool of that name
#define TOOLFORMER_ERROR_LIMIT (-5)        // longer, deeper or more than is allowed, or than the model's context
#define TOOLFORMER_ERROR_TOOL (-6)         // a tool has answered with an error
#define TOOLFORMER_ERROR_TIMEOUT (-7)      // the deadline has passed
#define TOOLFORMER_ERROR_CANCELLED (-8)    // the cancel token said so
#define TOOLFORMER_ERROR_IO (-9)           // the system could not read or write
#define TOOLFORMER_ERROR_NO_MEMORY (-10)   // of the host or the device
#define TOOLFORMER_ERROR_BUSY (-11)        // the handle is in use (convention 6)
#define TOOLFORMER_ERROR_ABI (-12)         // header and library do not fit
#define TOOLFORMER_ERROR_STATE (-13)       // not now: nothing to merge, a folder that another run uses
#define TOOLFORMER_ERROR_CALLBACK (-14)    // a callback of a host's model or tokenizer, or of a stream, has failed
#define TOOLFORMER_ERROR_ENGINE (-15)      // libtorch, or the library's own other half, cannot be loaded
#define TOOLFORMER_ERROR_INTERNAL (-16)    // a defect of this library or of libtorch

typedef struct toolformer_error toolformer_error;

// TOOLFORMER_ABI_VERSION of the library that runs.
TOOLFORMER_C_API uint32_t toolformer_abi_version(void) TOOLFORMER_C_NOEXCEPT;

// "0.1.0": of the library that runs. NUL-terminated, static.
TOOLFORMER_C_API const char *toolformer_version(void) TOOLFORMER_C_NOEXCEPT;

// TOOLFORMER_OK where a program that was compiled with `header_version` (give TOOLFORMER_ABI_VERSION) can use this
// library; else TOOLFORMER_ERROR_ABI with a message that names both versions.
TOOLFORMER_C_CHECKED toolformer_status toolformer_check_abi(uint32_t header_version,
                                                            toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Loads libtorch and the rest of this library now; without it the first function that needs them does. Takes them, in
// this order, from: what the process has loaded already; the folder that the environment variable TOOLFORMER_TORCH_DIR
// names (it, or its lib/, holds libtorch_cpu.so; where the variable is set, nowhere else is looked); beside this
// library; where this library was built; the system's search path. TOOLFORMER_ERROR_ENGINE names what was looked for
// where, and what to do. A failure is not final: the next call tries again. Nothing is unloaded before the process
// ends, also where this library itself is.
TOOLFORMER_C_CHECKED toolformer_status toolformer_prepare(toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- Text ----

// Borrowed bytes. `data` may be NULL where `size` is 0.
typedef struct toolformer_string {
  const char *data;
  size_t size;
} toolformer_string;

// Of a NUL-terminated text, which must outlive it; empty for NULL.
TOOLFORMER_C_API toolformer_string toolformer_str(const char *text) TOOLFORMER_C_NOEXCEPT;

// Text that a function has made for the caller.
typedef struct toolformer_bytes toolformer_bytes;

// A NUL follows the last byte, outside `size`.
TOOLFORMER_C_API toolformer_string toolformer_bytes_view(const toolformer_bytes *bytes) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_bytes_free(toolformer_bytes *bytes) TOOLFORMER_C_NOEXCEPT;

// A day of the Gregorian calendar; all zero where there is none.
typedef struct toolformer_date {
  int32_t year;   // 1 to 9999
  int32_t month;  // 1 to 12
  int32_t day;    // 1 to 31
} toolformer_date;

// ---- Statuses and errors ----

// "invalid", "corrupt", ...; "unknown" for a value that is none. NUL-terminated, static.
TOOLFORMER_C_API const char *toolformer_status_name(toolformer_status status) TOOLFORMER_C_NOEXCEPT;

// The status that came with the error. TOOLFORMER_OK for NULL.
TOOLFORMER_C_API toolformer_status toolformer_error_status(const toolformer_error *error) TOOLFORMER_C_NOEXCEPT;

// One line of at most 4,096 bytes that names what is wrong (file, field, option) and what is expected. A NUL follows.
TOOLFORMER_C_API toolformer_string toolformer_error_message(const toolformer_error *error) TOOLFORMER_C_NOEXCEPT;

// Where in the input (bytes from the start of a text or of a struct) the error was noticed; -1 where unknown.
TOOLFORMER_C_API int64_t toolformer_error_offset(const toolformer_error *error) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_API void toolformer_error_free(toolformer_error *error) TOOLFORMER_C_NOEXCEPT;

// ---- Stopping long work ----

// A request to stop that stays until it is taken back. All functions but _free are safe from any thread, on one handle.
typedef struct toolformer_cancel_token toolformer_cancel_token;

// A request that nobody has made yet. TOOLFORMER_ERROR_NO_MEMORY.
TOOLFORMER_C_CHECKED toolformer_status toolformer_cancel_token_new(toolformer_cancel_token **out,
                                                                   toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// A second handle to the same request: for the thread that cancels, so that neither has to outlive the other.
TOOLFORMER_C_CHECKED toolformer_status toolformer_cancel_token_share(const toolformer_cancel_token *token,
                                                                     toolformer_cancel_token **out,
                                                                     toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Asks all work that was given the token to stop, with TOOLFORMER_ERROR_CANCELLED. Safe in signal handlers.
TOOLFORMER_C_API void toolformer_cancel_token_cancel(const toolformer_cancel_token *token) TOOLFORMER_C_NOEXCEPT;

// Takes the request back, for work that begins from now on. Safe in signal handlers.
TOOLFORMER_C_API void toolformer_cancel_token_reset(const toolformer_cancel_token *token) TOOLFORMER_C_NOEXCEPT;

// 1 where it has been cancelled, else 0.
TOOLFORMER_C_API int32_t toolformer_cancel_token_cancelled(const toolformer_cancel_token *token) TOOLFORMER_C_NOEXCEPT;

// Work under way that was given the token keeps it.
TOOLFORMER_C_API void toolformer_cancel_token_free(toolformer_cancel_token *token) TOOLFORMER_C_NOEXCEPT;

// What may stop a call. Looked at between the steps of its work: tokens of a text, batches, steps of training.
typedef struct toolformer_interrupt {
  const toolformer_cancel_token *cancel;  // may be NULL
  uint64_t timeout_ms;                    // from the start of the call, by a clock that does not jump; 0: none
} toolformer_interrupt;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_BASE_H_
