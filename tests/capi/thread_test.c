// Eight threads on one model, one registry and one executor; a cancel token from another thread; two threads on what is
// for one.
#include <pthread.h>

#include "check.h"

enum { kThreads = 8 };

typedef struct Shared {
  Script script;
  Converter converter;
  toolformer_model *model;
  toolformer_model *loaded;
  toolformer_registry *registry;
  toolformer_executor *executor;
  toolformer_decoder *decoder;
  toolformer_cancel_token *token;
  toolformer_cancel_token *theirs;  // of the thread that cancels
  int passes;                       // of the model, before it has something to cancel
  atomic_int busy, done;
} Shared;

static void *work(void *argument) {
  Shared *shared = argument;
  toolformer_decoder *decoder = NULL;
  CALL(toolformer_decoder_new, shared->model, shared->executor, &decoder);
  toolformer_annotator *annotator = NULL;
  CALL(toolformer_annotator_new, shared->model, shared->registry, NULL, &annotator);
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  document.text = toolformer_str("Ten km is 6.21 miles.");
  for (int i = 0; i < 3; ++i) {
    toolformer_generation *generation = NULL;
    CALL(toolformer_decoder_decode, decoder, toolformer_str("Ten km is"), NULL, &generation);
    CHECK(equal(toolformer_generation_text(generation), " [Convert(10 km) -> 6.21] 6.21 miles."));
    toolformer_generation_free(generation);
    toolformer_annotation *annotation = NULL;
    CALL(toolformer_annotator_annotate, annotator, &document, NULL, &annotation);
    CHECK(toolformer_annotation_tool_count(annotation) >= 1);
    toolformer_annotation_free(annotation);
    // The model of files too: the same sums whoever else computes.
    static const int32_t ids[] = {0, 5, 7, 11};
    const int64_t last = 3;
    const toolformer_row row = {ids_of(ids, 4), &last, 1, NULL};
    toolformer_tensor *first = NULL;
    toolformer_tensor *second = NULL;
    CALL(toolformer_model_forward, shared->loaded, &row, 1, &first);
    CALL(toolformer_model_forward, shared->loaded, &row, 1, &second);
    CHECK(memcmp(toolformer_tensor_array(first).data, toolformer_tensor_array(second).data, 320 * sizeof(float)) == 0);
    toolformer_tensor_free(first);
    toolformer_tensor_free(second);
    toolformer_error **error = fresh_error_();  // one thread adds it, the others are refused
    const toolformer_status status =
        toolformer_registry_add_builtin(shared->registry, toolformer_str("Calculator"), NULL, error);
    CHECK(status == TOOLFORMER_OK || status == TOOLFORMER_ERROR_INVALID);
    toolformer_error_free(*error);
    CHECK(toolformer_registry_count(shared->registry) == 2);
  }
  toolformer_annotator_free(annotator);
  toolformer_decoder_free(decoder);
  return NULL;
}

// All on one decoder: each is served or refused.
static void *crowd(void *argument) {
  Shared *shared = argument;
  for (int i = 0; i < 5; ++i) {
    toolformer_generation *generation = NULL;
    toolformer_error *error = NULL;
    const toolformer_status status =
        toolformer_decoder_decode(shared->decoder, toolformer_str("Ten km is"), NULL, &generation, &error);
    if (status == TOOLFORMER_OK) {
      atomic_fetch_add(&shared->done, 1);
    } else {
      CHECK(status == TOOLFORMER_ERROR_BUSY && toolformer_error_status(error) == TOOLFORMER_ERROR_BUSY);
      atomic_fetch_add(&shared->busy, 1);
    }
    toolformer_generation_free(generation);
    toolformer_error_free(error);
  }
  return NULL;
}

// While the decoder is at work, and so refuses this thread.
static void *cancel_soon(void *argument) {
  Shared *shared = argument;
  const int before = shared->passes;
  for (int i = 0; i < 10000 && shared->script.forwards == before; ++i) sleep_ms(1);
  toolformer_generation *generation = NULL;
  FAILS(TOOLFORMER_ERROR_BUSY, "decoder is in use", toolformer_decoder_decode, shared->decoder, toolformer_str("x"), NULL,
        &generation);
  CHECK(generation == NULL);
  toolformer_cancel_token_cancel(shared->theirs);
  toolformer_cancel_token_free(shared->theirs);
  return NULL;
}

static void run(Shared *shared, void *(*body)(void *)) {
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], NULL, body, shared) == 0);
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

void test_threads(void) {
  Shared shared;
  memset(&shared, 0, sizeof(shared));
  shared.script.rules = kConvertRules;
  shared.script.count = kConvertRuleCount;
  shared.model = script_model(&shared.script);
  CALL(toolformer_model_load, fixture("models/llama_gqa"), NULL, &shared.loaded);
  shared.registry = converter_registry(&shared.converter);
  CALL(toolformer_executor_new, shared.registry, NULL, &shared.executor);
  run(&shared, work);
  CALL(toolformer_decoder_new, shared.model, shared.executor, &shared.decoder);
  run(&shared, crowd);
  CHECK(shared.done >= 1 && shared.done + shared.busy == 5 * kThreads);

  // A decode that would go on for long, cancelled from a thread with a handle of its own.
  CALL(toolformer_cancel_token_new, &shared.token);
  CALL(toolformer_cancel_token_share, shared.token, &shared.theirs);
  toolformer_decode_options options;
  toolformer_decode_options_init(&options, sizeof(options));
  options.max_new_tokens = 4000;
  options.tool_use = TOOLFORMER_TOOLS_DISABLED;
  options.interrupt.cancel = shared.token;
  shared.script.slow_ms = 2;
  shared.passes = shared.script.forwards;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, cancel_soon, &shared) == 0);
  toolformer_generation *generation = NULL;
  FAILS(TOOLFORMER_ERROR_CANCELLED, NULL, toolformer_decoder_decode, shared.decoder, toolformer_str("endless"),
        &options, &generation);
  CHECK(pthread_join(thread, NULL) == 0);
  toolformer_cancel_token_free(shared.token);

  toolformer_decoder_free(shared.decoder);
  toolformer_executor_free(shared.executor);
  toolformer_registry_free(shared.registry);
  toolformer_model_free(shared.loaded);
  toolformer_model_free(shared.model);
  CHECK(shared.script.destroyed == 1 && shared.converter.destroyed == 1);
}
