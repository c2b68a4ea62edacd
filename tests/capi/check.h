// What the tests of the C interface are made of: checks that count, a model and a tool of the host's own. Plain C.
#ifndef TOOLFORMER_TESTS_CAPI_CHECK_H_
#define TOOLFORMER_TESTS_CAPI_CHECK_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <toolformer_c.h>

// ---- Checks ----

extern atomic_int check_failures;
extern atomic_int check_count;

bool check(bool holds, const char *file, int line, const char *what);
bool check_ok(toolformer_status status, toolformer_error *error, const char *file, int line, const char *what);

// What a call that must fail is to have answered; text NULL: any message.
typedef struct Failure {
  toolformer_status status;
  const char *text;
} Failure;
bool check_fails(Failure expected, toolformer_status status, toolformer_error *error, const char *file, int line);

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)

// CALL(f, a, b) is f(a, b, &error), and has to succeed. FAILS has to fail as said. Both free the error.
#define CALL(function, ...) call_ok_((function(__VA_ARGS__, fresh_error_())), __FILE__, __LINE__, #function)
#define FAILS(code, text, function, ...) \
  call_fails_((Failure){(code), (text)}, (function(__VA_ARGS__, fresh_error_())), __FILE__, __LINE__)

toolformer_error **fresh_error_(void);
toolformer_error *take_error_(void);  // what the last call has set; the caller's
bool call_ok_(toolformer_status status, const char *file, int line, const char *what);
bool call_fails_(Failure expected, toolformer_status status, const char *file, int line);

bool equal(toolformer_string text, const char *expected);
bool contains(toolformer_string text, const char *part);
toolformer_ids ids_of(const int32_t *data, size_t size);

// A path under the source tree, or in a folder of its own for the run; valid until the next call but three.
toolformer_string fixture(const char *name);
toolformer_string temporary(const char *name);

// ---- A model of the host's own ----

// Ids: 0 start, 1 end, 2 to 257 the bytes.
enum { kStart = 0, kEnd = 1, kFirstByte = 2, kVocabulary = 258 };

// Where a text ends with `after`, the model writes `write`, provided that the text has `given` in it. The longest
// match counts; "\x01" in `write` is the end token.
typedef struct Rule {
  const char *given;  // "": always
  const char *after;
  const char *write;
} Rule;

typedef struct Script {
  const Rule *rules;
  size_t count;
  atomic_int forwards;
  atomic_int slow_ms;  // how long a pass takes
  atomic_int destroyed;
  toolformer_status status;  // what `forward` returns; not OK: with a message
} Script;

toolformer_tokenizer *byte_tokenizer(void);
toolformer_model *script_model(Script *script);

// Rules of a model that asks the tool Convert for "Ten km is" and goes on with what it says.
extern const Rule kConvertRules[];
extern const size_t kConvertRuleCount;

// ---- A tool of the host's own ----

typedef struct Converter {
  atomic_int calls;
  atomic_int destroyed;
  atomic_int slow_ms;      // how long an answer takes
  void (*before)(void *);  // runs in each call, with `argument`
  void *argument;
} Converter;

// Fills `tool`: Convert("10 km") is "6.21", anything else is an error.
void converter_tool(Converter *converter, toolformer_tool *tool);
toolformer_registry *converter_registry(Converter *converter);
void sleep_ms(int milliseconds);

// Whether a count gets there: what an abandoned call holds is let go of when it returns, on its own thread.
bool becomes(atomic_int *count, int value);

// Sizes and offsets of all structs, a line each, as a C++ compiler has them; to be freed.
char *layout_of_cpp(void);

// ---- The groups of tests ----

void test_base(void);
void test_models(void);
void test_host(void);
void test_tools(void);
void test_annotation(void);
void test_decoding(void);
void test_training(void);
void test_misuse(void);
void test_structs(void);
void test_null(void);
void test_threads(void);
void test_memory(void);

#endif  // TOOLFORMER_TESTS_CAPI_CHECK_H_
