// Continuing prompts: tools, events, batches, stops, cancelling, deadlines.
#include <math.h>

#include "check.h"

typedef struct Events {
  char text[1024];
  size_t size;
  const toolformer_cancel_token *cancel_at_call;
} Events;

static void record(void *user_data, int32_t event, toolformer_string text, size_t row) {
  Events *events = user_data;
  static const char *const kMarks[] = {"", "T", "C", "R", "E"};
  events->size += (size_t)snprintf(events->text + events->size, sizeof(events->text) - events->size, "%s%zu:%.*s|",
                                   kMarks[event], row, (int)text.size, text.data);
  if (event == TOOLFORMER_EVENT_CALL) toolformer_cancel_token_cancel(events->cancel_at_call);
}

typedef struct Parts {
  Script script;
  Converter converter;
  toolformer_model *model;
  toolformer_registry *registry;
  toolformer_executor *executor;
  toolformer_decoder *decoder;
  toolformer_decode_options options;
} Parts;

static void make(Parts *parts) {
  memset(parts, 0, sizeof(*parts));
  parts->script.rules = kConvertRules;
  parts->script.count = kConvertRuleCount;
  parts->model = script_model(&parts->script);
  parts->registry = converter_registry(&parts->converter);
  CALL(toolformer_executor_new, parts->registry, NULL, &parts->executor);
  CALL(toolformer_decoder_new, parts->model, parts->executor, &parts->decoder);
  toolformer_decode_options_init(&parts->options, sizeof(parts->options));
  parts->options.opening_top_k = 1;
  parts->options.max_new_tokens = 64;
}

static void drop(Parts *parts) {
  toolformer_decoder_free(parts->decoder);
  toolformer_executor_free(parts->executor);
  toolformer_registry_free(parts->registry);
  toolformer_model_free(parts->model);
  CHECK(parts->script.destroyed == 1);
  CHECK(becomes(&parts->converter.destroyed, 1));
}

static const char kPrompt[] = "Ten km is";

static void test_call(void) {
  Parts parts;
  make(&parts);
  Events events = {.size = 0};
  parts.options.on_event = record;
  parts.options.event_data = &events;
  toolformer_generation *generation = NULL;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt), &parts.options, &generation);
  CHECK(equal(toolformer_generation_text(generation), " [Convert(10 km) -> 6.21] 6.21 miles."));
  CHECK(equal(toolformer_generation_plain_text(generation), " 6.21 miles."));
  CHECK(toolformer_generation_stop_reason(generation) == TOOLFORMER_STOP_END_TOKEN);
  CHECK(toolformer_generation_tokens(generation) > 12);
  CHECK(toolformer_generation_call_count(generation) == 1);
  toolformer_decoded_call call = {.struct_size = sizeof(call)};
  CALL(toolformer_generation_get_call, generation, 0, &call);
  CHECK(equal(call.tool, "Convert"));
  CHECK(equal(call.input, "10 km"));
  CHECK(equal(call.result, "6.21"));
  CHECK(equal(call.error, ""));
  CHECK(call.failed == 0 && call.byte_offset == 1);
  // Logits 20 for '[' and 0 for the 257 others.
  CHECK(fabs(call.probability - 1 / (1 + 257 * exp(-20))) < 1e-6);
  CHECK(toolformer_generation_probability(generation) == call.probability);
  FAILS(TOOLFORMER_ERROR_INVALID, "index 1 of 1", toolformer_generation_get_call, generation, 1, &call);
  CHECK(contains((toolformer_string){events.text, events.size}, "C0:Convert(10 km)|R0:6.21|T0:"));
  toolformer_generation_free(generation);
  drop(&parts);
}

static void test_tool_use(void) {
  Parts parts;
  make(&parts);
  toolformer_generation *generation = NULL;
  parts.options.tool_use = TOOLFORMER_TOOLS_DISABLED;
  parts.options.max_new_tokens = 3;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt), &parts.options, &generation);
  CHECK(!contains(toolformer_generation_text(generation), "["));
  CHECK(toolformer_generation_stop_reason(generation) == TOOLFORMER_STOP_MAX_TOKENS);
  CHECK(toolformer_generation_tokens(generation) == 3);
  CHECK(toolformer_generation_probability(generation) == 0);
  toolformer_generation_free(generation);

  const toolformer_string stop[] = {{"miles", 5}, {"never", 5}};
  parts.options.tool_use = TOOLFORMER_TOOLS_IN_CONTEXT;
  parts.options.max_new_tokens = 64;
  parts.options.stop = stop;
  parts.options.stop_count = 2;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt), &parts.options, &generation);
  CHECK(equal(toolformer_generation_text(generation), " [Convert(10 km) -> 6.21] 6.21 "));
  CHECK(toolformer_generation_stop_reason(generation) == TOOLFORMER_STOP_TEXT);
  toolformer_generation_free(generation);

  parts.options.tool_use = 7;
  generation = NULL;
  FAILS(TOOLFORMER_ERROR_INVALID, "tool_use is 7", toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt),
        &parts.options, &generation);
  CHECK(generation == NULL);
  drop(&parts);
}

static void test_tool_error(void) {
  static const Rule kRules[] = {{"", "km is", "["}, {"", "km is [", "Convert(9 km) ->"}, {"", "->]", " far.\x01"}};
  Parts parts;
  make(&parts);
  parts.script.rules = kRules;
  parts.script.count = 3;
  Events events = {.size = 0};
  parts.options.on_event = record;
  parts.options.event_data = &events;
  toolformer_generation *generation = NULL;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str("Nine km is"), &parts.options, &generation);
  CHECK(equal(toolformer_generation_text(generation), " [Convert(9 km) ->] far."));
  toolformer_decoded_call call = {.struct_size = sizeof(call)};
  CALL(toolformer_generation_get_call, generation, 0, &call);
  CHECK(call.failed == 1);
  CHECK(equal(call.error, "not a length"));
  CHECK(contains((toolformer_string){events.text, events.size}, "E0:not a length|"));
  toolformer_generation_free(generation);
  drop(&parts);
}

static void test_batch(void) {
  Parts parts;
  make(&parts);
  char *long_prompt = malloc(5000);
  memset(long_prompt, 'y', 5000);
  const toolformer_string prompts[] = {{kPrompt, sizeof(kPrompt) - 1}, {long_prompt, 5000}, {"x", 1}};
  toolformer_generation *generations[3] = {NULL, NULL, NULL};
  toolformer_error *errors[3] = {NULL, NULL, NULL};
  CALL(toolformer_decoder_decode_batch, parts.decoder, prompts, 3, &parts.options, generations, errors);
  CHECK(equal(toolformer_generation_text(generations[0]), " [Convert(10 km) -> 6.21] 6.21 miles."));
  CHECK(errors[0] == NULL && errors[2] == NULL && generations[2] != NULL);
  CHECK(generations[1] == NULL);
  CHECK(toolformer_error_status(errors[1]) == TOOLFORMER_ERROR_LIMIT);
  for (int i = 0; i < 3; ++i) {
    toolformer_generation_free(generations[i]);
    toolformer_error_free(errors[i]);
    generations[i] = NULL;
  }
  CALL(toolformer_decoder_decode_batch, parts.decoder, prompts, 2, &parts.options, generations, NULL);
  CHECK(generations[0] != NULL && generations[1] == NULL);
  toolformer_generation_free(generations[0]);
  generations[0] = NULL;
  CALL(toolformer_decoder_decode_batch, parts.decoder, prompts, 0, &parts.options, generations, errors);
  toolformer_generation *one = NULL;
  FAILS(TOOLFORMER_ERROR_LIMIT, "context", toolformer_decoder_decode, parts.decoder, prompts[1], &parts.options, &one);
  free(long_prompt);
  drop(&parts);
}

static void test_interrupts(void) {
  Parts parts;
  make(&parts);
  toolformer_cancel_token *token = NULL;
  toolformer_cancel_token *second = NULL;
  CALL(toolformer_cancel_token_new, &token);
  CALL(toolformer_cancel_token_share, token, &second);
  toolformer_generation *generation = NULL;
  parts.options.interrupt.cancel = token;
  toolformer_cancel_token_cancel(second);
  FAILS(TOOLFORMER_ERROR_CANCELLED, NULL, toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt),
        &parts.options, &generation);
  CHECK(generation == NULL);
  // From a callback, while the tool is about to run; the handles may go before the work does.
  toolformer_cancel_token_reset(token);
  Events events = {.size = 0, .cancel_at_call = second};
  parts.options.on_event = record;
  parts.options.event_data = &events;
  FAILS(TOOLFORMER_ERROR_CANCELLED, NULL, toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt),
        &parts.options, &generation);
  parts.options.on_event = NULL;
  toolformer_cancel_token_reset(token);
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt), &parts.options, &generation);
  toolformer_generation_free(generation);
  generation = NULL;
  toolformer_cancel_token_free(token);
  toolformer_cancel_token_free(second);
  parts.options.interrupt.cancel = NULL;

  // What a tool answers after the deadline is dropped. The cached answer must not be taken.
  toolformer_decoder_free(parts.decoder);
  toolformer_executor_free(parts.executor);
  CALL(toolformer_executor_new, parts.registry, NULL, &parts.executor);
  CALL(toolformer_decoder_new, parts.model, parts.executor, &parts.decoder);
  parts.converter.slow_ms = 400;
  parts.options.interrupt.timeout_ms = 100;
  FAILS(TOOLFORMER_ERROR_TIMEOUT, NULL, toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt),
        &parts.options, &generation);
  parts.converter.slow_ms = 0;
  parts.options.interrupt.timeout_ms = UINT64_MAX;  // as good as none
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt), &parts.options, &generation);
  toolformer_generation_free(generation);
  drop(&parts);
}

static void test_host_failure(void) {
  Parts parts;
  make(&parts);
  parts.script.status = TOOLFORMER_ERROR_IO;
  toolformer_generation *generation = NULL;
  FAILS(TOOLFORMER_ERROR_CALLBACK, "the script is torn", toolformer_decoder_decode, parts.decoder,
        toolformer_str(kPrompt), &parts.options, &generation);
  parts.script.status = TOOLFORMER_OK;
  CALL(toolformer_decoder_decode, parts.decoder, toolformer_str(kPrompt), NULL, &generation);
  toolformer_generation_free(generation);
  drop(&parts);
}

void test_decoding(void) {
  test_call();
  test_tool_use();
  test_tool_error();
  test_batch();
  test_interrupts();
  test_host_failure();
}
