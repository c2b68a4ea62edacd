// Models of files and their tokenizers.
#include <math.h>

#include "check.h"
#include "dlpack.h"

static int progress_calls;
static uint64_t progress_done, progress_total;

static void progress(void *user_data, uint64_t done, uint64_t total) {
  CHECK(user_data == &progress_calls);
  ++progress_calls;
  progress_done = done;
  progress_total = total;
}

static toolformer_model *load(const char *name) {
  toolformer_model *model = NULL;
  CALL(toolformer_model_load, fixture(name), NULL, &model);
  return model;
}

static void test_loading(void) {
  toolformer_model_options options;
  toolformer_model_options_init(&options, sizeof(options));
  CHECK(equal(options.device, "cpu"));
  options.progress = progress;
  options.progress_data = &progress_calls;
  options.context_length = 100;
  toolformer_model *model = NULL;
  CALL(toolformer_model_load, fixture("models/llama_gqa"), &options, &model);
  CHECK(progress_calls > 0 && progress_done == progress_total && progress_total > 100000);
  toolformer_model_info info = {.struct_size = sizeof(info)};
  CALL(toolformer_model_get_info, model, &info);
  CHECK(equal(info.family, "llama"));
  CHECK(contains(info.path, "llama_gqa"));
  CHECK(info.fingerprint.size > 8);
  CHECK(info.layers == 2 && info.hidden == 48 && info.vocab_size == 320 && info.context_length == 100);
  CHECK(info.parameters > 10000 && info.weights == TOOLFORMER_WEIGHTS_F32 && info.approximate == 0);

  CALL(toolformer_model_save, model, temporary("saved"));
  toolformer_model *saved = NULL;
  CALL(toolformer_model_load, temporary("saved"), NULL, &saved);
  toolformer_model_free(saved);
  FAILS(TOOLFORMER_ERROR_IO, "/dev/null", toolformer_model_save, model, toolformer_str("/dev/null/folder"));
  toolformer_model_free(model);

  model = NULL;
  options.weights = TOOLFORMER_WEIGHTS_INT8;
  CALL(toolformer_model_load, fixture("models/llama_gqa"), &options, &model);
  CALL(toolformer_model_get_info, model, &info);
  CHECK(info.weights == TOOLFORMER_WEIGHTS_INT8 && info.approximate == 1);
  toolformer_model_free(model);

  model = NULL;
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "/nowhere", toolformer_model_load, toolformer_str("/nowhere"), NULL, &model);
  FAILS(TOOLFORMER_ERROR_CORRUPT, NULL, toolformer_model_load, fixture("models/llama_gqa/model.safetensors"), NULL,
        &model);
  options.weights = 9;
  FAILS(TOOLFORMER_ERROR_INVALID, "weights is 9", toolformer_model_load, fixture("models/llama_gqa"), &options, &model);
  options.weights = TOOLFORMER_WEIGHTS_DEFAULT;
  options.device = toolformer_str("abacus");
  FAILS(TOOLFORMER_ERROR_INVALID, "abacus", toolformer_model_load, fixture("models/llama_gqa"), &options, &model);
  options.device = toolformer_str("cpu");
  options.plain_kernels = 2;
  FAILS(TOOLFORMER_ERROR_INVALID, "plain_kernels is 2", toolformer_model_load, fixture("models/llama_gqa"), &options,
        &model);
  CHECK(model == NULL);
}

// The last row of the logits of `ids`, in one go.
static toolformer_tensor *logits_of(const toolformer_model *model, toolformer_ids ids, toolformer_cache *cache) {
  const int64_t last = (int64_t)ids.size - 1;
  const toolformer_row row = {ids, &last, 1, cache};
  toolformer_tensor *logits = NULL;
  CALL(toolformer_model_forward, model, &row, 1, &logits);
  return logits;
}

static bool same_numbers(const toolformer_tensor *a, const toolformer_tensor *b) {
  const toolformer_array x = toolformer_tensor_array(a);
  const toolformer_array y = toolformer_tensor_array(b);
  return x.rank == 2 && y.rank == 2 && x.shape[1] == y.shape[1] &&
         memcmp(x.data, y.data, (size_t)x.shape[1] * sizeof(float)) == 0;
}

static void test_running(void) {
  static const int32_t ids[] = {0, 5, 7, 11, 13, 17};
  toolformer_model *model = load("models/llama_gqa");
  toolformer_tensor *whole = logits_of(model, ids_of(ids, 6), NULL);
  const toolformer_array array = toolformer_tensor_array(whole);
  CHECK(array.rank == 2 && array.shape[0] == 1 && array.shape[1] == 320 && array.dtype == TOOLFORMER_TYPE_F32);
  CHECK(toolformer_tensor_ids(whole).size == 0);

  toolformer_cache *cache = NULL;
  CALL(toolformer_cache_new, model, &cache);
  toolformer_tensor_free(logits_of(model, ids_of(ids, 4), cache));
  CHECK(toolformer_cache_length(cache) == 4);
  toolformer_cache *fork = NULL;
  CALL(toolformer_cache_fork, cache, &fork);
  toolformer_tensor *rest = logits_of(model, ids_of(ids + 4, 2), cache);
  CHECK(same_numbers(whole, rest));
  CHECK(toolformer_cache_length(cache) == 6 && toolformer_cache_length(fork) == 4);
  toolformer_tensor_free(rest);
  CALL(toolformer_cache_truncate, fork, 2);
  FAILS(TOOLFORMER_ERROR_LIMIT, NULL, toolformer_cache_truncate, fork, 3);
  FAILS(TOOLFORMER_ERROR_LIMIT, NULL, toolformer_cache_truncate, fork, -1);
  rest = logits_of(model, ids_of(ids + 2, 4), fork);
  CHECK(same_numbers(whole, rest));
  toolformer_tensor_free(rest);

  toolformer_tensor *none = NULL;
  const int64_t index = 0;
  const toolformer_row twice[] = {{ids_of(ids, 1), &index, 1, cache}, {ids_of(ids, 1), &index, 1, cache}};
  FAILS(TOOLFORMER_ERROR_INVALID, "same cache", toolformer_model_forward, model, twice, 2, &none);
  FAILS(TOOLFORMER_ERROR_INVALID, "no elements", toolformer_model_forward, model, twice, 0, &none);
  const int32_t outside[] = {320};
  const toolformer_row row = {ids_of(outside, 1), &index, 1, NULL};
  FAILS(TOOLFORMER_ERROR_INVALID, "320", toolformer_model_forward, model, &row, 1, &none);
  const int64_t wanted = 1;
  const toolformer_row beyond = {ids_of(ids, 1), &wanted, 1, NULL};
  FAILS(TOOLFORMER_ERROR_INVALID, NULL, toolformer_model_forward, model, &beyond, 1, &none);
  static int32_t many[300];
  const toolformer_row too_long = {ids_of(many, 300), &index, 1, NULL};
  FAILS(TOOLFORMER_ERROR_LIMIT, "256", toolformer_model_forward, model, &too_long, 1, &none);
  toolformer_model *other = load("models/gpt2_small");
  FAILS(TOOLFORMER_ERROR_INVALID, "another model", toolformer_model_forward, other, twice, 1, &none);
  CHECK(none == NULL && toolformer_cache_length(cache) == 6);
  toolformer_model_free(other);

  // A capsule outlives its tensor, and caches their model.
  DLManagedTensor *capsule = NULL;
  CALL(toolformer_tensor_to_dlpack, whole, &capsule);
  const float first = ((const float *)array.data)[0];
  toolformer_tensor_free(whole);
  CHECK(capsule->tensor.rank == 2 && capsule->tensor.shape[1] == 320 && capsule->tensor.device.type == 1);
  CHECK(capsule->tensor.type.code == 2 && capsule->tensor.type.bits == 32);
  CHECK(((const float *)capsule->tensor.data)[0] == first);
  capsule->deleter(capsule);
  toolformer_model_free(model);
  CHECK(toolformer_cache_length(fork) == 6);
  toolformer_cache_free(fork);
  toolformer_cache_free(cache);
}

static int windows;

static void window_done(void *user_data, int64_t tokens, double nats) {
  ++*(int *)user_data;
  CHECK(tokens > 0 && nats > 0);
}

static void test_loss(void) {
  toolformer_model *model = load("models/llama_gqa");
  static int32_t ids[600];
  for (int i = 0; i < 600; ++i) ids[i] = 1 + (i * 7) % 300;
  toolformer_loss loss = {.struct_size = sizeof(loss)};
  CALL(toolformer_model_loss, model, ids_of(ids, 600), NULL, &loss);
  CHECK(loss.tokens == 600);
  CHECK(fabs(loss.perplexity - exp(loss.nats / 600)) < 1e-9 * loss.perplexity);
  // Without the opening of calls less is to be told apart: every other token is likelier.
  const double disabled_mean = loss.calls_disabled_nats / (double)loss.calls_disabled_tokens;
  CHECK(loss.calls_disabled_tokens > 0 && loss.calls_disabled_tokens <= 600);
  CHECK(loss.calls_disabled_nats < loss.nats);
  CHECK(fabs(loss.calls_disabled_perplexity - exp(disabled_mean)) < 1e-9 * loss.calls_disabled_perplexity);
  // An untrained model knows about as much as chance.
  CHECK(loss.nats / 600 > 0.8 * log(320) && loss.nats / 600 < 1.5 * log(320));

  // One token behind the start token: -log p is what the logits say.
  toolformer_loss_options options;
  toolformer_loss_options_init(&options, sizeof(options));
  options.window = 2;
  options.progress = window_done;
  options.progress_data = &windows;
  CALL(toolformer_model_loss, model, ids_of(ids, 3), &options, &loss);
  CHECK(windows == 3);
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_model_tokenizer, model, &tokenizer);
  const int32_t start = toolformer_tokenizer_start_id(tokenizer);
  toolformer_tensor *logits = logits_of(model, ids_of(&start, 1), NULL);
  const float *numbers = toolformer_tensor_array(logits).data;
  double sum = 0;
  for (int i = 0; i < 320; ++i) sum += exp(numbers[i]);
  double expected = 0;
  for (int i = 0; i < 3; ++i) expected += log(sum) - numbers[ids[i]];
  CHECK(fabs(loss.nats - expected) < 1e-4);
  toolformer_tensor_free(logits);
  toolformer_tokenizer_free(tokenizer);

  options.window = 1;
  FAILS(TOOLFORMER_ERROR_INVALID, "window", toolformer_model_loss, model, ids_of(ids, 3), &options, &loss);
  options.window = 2;
  options.interrupt.timeout_ms = 1;
  FAILS(TOOLFORMER_ERROR_TIMEOUT, NULL, toolformer_model_loss, model, ids_of(ids, 600), &options, &loss);
  FAILS(TOOLFORMER_ERROR_INVALID, "no tokens", toolformer_model_loss, model, ids_of(NULL, 0), NULL, &loss);
  CHECK(loss.tokens == 3);
  toolformer_model_free(model);
}

static void test_tokenizers(void) {
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_tokenizer_load, fixture("models/llama_gqa"), &tokenizer);
  CHECK(toolformer_tokenizer_vocab_size(tokenizer) > 256);
  CHECK(toolformer_tokenizer_start_id(tokenizer) == 0);
  CHECK(toolformer_tokenizer_end_ids(tokenizer).size == 1);
  const toolformer_string text = {"The end\0 of <|endoftext|> \xff.", 28};
  toolformer_tensor *ids = NULL;
  toolformer_bytes *back = NULL;
  CALL(toolformer_tokenizer_encode, tokenizer, text, 0, &ids);
  const toolformer_ids view = toolformer_tensor_ids(ids);
  CHECK(view.size > 10);
  for (size_t i = 0; i < view.size; ++i) CHECK(view.data[i] != 0);  // a control token is never read out of a text
  CALL(toolformer_tokenizer_decode, tokenizer, view, &back);
  CHECK(toolformer_bytes_view(back).size == text.size);
  CHECK(memcmp(toolformer_bytes_view(back).data, text.data, text.size) == 0);
  size_t bytes = 0;
  for (size_t i = 0; i < view.size; ++i) bytes += toolformer_tokenizer_token_bytes(tokenizer, view.data[i]).size;
  CHECK(bytes == text.size);
  CHECK(toolformer_tokenizer_token_bytes(tokenizer, -1).size == 0);
  CHECK(toolformer_tokenizer_token_bytes(tokenizer, 320).size == 0);
  toolformer_bytes_free(back);
  toolformer_tensor_free(ids);
  ids = NULL;
  FAILS(TOOLFORMER_ERROR_INVALID, "continuation is 2", toolformer_tokenizer_encode, tokenizer, text, 2, &ids);
  CALL(toolformer_tokenizer_encode, tokenizer, toolformer_str(""), 1, &ids);
  CHECK(toolformer_tensor_ids(ids).size == 0 && toolformer_tensor_array(ids).rank == 1);
  toolformer_tensor_free(ids);
  toolformer_tokenizer_free(tokenizer);
  tokenizer = NULL;
  FAILS(TOOLFORMER_ERROR_CORRUPT, "config.json", toolformer_tokenizer_load, fixture("models/llama_gqa/config.json"),
        &tokenizer);
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, NULL, toolformer_tokenizer_load, fixture("models"), &tokenizer);
  CHECK(tokenizer == NULL);
}

void test_models(void) {
  test_loading();
  test_running();
  test_loss();
  test_tokenizers();
}
