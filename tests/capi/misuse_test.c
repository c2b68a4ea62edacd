// What hosts get wrong, and the order in which languages with collectors free things.
#include "check.h"

typedef struct Parts {
  Script script;
  Converter converter;
  toolformer_model *model;
  toolformer_registry *registry;
  toolformer_executor *executor;
  toolformer_decoder *decoder;
  toolformer_annotator *annotator;
} Parts;

static void make(Parts *parts) {
  memset(parts, 0, sizeof(*parts));
  parts->script.rules = kConvertRules;
  parts->script.count = kConvertRuleCount;
  parts->model = script_model(&parts->script);
  parts->registry = converter_registry(&parts->converter);
  CALL(toolformer_executor_new, parts->registry, NULL, &parts->executor);
  CALL(toolformer_decoder_new, parts->model, parts->executor, &parts->decoder);
  CALL(toolformer_annotator_new, parts->model, parts->registry, NULL, &parts->annotator);
}

static void drop(Parts *parts) {
  toolformer_decoder_free(parts->decoder);
  toolformer_annotator_free(parts->annotator);
  toolformer_executor_free(parts->executor);
  toolformer_registry_free(parts->registry);
  toolformer_model_free(parts->model);
  CHECK(parts->script.destroyed == 1 && parts->converter.destroyed == 1);
}

static const char kOutput[] = " [Convert(10 km) -> 6.21] 6.21 miles.";

// A handle of another type is noticed; so is freeing it as one, which does nothing.
static void test_wrong_handles(void) {
  Parts parts;
  make(&parts);
  toolformer_decoder *decoder = NULL;
  FAILS(TOOLFORMER_ERROR_INVALID, "model is not a live toolformer_model", toolformer_decoder_new,
        (const toolformer_model *)parts.registry, parts.executor, &decoder);
  FAILS(TOOLFORMER_ERROR_INVALID, "executor is not a live toolformer_executor", toolformer_decoder_new, parts.model,
        (const toolformer_executor *)parts.annotator, &decoder);
  toolformer_model_free((toolformer_model *)parts.registry);
  CHECK(toolformer_registry_count(parts.registry) == 1);
  CHECK(toolformer_registry_count((const toolformer_registry *)parts.model) == 0);
  CHECK(toolformer_generation_text((const toolformer_generation *)parts.model).size == 0);
  CHECK(decoder == NULL);
  drop(&parts);
}

// Parents go first.
static void test_order(void) {
  Parts parts;
  make(&parts);
  toolformer_model_free(parts.model);
  toolformer_registry_free(parts.registry);
  toolformer_executor_free(parts.executor);
  CHECK(parts.script.destroyed == 0 && parts.converter.destroyed == 0);
  toolformer_generation *generation = NULL;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str("Ten km is"), NULL, &generation);
  toolformer_decoder_free(parts.decoder);
  CHECK(equal(toolformer_generation_text(generation), kOutput));
  toolformer_generation_free(generation);
  toolformer_annotator_free(parts.annotator);
  CHECK(parts.script.destroyed == 1 && parts.converter.destroyed == 1);
}

// A tool that turns on the decoder that called it.
static void reenter(void *argument) {
  const Parts *parts = argument;
  toolformer_generation *generation = NULL;
  FAILS(TOOLFORMER_ERROR_BUSY, "decoder is in use", toolformer_decoder_decode, parts->decoder,
        toolformer_str("Ten km is"), NULL, &generation);
  CHECK(generation == NULL);
}

static toolformer_status no_document(void *user_data, toolformer_reply *reply) {
  (void)user_data;
  (void)reply;
  return TOOLFORMER_OK;
}

static toolformer_status no_annotation(void *user_data, toolformer_annotation *annotation) {
  (void)user_data;
  toolformer_annotation_free(annotation);
  return TOOLFORMER_OK;
}

static void reenter_annotator(void *argument) {
  const Parts *parts = argument;
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  toolformer_annotation *annotation = NULL;
  FAILS(TOOLFORMER_ERROR_BUSY, "annotator is in use", toolformer_annotator_annotate, parts->annotator, &document, NULL,
        &annotation);
  toolformer_stream stream;
  toolformer_stream_init(&stream, sizeof(stream));
  stream.next = no_document;
  stream.take = no_annotation;
  FAILS(TOOLFORMER_ERROR_BUSY, "annotator is in use", toolformer_annotator_stream, parts->annotator, &stream);
}

static void free_decoder(void *argument) {
  Parts *parts = argument;
  toolformer_decoder_free(parts->decoder);
  toolformer_executor_free(parts->executor);
  toolformer_registry_free(parts->registry);
  toolformer_model_free(parts->model);
  parts->decoder = NULL;
  parts->executor = NULL;
  parts->registry = NULL;
  parts->model = NULL;
}

static void add_tool(void *argument) {
  Parts *parts = argument;
  toolformer_error **error = fresh_error_();
  (void)!toolformer_registry_add_builtin(parts->registry, toolformer_str("Calculator"), NULL, error);
}

static void test_callbacks(void) {
  Parts parts;
  make(&parts);
  parts.converter.before = reenter;
  parts.converter.argument = &parts;
  toolformer_generation *generation = NULL;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str("Ten km is"), NULL, &generation);
  CHECK(equal(toolformer_generation_text(generation), kOutput));
  toolformer_generation_free(generation);
  CHECK(parts.converter.calls == 1);

  // Adding to a registry from one of its tools is fine: what runs has the tools that it began with.
  parts.converter.before = add_tool;
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  document.text = toolformer_str("Ten km is 6.21 miles.");
  toolformer_annotation *annotation = NULL;
  CALL(toolformer_annotator_annotate, parts.annotator, &document, NULL, &annotation);
  CHECK(toolformer_annotation_tool_count(annotation) == 1);
  CHECK(toolformer_registry_count(parts.registry) == 2);
  toolformer_annotation_free(annotation);
  toolformer_annotator_free(parts.annotator);
  CALL(toolformer_annotator_new, parts.model, parts.registry, NULL, &parts.annotator);
  parts.converter.before = reenter_annotator;
  CALL(toolformer_annotator_annotate, parts.annotator, &document, NULL, &annotation);
  CHECK(toolformer_annotation_tool_count(annotation) == 2);
  toolformer_annotation_free(annotation);

  // Everything is freed under a call that is under way: it ends as if nothing had happened.
  toolformer_executor_free(parts.executor);
  toolformer_decoder_free(parts.decoder);
  CALL(toolformer_executor_new, parts.registry, NULL, &parts.executor);
  CALL(toolformer_decoder_new, parts.model, parts.executor, &parts.decoder);
  parts.converter.before = free_decoder;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str("Ten km is"), NULL, &generation);
  CHECK(equal(toolformer_generation_text(generation), kOutput));
  CHECK(parts.decoder == NULL);
  toolformer_generation_free(generation);
  parts.converter.before = NULL;
  drop(&parts);
}

// Values that no constant has, and numbers that are none.
static void test_values(void) {
  Parts parts;
  make(&parts);
  toolformer_decode_options options;
  toolformer_decode_options_init(&options, sizeof(options));
  toolformer_generation *generation = NULL;
  const toolformer_string prompt = toolformer_str("x");
#define DECODE_FAILS(text, change)                                                                                  \
  {                                                                                                                 \
    const toolformer_decode_options before = options;                                                               \
    change;                                                                                                         \
    FAILS(TOOLFORMER_ERROR_INVALID, text, toolformer_decoder_decode, parts.decoder, prompt, &options, &generation); \
    options = before;                                                                                               \
  }
  DECODE_FAILS("tool_use", options.tool_use = -1)
  DECODE_FAILS("reserved", options.reserved = 1)
  DECODE_FAILS("max_new_tokens", options.max_new_tokens = -1)
  DECODE_FAILS("opening_top_k", options.opening_top_k = 0)
  DECODE_FAILS("max_calls", options.max_calls = 17)
  DECODE_FAILS("max_call_tokens", options.max_call_tokens = 0)
  DECODE_FAILS("max_result_tokens", options.max_result_tokens = INT64_MIN)
  DECODE_FAILS("temperature", options.temperature = -1)
  DECODE_FAILS("temperature", options.temperature = 0.0 / (double)(options.seed == 1))
  DECODE_FAILS("max_batch_rows", options.max_batch_rows = 0)
  DECODE_FAILS("max_read_tokens", options.max_read_tokens = 0)
  DECODE_FAILS("options.stop is NULL", options.stop_count = 1)
  DECODE_FAILS("nothing has", options.stop = &prompt; options.stop_count = (size_t)-1)
  DECODE_FAILS("interrupt.cancel", options.interrupt.cancel = (const toolformer_cancel_token *)parts.model)
  options.max_new_tokens = 0;
  CALL(toolformer_decoder_decode, parts.decoder, prompt, &options, &generation);
  CHECK(toolformer_generation_text(generation).size == 0);
  toolformer_generation_free(generation);
  generation = NULL;
  drop(&parts);
}

void test_misuse(void) {
  test_wrong_handles();
  test_order();
  test_callbacks();
  test_values();
}
