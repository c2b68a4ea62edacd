// NULL for every pointer of every function, one at a time, and structs of all sizes: the cases are generated from the
// header, the valid values are here.
#include "check.h"

// Runs inside a tool's callback, where there is a reply.
static struct Values {
  toolformer_string string;
  const toolformer_string *strings;
  toolformer_ids ids;
  toolformer_array array;
  const toolformer_invocation *invocation;
  toolformer_reply *reply;
  toolformer_cancel_token *cancel_token;
  toolformer_interrupt *interrupt;
  struct DLManagedTensor *DLManagedTensor;
  toolformer_tensor *tensor;
  toolformer_tokenizer *tokenizer;
  toolformer_host_tokenizer *host_tokenizer;
  toolformer_model *model;
  toolformer_model_options *model_options;
  toolformer_host_model *host_model;
  toolformer_model_info *model_info;
  toolformer_cache *cache;
  toolformer_row *row;
  toolformer_loss_options *loss_options;
  toolformer_loss *loss;
  toolformer_registry *registry;
  toolformer_tool *tool;
  toolformer_executor *executor;
  toolformer_executor_options *executor_options;
  toolformer_request *request;
  toolformer_sampler *sampler;
  toolformer_sampler_options *sampler_options;
  toolformer_sampling *sampling;
  toolformer_candidates *candidates;
  toolformer_candidate *candidate;
  toolformer_filter *filter;
  toolformer_filter_options *filter_options;
  toolformer_case *cases;
  toolformer_losses *losses;
  toolformer_annotator *annotator;
  toolformer_annotator_options *annotator_options;
  toolformer_document *document;
  toolformer_stream *stream;
  toolformer_annotation *annotation;
  toolformer_judged_call *judged_call;
  toolformer_outcome *outcome;
  toolformer_decoder *decoder;
  toolformer_decode_options *decode_options;
  toolformer_generation *generation;
  toolformer_decoded_call *decoded_call;
  toolformer_training_data *training_data;
  float *weights;
  size_t *size;
  toolformer_dataset *dataset;
  toolformer_dataset_options *dataset_options;
  toolformer_tune_job *tune_job;
  toolformer_tune_options *tune_options;
  toolformer_tuned *tuned;
  toolformer_tune_summary *tune_summary;
  struct {
    struct DLManagedTensor *DLManagedTensor;
    toolformer_annotation *annotation;
    toolformer_annotator *annotator;
    toolformer_bytes *bytes;
    toolformer_cache *cache;
    toolformer_cancel_token *cancel_token;
    toolformer_candidates *candidates;
    toolformer_dataset *dataset;
    toolformer_decoder *decoder;
    toolformer_error *error;
    toolformer_executor *executor;
    toolformer_filter *filter;
    toolformer_generation *generation;
    toolformer_model *model;
    toolformer_registry *registry;
    toolformer_sampler *sampler;
    toolformer_tensor *tensor;
    toolformer_tokenizer *tokenizer;
    toolformer_training_data *training_data;
    toolformer_tuned *tuned;
  } out;
} v;

static const toolformer_string null_string = {NULL, 1};
static const toolformer_ids null_ids = {NULL, 1};
static const toolformer_array null_array = {NULL, NULL, 1, TOOLFORMER_TYPE_F32};

static int cases;

#define NULL_FAILS(name, call)                                                                     \
  {                                                                                                \
    ++cases;                                                                                       \
    const toolformer_status status = call;                                                         \
    call_fails_((Failure){TOOLFORMER_ERROR_INVALID, name " is NULL"}, status, __FILE__, __LINE__); \
  }
#define NULL_REFUSED(call) \
  ++cases;                 \
  CHECK((call) == TOOLFORMER_ERROR_INVALID);
#define NULL_IS_ZERO(call) \
  ++cases;                 \
  CHECK((call) == 0);
#define NULL_IS_EMPTY(type, call)                                                                                \
  {                                                                                                              \
    ++cases;                                                                                                     \
    const type result = call;                                                                                    \
    const type empty = {0};                                                                                      \
    toolformer_string view = {"", 0};                                                                            \
    const bool is_empty_text =                                                                                   \
        sizeof(type) == sizeof(view) &&                                                                          \
        (memcpy(&view, &result, sizeof(result) < sizeof(view) ? sizeof(result) : sizeof(view)), view.size == 0); \
    CHECK(is_empty_text || memcmp(&result, &empty, sizeof(type)) == 0);                                          \
  }

static void run_null_cases(void) {
#include "null_cases.inc"
}

// ---- Structs of all sizes ----

enum {
#define FIRST_SIZE(type, size) first_##type = (size),
#include "capi/src/first_sizes.inc"
#undef FIRST_SIZE
};

// What calls have made.
static void drop_outs(void) {
#define DROP(name)                     \
  toolformer_##name##_free(v.out.name); \
  v.out.name = NULL
  DROP(annotation);
  DROP(annotator);
  DROP(bytes);
  DROP(cache);
  DROP(cancel_token);
  DROP(candidates);
  DROP(dataset);
  DROP(decoder);
  DROP(error);
  DROP(executor);
  DROP(filter);
  DROP(generation);
  DROP(model);
  DROP(registry);
  DROP(sampler);
  DROP(tensor);
  DROP(tokenizer);
  DROP(training_data);
  DROP(tuned);
}

// What a call says to a struct whose size is fine: anything but that it is not.
static void size_is_fine(toolformer_status status, const char *file, int line, const char *what) {
  toolformer_error *error = take_error_();
  const toolformer_string message = toolformer_error_message(error);
  if (!check(!contains(message, "struct_size") && !contains(message, "does not have"), file, line, what)) {
    fprintf(stderr, "  %d: %.*s\n", status, (int)message.size, message.data);
  }
  toolformer_error_free(error);
  drop_outs();
}

// Room for a struct of a caller from the future.
#define SIZED(type, valid)                  \
  union {                                   \
    type given;                             \
    unsigned char bytes[sizeof(type) + 64]; \
  } sized;                                  \
  memset(&sized, 0, sizeof(sized));         \
  sized.given = *(valid)

#define SIZE_FAILS(text, call)                                                          \
  {                                                                                     \
    const toolformer_status status = call;                                              \
    call_fails_((Failure){TOOLFORMER_ERROR_INVALID, text}, status, __FILE__, __LINE__); \
  }

// A struct of a caller who was compiled when it was new (and has no byte behind it: sanitizers see who reads on), and of
// one from the future who uses nothing that is new.
#define SIZE_READ(type, valid, call, name)                        \
  {                                                               \
    ++cases;                                                      \
    {                                                             \
      SIZED(type, valid);                                         \
      sized.given.struct_size = 0;                                \
      SIZE_FAILS("struct_size is 0", call(&sized.given))          \
      sized.given.struct_size = first_##type - 1;                 \
      SIZE_FAILS("struct_size", call(&sized.given))               \
      sized.given.struct_size = (size_t)-1;                       \
      SIZE_FAILS("struct_size", call(&sized.given))               \
      sized.given.struct_size = sizeof(sized);                    \
      size_is_fine(call(&sized.given), __FILE__, __LINE__, name); \
      sized.bytes[sizeof(sized) - 1] = 1;                         \
      SIZE_FAILS("does not have", call(&sized.given))             \
    }                                                             \
    type *old = malloc(first_##type);                             \
    memcpy(old, valid, first_##type);                             \
    const size_t size = first_##type;                             \
    memcpy(old, &size, sizeof(size));                             \
    size_is_fine(call(old), __FILE__, __LINE__, name);            \
    free(old);                                                    \
  }

#define SIZE_WRITTEN(type, valid, call, name)              \
  {                                                        \
    ++cases;                                               \
    {                                                      \
      SIZED(type, valid);                                  \
      sized.given.struct_size = 0;                         \
      SIZE_FAILS("struct_size is 0", call(&sized.given))   \
      sized.given.struct_size = first_##type - 1;          \
      SIZE_FAILS("struct_size", call(&sized.given))        \
      sized.given.struct_size = sizeof(sized);             \
      sized.bytes[sizeof(sized) - 1] = 1;                  \
      const toolformer_status status = call(&sized.given); \
      call_ok_(status, __FILE__, __LINE__, name);          \
      CHECK(sized.bytes[sizeof(sized) - 1] == 0);          \
      CHECK(sized.given.struct_size == sizeof(sized));     \
    }                                                      \
    type *old = malloc(first_##type);                      \
    memset(old, 0, first_##type);                          \
    const size_t size = first_##type;                      \
    memcpy(old, &size, sizeof(size));                      \
    const toolformer_status status = call(old);            \
    call_ok_(status, __FILE__, __LINE__, name);            \
    CHECK(memcmp(old, &size, sizeof(size)) == 0);          \
    free(old);                                             \
  }

static void run_size_cases(void) {
#include "size_cases.inc"
}

// ---- Valid values ----

static toolformer_status null_tool(void *user_data, const toolformer_invocation *call, toolformer_reply *reply) {
  (void)user_data;
  if (v.reply != NULL) return TOOLFORMER_OK;  // called by a case
  v.invocation = call;
  v.reply = reply;
  run_null_cases();
  run_size_cases();
  v.reply = NULL;
  return TOOLFORMER_OK;
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

void test_null(void) {
  static const int32_t kIds[] = {10, 11, 12, 13};
  static const int64_t kWanted[] = {0};
  static const int64_t kShape[] = {1, 1};
  static float weights[] = {1, 1, 1};
  Script script = {.rules = kConvertRules, .count = kConvertRuleCount};
  Converter converter = {.calls = 0};
  toolformer_tool calling;
  converter_tool(&converter, &calling);
  calling.call = null_tool;
  calling.flags |= TOOLFORMER_TOOL_RETURNS_AT_ONCE;

  v.string = toolformer_str("10 km");
  v.strings = &v.string;
  v.ids = ids_of(kIds, 4);
  v.array = (toolformer_array){weights, kShape, 2, TOOLFORMER_TYPE_F32};
  v.weights = weights;
  size_t size = 0;
  v.size = &size;
  CALL(toolformer_cancel_token_new, &v.cancel_token);
  toolformer_interrupt interrupt = {v.cancel_token, 0};
  v.interrupt = &interrupt;
  v.tokenizer = byte_tokenizer();
  toolformer_host_tokenizer host_tokenizer;
  toolformer_host_tokenizer_init(&host_tokenizer, sizeof(host_tokenizer));
  v.host_tokenizer = &host_tokenizer;
  v.model = script_model(&script);
  CALL(toolformer_tokenizer_encode, v.tokenizer, v.string, 0, &v.tensor);
  CALL(toolformer_cache_new, v.model, &v.cache);
  toolformer_row row = {v.ids, kWanted, 1, NULL};
  v.row = &row;
  toolformer_model_options model_options;
  toolformer_model_options_init(&model_options, sizeof(model_options));
  v.model_options = &model_options;
  toolformer_host_model host_model;
  toolformer_host_model_init(&host_model, sizeof(host_model));
  v.host_model = &host_model;
  toolformer_model_info model_info = {.struct_size = sizeof(model_info)};
  v.model_info = &model_info;
  toolformer_loss_options loss_options;
  toolformer_loss_options_init(&loss_options, sizeof(loss_options));
  v.loss_options = &loss_options;
  toolformer_loss loss = {.struct_size = sizeof(loss)};
  v.loss = &loss;
  CALL(toolformer_registry_new, &v.registry);
  CALL(toolformer_registry_add, v.registry, &calling);
  toolformer_tool tool;
  toolformer_tool_init(&tool, sizeof(tool));
  v.tool = &tool;
  toolformer_executor_options executor_options;
  toolformer_executor_options_init(&executor_options, sizeof(executor_options));
  v.executor_options = &executor_options;
  CALL(toolformer_executor_new, v.registry, &executor_options, &v.executor);
  toolformer_request request;
  toolformer_request_init(&request, sizeof(request));
  request.tool = toolformer_str("Convert");
  v.request = &request;
  toolformer_sampler_options sampler_options;
  toolformer_sampler_options_init(&sampler_options, sizeof(sampler_options));
  v.sampler_options = &sampler_options;
  CALL(toolformer_sampler_new, v.model, &sampler_options, &v.sampler);
  toolformer_sampling sampling;
  toolformer_sampling_init(&sampling, sizeof(sampling));
  sampling.registry = v.registry;
  sampling.tool = request.tool;
  sampling.text = toolformer_str("Ten km is 6.21 miles.");
  v.sampling = &sampling;
  CALL(toolformer_sampler_sample, v.sampler, &sampling, &v.candidates);
  toolformer_candidate candidate = {.struct_size = sizeof(candidate)};
  v.candidate = &candidate;
  toolformer_filter_options filter_options;
  toolformer_filter_options_init(&filter_options, sizeof(filter_options));
  v.filter_options = &filter_options;
  CALL(toolformer_filter_new, v.model, &filter_options, &v.filter);
  toolformer_case one_case = {0, request.tool, v.string, v.string};
  v.cases = &one_case;
  toolformer_losses losses;
  v.losses = &losses;

  // What annotates and decodes has a tool that answers.
  Converter answering = {.calls = 0};
  toolformer_registry *registry = converter_registry(&answering);
  toolformer_executor *executor = NULL;
  CALL(toolformer_executor_new, registry, NULL, &executor);
  toolformer_annotator_options annotator_options;
  toolformer_annotator_options_init(&annotator_options, sizeof(annotator_options));
  v.annotator_options = &annotator_options;
  CALL(toolformer_annotator_new, v.model, registry, &annotator_options, &v.annotator);
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  document.text = sampling.text;
  v.document = &document;
  CALL(toolformer_annotator_annotate, v.annotator, &document, NULL, &v.annotation);
  toolformer_stream stream;
  toolformer_stream_init(&stream, sizeof(stream));
  stream.next = no_document;
  stream.take = no_annotation;
  v.stream = &stream;
  toolformer_judged_call judged_call = {.struct_size = sizeof(judged_call)};
  v.judged_call = &judged_call;
  toolformer_outcome outcome = {.struct_size = sizeof(outcome)};
  v.outcome = &outcome;
  CALL(toolformer_decoder_new, v.model, executor, &v.decoder);
  toolformer_decode_options decode_options;
  toolformer_decode_options_init(&decode_options, sizeof(decode_options));
  v.decode_options = &decode_options;
  CALL(toolformer_decoder_decode, v.decoder, toolformer_str("Ten km is"), &decode_options, &v.generation);
  toolformer_decoded_call decoded_call = {.struct_size = sizeof(decoded_call)};
  v.decoded_call = &decoded_call;

  CALL(toolformer_training_data_new, &v.training_data);
  CALL(toolformer_training_data_add, v.training_data, TOOLFORMER_SPLIT_TRAINING, v.ids, NULL);
  toolformer_dataset_options dataset_options;
  toolformer_dataset_options_init(&dataset_options, sizeof(dataset_options));
  v.dataset_options = &dataset_options;
  CALL(toolformer_dataset_new, v.tokenizer, &dataset_options, &v.dataset);
  CALL(toolformer_dataset_add, v.dataset, v.annotation);
  toolformer_tune_options tune_options;
  toolformer_tune_options_init(&tune_options, sizeof(tune_options));
  tune_options.max_steps = 1;
  tune_options.batch_size = 1;
  v.tune_options = &tune_options;
  toolformer_tune_job tune_job;
  toolformer_tune_job_init(&tune_job, sizeof(tune_job));
  tune_job.model = fixture("models/gpt2_small");
  tune_job.folder = temporary("null");
  tune_job.data = v.training_data;
  v.tune_job = &tune_job;
  CALL(toolformer_tune, &tune_job, &tune_options, &v.tuned);
  toolformer_tune_summary tune_summary = {.struct_size = sizeof(tune_summary)};
  v.tune_summary = &tune_summary;
  // Cases that name another NULL must not begin to tune.
  tune_job.folder = temporary("null/model/config.json/none");

  toolformer_bytes *bytes = NULL;
  cases = 0;
  FAILS(TOOLFORMER_ERROR_TOOL, NULL, toolformer_executor_execute, v.executor, &request, &bytes);
  CHECK(cases > 200);
  static const struct Values kNothing;
  CHECK(memcmp(&v.out, &kNothing.out, sizeof(v.out)) == 0);  // outs are untouched

  toolformer_tuned_free(v.tuned);
  toolformer_dataset_free(v.dataset);
  toolformer_training_data_free(v.training_data);
  toolformer_generation_free(v.generation);
  toolformer_decoder_free(v.decoder);
  toolformer_annotation_free(v.annotation);
  toolformer_annotator_free(v.annotator);
  toolformer_executor_free(executor);
  toolformer_registry_free(registry);
  toolformer_filter_free(v.filter);
  toolformer_candidates_free(v.candidates);
  toolformer_sampler_free(v.sampler);
  toolformer_executor_free(v.executor);
  toolformer_registry_free(v.registry);
  toolformer_cache_free(v.cache);
  toolformer_tensor_free(v.tensor);
  toolformer_model_free(v.model);
  toolformer_tokenizer_free(v.tokenizer);
  toolformer_cancel_token_free(v.cancel_token);
  CHECK(script.destroyed == 1 && converter.destroyed == 1 && answering.destroyed == 1);
}
