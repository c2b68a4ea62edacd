// What is made a thousand times leaves nothing behind.
#define _GNU_SOURCE
#include <malloc.h>

#include "check.h"

// Bytes that the program holds from malloc.
static size_t held(void) {
  malloc_trim(0);
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static void load_once(void) {
  toolformer_model *model = NULL;
  CALL(toolformer_model_load, fixture("models/llama_gqa"), NULL, &model);
  toolformer_model_free(model);
  toolformer_error *error = NULL;
  CHECK(toolformer_model_load(toolformer_str("/nowhere"), NULL, &model, &error) == TOOLFORMER_ERROR_NOT_FOUND);
  toolformer_error_free(error);
}

static toolformer_decoder *decoder;
static void decode_once(void) {
  toolformer_generation *generation = NULL;
  CALL(toolformer_decoder_decode, decoder, toolformer_str("Ten km is"), NULL, &generation);
  toolformer_generation_free(generation);
}

// After a tenth of the rounds, in which caches of allocators and libraries fill, memory stays where it is. Sanitizers
// have an allocator of their own, and count leaks themselves.
static void check_growth(void (*once)(void), int rounds) {
  for (int i = 0; i < rounds / 10; ++i) once();
  const size_t before = held();
  for (int i = 0; i < rounds; ++i) once();
  const size_t after = held();
  if (!CHECK(after <= before + (size_t)rounds * 16)) {
    fprintf(stderr, "  %zu bytes before, %zu after %d rounds\n", before, after, rounds);
  }
}

void test_memory(void) {
  check_growth(load_once, 1000);
  Script script = {.rules = kConvertRules, .count = kConvertRuleCount};
  Converter converter = {.calls = 0};
  toolformer_model *model = script_model(&script);
  toolformer_registry *registry = converter_registry(&converter);
  toolformer_executor *executor = NULL;
  CALL(toolformer_executor_new, registry, NULL, &executor);
  CALL(toolformer_decoder_new, model, executor, &decoder);
  check_growth(decode_once, 1000);
  toolformer_decoder_free(decoder);
  toolformer_executor_free(executor);
  toolformer_registry_free(registry);
  toolformer_model_free(model);
  CHECK(script.destroyed == 1 && converter.destroyed == 1);
}
