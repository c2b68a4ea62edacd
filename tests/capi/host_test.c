// Models and tokenizers of the host: what they may get wrong, and that what belongs to them is let go of once.
#include "check.h"
#include "dlpack.h"

static int destroyed;
static void count_destroyed(void *user_data) { *(int *)user_data += 1; }

// Runs inside the next call of `encode` or `forward`.
static void (*inside)(void);

static void run_inside(void) {
  void (*const run)(void) = inside;
  inside = NULL;
  if (run != NULL) run();
}

typedef enum Fault {
  kNoFault,
  kNoIds,
  kIdOutside,
  kIgnoresRefusal,
  kWrongKind,
  kBytesFail,
  kShape,
  kType,
  kTwice,
  kNothing,
  kNull
} Fault;
static Fault fault;

static toolformer_status encode(void *user_data, toolformer_string text, int32_t continuation,
                                toolformer_reply *reply) {
  (void)user_data;
  (void)continuation;
  run_inside();
  const int32_t outside = 3;
  if (fault == kIdOutside) return toolformer_reply_ids(reply, ids_of(&outside, 1));
  if (fault == kIgnoresRefusal) {
    CHECK(toolformer_reply_ids(reply, ids_of(&outside, 1)) == TOOLFORMER_ERROR_INVALID);
    return TOOLFORMER_OK;
  }
  if (fault == kWrongKind) return toolformer_reply_write(reply, text);
  const int32_t id = 1;
  return text.size == 0 || fault == kNoIds ? TOOLFORMER_OK : toolformer_reply_ids(reply, ids_of(&id, 1));
}

static toolformer_status token_bytes(void *user_data, int32_t id, toolformer_reply *reply) {
  (void)user_data;
  if (fault == kBytesFail && id == 2) {
    toolformer_reply_fail(reply, toolformer_str("no such page"));
    return TOOLFORMER_ERROR_IO;
  }
  return id == 0 ? TOOLFORMER_OK : toolformer_reply_write(reply, toolformer_str(id == 1 ? "a" : "b"));
}

static toolformer_status forward(void *user_data, const toolformer_host_row *rows, size_t row_count,
                                 toolformer_reply *reply) {
  (void)user_data;
  run_inside();
  CHECK(row_count == 1);
  CHECK(rows[0].wanted_count == 1 && rows[0].wanted[0] == (int64_t)rows[0].ids.size - 1);
  static const float numbers[6] = {0, 1, 2, 3, 4, 5};
  const int64_t shape[] = {1, fault == kShape ? 6 : 3};
  toolformer_array logits = {numbers, shape, 2, fault == kType ? TOOLFORMER_TYPE_I32 : TOOLFORMER_TYPE_F32};
  if (fault == kNull) logits.data = NULL;
  if (fault == kNothing) return TOOLFORMER_OK;
  const toolformer_status status = toolformer_reply_logits(reply, logits);
  return fault == kTwice ? toolformer_reply_logits(reply, logits) : status;
}

static toolformer_host_tokenizer host_tokenizer(void) {
  static const int32_t end = 0;
  toolformer_host_tokenizer host;
  toolformer_host_tokenizer_init(&host, sizeof(host));
  host.encode = encode;
  host.token_bytes = token_bytes;
  host.vocab_size = 3;
  host.end_ids = ids_of(&end, 1);
  host.user_data = &destroyed;
  host.destroy = count_destroyed;
  return host;
}

static toolformer_host_model host_model(const toolformer_tokenizer *tokenizer) {
  toolformer_host_model host;
  toolformer_host_model_init(&host, sizeof(host));
  host.tokenizer = tokenizer;
  host.forward = forward;
  host.vocab_size = 3;
  host.context_length = 8;
  host.user_data = &destroyed;
  host.destroy = count_destroyed;
  return host;
}

#define TOKENIZER_FAILS(code, text, change)                               \
  {                                                                       \
    toolformer_host_tokenizer host = host_tokenizer();                    \
    change;                                                               \
    destroyed = 0;                                                        \
    FAILS(code, text, toolformer_tokenizer_from_host, &host, &tokenizer); \
    CHECK(tokenizer == NULL && destroyed == 1);                           \
  }

static void test_tokenizer(void) {
  toolformer_tokenizer *tokenizer = NULL;
  TOKENIZER_FAILS(TOOLFORMER_ERROR_INVALID, "encode", host.encode = NULL)
  TOKENIZER_FAILS(TOOLFORMER_ERROR_INVALID, "token_bytes", host.token_bytes = NULL)
  TOKENIZER_FAILS(TOOLFORMER_ERROR_INVALID, "vocab_size is 0", host.vocab_size = 0)
  TOKENIZER_FAILS(TOOLFORMER_ERROR_INVALID, "vocab_size is -1", host.vocab_size = -1)
  TOKENIZER_FAILS(TOOLFORMER_ERROR_INVALID, "start_id is 3", host.start_id = 3)
  TOKENIZER_FAILS(TOOLFORMER_ERROR_INVALID, "end_ids",
                  host.vocab_size = 0 + (host.end_ids.size = 1, host.end_ids.data = NULL, 3))
  TOKENIZER_FAILS(TOOLFORMER_ERROR_CALLBACK, "no such page", fault = kBytesFail)
  fault = kNoFault;

  const toolformer_host_tokenizer host = host_tokenizer();
  destroyed = 0;
  CALL(toolformer_tokenizer_from_host, &host, &tokenizer);
  CHECK(equal(toolformer_tokenizer_token_bytes(tokenizer, 2), "b"));
  toolformer_tensor *ids = NULL;
  fault = kIdOutside;
  FAILS(TOOLFORMER_ERROR_CALLBACK, "id 3", toolformer_tokenizer_encode, tokenizer, toolformer_str("x"), 0, &ids);
  fault = kIgnoresRefusal;
  FAILS(TOOLFORMER_ERROR_CALLBACK, "id 3", toolformer_tokenizer_encode, tokenizer, toolformer_str("x"), 0, &ids);
  fault = kWrongKind;
  FAILS(TOOLFORMER_ERROR_CALLBACK, "another kind", toolformer_tokenizer_encode, tokenizer, toolformer_str("x"), 0,
        &ids);
  fault = kNoFault;
  CALL(toolformer_tokenizer_encode, tokenizer, toolformer_str("x"), 0, &ids);
  CHECK(toolformer_tensor_ids(ids).size == 1 && toolformer_tensor_ids(ids).data[0] == 1);
  toolformer_tensor_free(ids);
  CHECK(destroyed == 0);
  toolformer_tokenizer_free(tokenizer);
  CHECK(destroyed == 1);
}

#define MODEL_FAILS(code, text, change)                           \
  {                                                               \
    toolformer_host_model host = host_model(tokenizer);           \
    change;                                                       \
    destroyed = 0;                                                \
    FAILS(code, text, toolformer_model_from_host, &host, &model); \
    CHECK(model == NULL && destroyed == 1);                       \
  }

static void test_model(void) {
  const toolformer_host_tokenizer given = host_tokenizer();
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_tokenizer_from_host, &given, &tokenizer);
  toolformer_model *model = NULL;
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "forward", host.forward = NULL)
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "tokenizer", host.tokenizer = NULL)
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "vocab_size is 2", host.vocab_size = 2)
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "vocab_size is 0", host.vocab_size = 0)
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "context_length is 1", host.context_length = 1)
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "approximate is 3", host.approximate = 3)
  MODEL_FAILS(TOOLFORMER_ERROR_INVALID, "reserved", host.reserved = 1)

  const toolformer_host_model host = host_model(tokenizer);
  destroyed = 0;
  CALL(toolformer_model_from_host, &host, &model);
  toolformer_tokenizer_free(tokenizer);
  toolformer_model_info info = {.struct_size = sizeof(info)};
  CALL(toolformer_model_get_info, model, &info);
  CHECK(info.path.size == 0 && info.layers == 0 && info.vocab_size == 3 && info.context_length == 8);
  FAILS(TOOLFORMER_ERROR_UNSUPPORTED, "host", toolformer_model_save, model, toolformer_str("/tmp"));

  static const struct {
    Fault fault;
    const char *text;
  } kFaults[] = {
      {kShape, "[1, 6], not [1, 3]"}, {kType, "dtype"}, {kTwice, "before"}, {kNothing, "no logits"}, {kNull, "NULL"}};
  static const int32_t ids[] = {0, 1, 2, 1, 2, 1, 2, 1, 2};
  const int64_t last = 1;
  const toolformer_row row = {ids_of(ids, 2), &last, 1, NULL};
  toolformer_tensor *logits = NULL;
  for (size_t i = 0; i < sizeof(kFaults) / sizeof(kFaults[0]); ++i) {
    fault = kFaults[i].fault;
    FAILS(TOOLFORMER_ERROR_CALLBACK, kFaults[i].text, toolformer_model_forward, model, &row, 1, &logits);
  }
  fault = kNoFault;
  CALL(toolformer_model_forward, model, &row, 1, &logits);
  CHECK(((const float *)toolformer_tensor_array(logits).data)[2] == 2.0f);
  toolformer_tensor_free(logits);
  logits = NULL;
  const int64_t end = 8;
  const toolformer_row too_long = {ids_of(ids, 9), &end, 1, NULL};
  FAILS(TOOLFORMER_ERROR_LIMIT, "context of 8", toolformer_model_forward, model, &too_long, 1, &logits);
  // The tokenizer lives on in the model, the model in what is made from it.
  toolformer_tokenizer *again = NULL;
  CALL(toolformer_model_tokenizer, model, &again);
  toolformer_model_free(model);
  CHECK(destroyed == 0);
  CHECK(toolformer_tokenizer_vocab_size(again) == 3);
  toolformer_tokenizer_free(again);
  CHECK(destroyed == 2);
}

// ---- What a callback does to the handles of the call that it is in ----

static toolformer_tokenizer *own_tokenizer;
static toolformer_model *own_model;
static toolformer_cache *own_cache;
static toolformer_dataset *own_dataset;

static void free_tokenizer(void) {
  toolformer_tokenizer_free(own_tokenizer);
  CHECK(destroyed == 0);
}

static void free_model(void) {
  toolformer_model_free(own_model);
  CHECK(destroyed == 0);
}

static void free_model_after_window(void *user_data, int64_t tokens, double nats) {
  (void)user_data;
  (void)tokens;
  (void)nats;
  if (own_model != NULL) free_model();
  own_model = NULL;
}

static void use_and_free_cache(void) {
  toolformer_cache *fork = NULL;
  toolformer_tensor *logits = NULL;
  static const int32_t id = 1;
  const toolformer_row row = {ids_of(&id, 1), NULL, 0, own_cache};
  FAILS(TOOLFORMER_ERROR_BUSY, "cache is in use", toolformer_cache_truncate, own_cache, 0);
  FAILS(TOOLFORMER_ERROR_BUSY, "cache is in use", toolformer_cache_fork, own_cache, &fork);
  FAILS(TOOLFORMER_ERROR_BUSY, "a cache is in use", toolformer_model_forward, own_model, &row, 1, &logits);
  CHECK(toolformer_cache_length(own_cache) == 0);
  CHECK(fork == NULL && logits == NULL);
  toolformer_cache_free(own_cache);
}

static void use_and_free_dataset(void) {
  toolformer_training_data *data = NULL;
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  FAILS(TOOLFORMER_ERROR_BUSY, "dataset is in use", toolformer_dataset_merge, own_dataset, &data);
  FAILS(TOOLFORMER_ERROR_BUSY, "dataset is in use", toolformer_dataset_add_original, own_dataset, &document);
  CHECK(data == NULL);
  toolformer_dataset_free(own_dataset);
  CHECK(destroyed == 0);
}

static void make_own(void) {
  const toolformer_host_tokenizer words = host_tokenizer();
  CALL(toolformer_tokenizer_from_host, &words, &own_tokenizer);
  const toolformer_host_model host = host_model(own_tokenizer);
  CALL(toolformer_model_from_host, &host, &own_model);
  destroyed = 0;
}

static void test_inside(void) {
  static const int32_t ids[] = {0, 1};
  const int64_t last = 1;
  toolformer_row row = {ids_of(ids, 2), &last, 1, NULL};
  toolformer_tensor *logits = NULL;
  make_own();
  toolformer_tokenizer_free(own_tokenizer);
  inside = free_model;
  CALL(toolformer_model_forward, own_model, &row, 1, &logits);
  CHECK(destroyed == 2 && toolformer_tensor_array(logits).shape[1] == 3);
  toolformer_tensor_free(logits);

  make_own();
  toolformer_tokenizer_free(own_tokenizer);
  toolformer_loss_options options;
  toolformer_loss_options_init(&options, sizeof(options));
  options.window = 2;
  options.progress = free_model_after_window;
  toolformer_loss loss = {.struct_size = sizeof(loss)};
  CALL(toolformer_model_loss, own_model, ids_of(ids, 2), &options, &loss);
  CHECK(destroyed == 2 && loss.tokens == 2);

  make_own();
  CALL(toolformer_cache_new, own_model, &own_cache);
  row.cache = own_cache;
  inside = use_and_free_cache;
  CALL(toolformer_model_forward, own_model, &row, 1, &logits);
  toolformer_tensor_free(logits);
  CALL(toolformer_dataset_new, own_tokenizer, NULL, &own_dataset);
  toolformer_model_free(own_model);
  CHECK(destroyed == 1);
  destroyed = 0;
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  document.text = toolformer_str("a");
  inside = use_and_free_dataset;
  CALL(toolformer_dataset_add_original, own_dataset, &document);
  CHECK(destroyed == 0 && inside == NULL);

  toolformer_tensor *encoded = NULL;
  inside = free_tokenizer;
  CALL(toolformer_tokenizer_encode, own_tokenizer, toolformer_str("a"), 0, &encoded);
  CHECK(destroyed == 1 && toolformer_tensor_ids(encoded).size == 1);
  toolformer_tensor_free(encoded);
}

// ---- Logits as DLPack capsules ----

typedef struct Capsule {
  DLManagedTensor capsule;
  float numbers[6];
  int64_t shape[2];
  int64_t strides[2];
  int deleted;
} Capsule;

static Capsule given;

static void delete_capsule(DLManagedTensor *capsule) { ++((Capsule *)capsule->manager)->deleted; }

static toolformer_status forward_capsule(void *user_data, const toolformer_host_row *rows, size_t row_count,
                                         toolformer_reply *reply) {
  (void)user_data;
  (void)rows;
  (void)row_count;
  return toolformer_reply_dlpack(reply, &given.capsule);
}

// Three numbers, every second of six: capsules may have gaps.
static void make_capsule(void) {
  memset(&given, 0, sizeof(given));
  for (int i = 0; i < 6; ++i) given.numbers[i] = (float)i;
  given.shape[0] = 1;
  given.shape[1] = 3;
  given.strides[0] = 6;
  given.strides[1] = 2;
  given.capsule.tensor.data = given.numbers;
  given.capsule.tensor.device.type = 1;
  given.capsule.tensor.rank = 2;
  given.capsule.tensor.type.code = 2;
  given.capsule.tensor.type.bits = 32;
  given.capsule.tensor.type.lanes = 1;
  given.capsule.tensor.shape = given.shape;
  given.capsule.tensor.strides = given.strides;
  given.capsule.manager = &given;
  given.capsule.deleter = delete_capsule;
}

static void test_capsules(void) {
  const toolformer_host_tokenizer words = host_tokenizer();
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_tokenizer_from_host, &words, &tokenizer);
  toolformer_host_model host = host_model(tokenizer);
  host.forward = forward_capsule;
  toolformer_model *model = NULL;
  CALL(toolformer_model_from_host, &host, &model);
  toolformer_tokenizer_free(tokenizer);
  static const int32_t ids[] = {0, 1};
  const int64_t last = 1;
  const toolformer_row row = {ids_of(ids, 2), &last, 1, NULL};
  toolformer_tensor *logits = NULL;
  make_capsule();
  CALL(toolformer_model_forward, model, &row, 1, &logits);
  const float *numbers = toolformer_tensor_array(logits).data;
  CHECK(numbers[0] == 0 && numbers[1] == 2 && numbers[2] == 4);
  CHECK(given.deleted == 1);
  toolformer_tensor_free(logits);
  logits = NULL;
  make_capsule();
  given.shape[1] = 2;
  FAILS(TOOLFORMER_ERROR_CALLBACK, "[1, 2], not [1, 3]", toolformer_model_forward, model, &row, 1, &logits);
  CHECK(given.deleted == 1);
  make_capsule();
  given.capsule.tensor.type.code = 0;  // integers
  FAILS(TOOLFORMER_ERROR_CALLBACK, "floating-point", toolformer_model_forward, model, &row, 1, &logits);
  CHECK(given.deleted == 1);
  make_capsule();
  given.capsule.tensor.type.bits = 7;  // no type at all
  FAILS(TOOLFORMER_ERROR_CALLBACK, "capsule", toolformer_model_forward, model, &row, 1, &logits);
  CHECK(given.deleted == 1 && logits == NULL);
  toolformer_model_free(model);
}

void test_host(void) {
  test_capsules();
  test_tokenizer();
  test_model();
  test_inside();
}
