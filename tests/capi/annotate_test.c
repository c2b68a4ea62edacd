// Sampling, filtering, annotating one text and a stream of them.
#include <math.h>

#include "check.h"

typedef struct Parts {
  Script script;
  Converter converter;
  toolformer_model *model;
  toolformer_registry *registry;
} Parts;

static void make(Parts *parts) {
  memset(parts, 0, sizeof(*parts));
  parts->script.rules = kConvertRules;
  parts->script.count = kConvertRuleCount;
  parts->model = script_model(&parts->script);
  parts->registry = converter_registry(&parts->converter);
}

static void drop(Parts *parts) {
  toolformer_registry_free(parts->registry);
  toolformer_model_free(parts->model);
  CHECK(parts->script.destroyed == 1);
  CHECK(parts->converter.destroyed == 1);
}

static const char kText[] = "Ten km is 6.21 miles.";
static const char kAugmented[] = "Ten km is [Convert(10 km) -> 6.21] 6.21 miles.";

static toolformer_document document_of(const char *text) {
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  document.text = toolformer_str(text);
  document.id = toolformer_str("a name");
  return document;
}

static void test_sampling(void) {
  Parts parts;
  make(&parts);
  toolformer_sampler_options options;
  toolformer_sampler_options_init(&options, sizeof(options));
  options.temperature = 0.1;
  options.seed = 7;
  toolformer_sampler *sampler = NULL;
  CALL(toolformer_sampler_new, parts.model, &options, &sampler);
  toolformer_sampling sampling;
  toolformer_sampling_init(&sampling, sizeof(sampling));
  sampling.registry = parts.registry;
  sampling.tool = toolformer_str("Convert");
  sampling.text = toolformer_str(kText);

  toolformer_tensor *probabilities = NULL;
  CALL(toolformer_sampler_probabilities, sampler, &sampling, &probabilities);
  const toolformer_array array = toolformer_tensor_array(probabilities);
  CHECK(array.rank == 1 && array.dtype == TOOLFORMER_TYPE_F64 && array.shape[0] == (int64_t)sizeof(kText) - 1);
  // Logits 20 for '[' and 0 for the 257 others there; 20 for another, 10 for '[', 0 for 256 elsewhere.
  const double *p = array.data;
  CHECK(fabs(p[9] - 1 / (1 + 257 * exp(-20))) < 1e-6);
  CHECK(fabs(p[4] - exp(-10) / (1 + exp(-10) + 256 * exp(-20))) < 1e-7);
  toolformer_tensor_free(probabilities);

  toolformer_candidates *candidates = NULL;
  CALL(toolformer_sampler_sample, sampler, &sampling, &candidates);
  CHECK(toolformer_candidates_count(candidates) == 1);
  toolformer_candidate candidate = {.struct_size = sizeof(candidate)};
  CALL(toolformer_candidates_get, candidates, 0, &candidate);
  CHECK(candidate.position == 9 && candidate.times_sampled == 5 && candidate.probability > 0.99);
  CHECK(equal(candidate.tool, "Convert"));
  CHECK(equal(candidate.input, "10 km"));
  CHECK(toolformer_candidates_counts(candidates).samples == 5);
  CHECK(toolformer_candidates_counts(candidates).duplicates == 4);
  FAILS(TOOLFORMER_ERROR_INVALID, "index 1 of 1", toolformer_candidates_get, candidates, 1, &candidate);
  toolformer_candidates_free(candidates);
  candidates = NULL;

  toolformer_parameters parameters;
  toolformer_parameters_init(&parameters, sizeof(parameters));
  CHECK(parameters.tau_s == 0.05 && parameters.tau_f == 1.0 && parameters.k == 5 && parameters.m == 5);
  parameters.m = 2;
  sampling.parameters = &parameters;
  CALL(toolformer_sampler_sample, sampler, &sampling, &candidates);
  CHECK(toolformer_candidates_counts(candidates).samples == 2);
  toolformer_candidates_free(candidates);
  candidates = NULL;
  parameters.tau_s = NAN;
  FAILS(TOOLFORMER_ERROR_INVALID, "tau_s", toolformer_sampler_sample, sampler, &sampling, &candidates);
  sampling.parameters = NULL;
  sampling.tool = toolformer_str("Nobody");
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "Convert", toolformer_sampler_sample, sampler, &sampling, &candidates);
  sampling.tool = toolformer_str("Convert");
  sampling.text = toolformer_str("");
  FAILS(TOOLFORMER_ERROR_INVALID, "empty", toolformer_sampler_probabilities, sampler, &sampling, &probabilities);
  CHECK(candidates == NULL);
  toolformer_sampler_free(sampler);
  options.temperature = 0;
  FAILS(TOOLFORMER_ERROR_INVALID, "temperature", toolformer_sampler_new, parts.model, &options, &sampler);
  drop(&parts);
}

static void test_filtering(void) {
  Parts parts;
  make(&parts);
  toolformer_filter *filter = NULL;
  CALL(toolformer_filter_new, parts.model, NULL, &filter);
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_model_tokenizer, parts.model, &tokenizer);
  toolformer_tensor *ids = NULL;
  CALL(toolformer_tokenizer_encode, tokenizer, toolformer_str(kText), 0, &ids);
  const toolformer_case cases[] = {
      {9, {"Convert", 7}, {"10 km", 5}, {"6.21", 4}},
      {9, {"Convert", 7}, {"10 km", 5}, {"7", 1}},
  };
  toolformer_losses losses[2];
  CALL(toolformer_filter_score, filter, toolformer_tensor_ids(ids), cases, 2, NULL, losses);
  // "6.21 " after the result: each is the rule's, so that -log p = log(1 + e^-10 + 256 e^-20). Without: 20 for '[' and
  // 0 for '6', then 20 for 'x', 10 for '[', 0 for the others.
  const double known = log(1 + exp(-10) + 256 * exp(-20));
  CHECK(fabs(losses[0].result - known) < 1e-6);
  CHECK(fabs(losses[0].empty - (5 * (20 + log(1 + 257 * exp(-20))) + 10 * (20 + known)) / 15) < 1e-5);
  CHECK(losses[0].gain > 19 && losses[0].gain < 21);
  CHECK(fabs(losses[1].gain) < 1e-6);
  CHECK(losses[0].call == losses[1].call);
  toolformer_case outside = cases[0];
  outside.position = 21;
  FAILS(TOOLFORMER_ERROR_INVALID, "21", toolformer_filter_score, filter, toolformer_tensor_ids(ids), &outside, 1, NULL,
        losses);
  const int32_t none[] = {kVocabulary};
  FAILS(TOOLFORMER_ERROR_INVALID, "258", toolformer_filter_score, filter, ids_of(none, 1), cases, 1, NULL, losses);
  toolformer_tensor_free(ids);
  toolformer_tokenizer_free(tokenizer);
  toolformer_filter_free(filter);
  drop(&parts);
}

static void test_one(void) {
  Parts parts;
  make(&parts);
  toolformer_sampler_options sampler;
  toolformer_sampler_options_init(&sampler, sizeof(sampler));
  sampler.temperature = 0.1;
  toolformer_annotator_options options;
  toolformer_annotator_options_init(&options, sizeof(options));
  options.sampler = &sampler;
  options.exact_gains = 1;
  toolformer_annotator *annotator = NULL;
  CALL(toolformer_annotator_new, parts.model, parts.registry, &options, &annotator);
  const toolformer_document document = document_of(kText);
  toolformer_annotation *annotation = NULL;
  CALL(toolformer_annotator_annotate, annotator, &document, NULL, &annotation);
  CHECK(toolformer_annotation_skip(annotation) == TOOLFORMER_SKIP_NONE);
  CHECK(equal(toolformer_annotation_text(annotation), kText));
  CHECK(equal(toolformer_annotation_id(annotation), "a name"));
  CHECK(equal(toolformer_annotation_augmented_text(annotation), kAugmented));
  CHECK(toolformer_annotation_ids(annotation).size == sizeof(kText) - 1);
  CHECK(toolformer_annotation_augmented_ids(annotation).size == sizeof(kAugmented) - 1);
  CHECK(toolformer_annotation_call_count(annotation) == 1);
  toolformer_judged_call call = {.struct_size = sizeof(call)};
  CALL(toolformer_annotation_get_call, annotation, 0, &call);
  CHECK(call.verdict == TOOLFORMER_VERDICT_KEPT && call.position == 9 && call.byte_offset == 9);
  CHECK(call.worked_out == 0 && call.gain_is_bound == 0 && call.losses.gain > 19 && call.probability > 0.9);
  CHECK(equal(call.result, "6.21"));
  FAILS(TOOLFORMER_ERROR_INVALID, "index 1 of 1", toolformer_annotation_get_call, annotation, 1, &call);
  CHECK(toolformer_annotation_tool_count(annotation) == 1);
  toolformer_outcome outcome = {.struct_size = sizeof(outcome)};
  CALL(toolformer_annotation_get_tool, annotation, 0, &outcome);
  CHECK(outcome.accepted == 1 && outcome.positions == 1 && outcome.calls == 1 && outcome.sampling.samples == 5);
  FAILS(TOOLFORMER_ERROR_INVALID, "index 1 of 1", toolformer_annotation_get_tool, annotation, 1, &outcome);

  toolformer_bytes *json = NULL;
  toolformer_bytes *again_json = NULL;
  toolformer_annotation *again = NULL;
  CALL(toolformer_annotation_to_json, annotation, &json);
  CALL(toolformer_annotation_from_json, toolformer_bytes_view(json), &again);
  CALL(toolformer_annotation_to_json, again, &again_json);
  CHECK(equal(toolformer_bytes_view(again_json), toolformer_bytes_view(json).data));
  toolformer_bytes_free(json);
  toolformer_bytes_free(again_json);
  toolformer_annotation_free(again);
  toolformer_annotation_free(annotation);
  annotation = NULL;
  toolformer_error *error = NULL;
  CHECK(toolformer_annotation_from_json(toolformer_str("{\"a\": x}"), &annotation, &error) == TOOLFORMER_ERROR_CORRUPT);
  CHECK(toolformer_error_offset(error) == 7);
  toolformer_error_free(error);

  const toolformer_document with_call = document_of("Ten km is [Convert(10 km)] 6.21 miles.");
  CALL(toolformer_annotator_annotate, annotator, &with_call, NULL, &annotation);
  CHECK(toolformer_annotation_skip(annotation) == TOOLFORMER_SKIP_CONTAINS_CALLS);
  CHECK(toolformer_annotation_call_count(annotation) == 0);
  toolformer_annotation_free(annotation);
  const toolformer_document empty = document_of("");
  CALL(toolformer_annotator_annotate, annotator, &empty, NULL, &annotation);
  CHECK(toolformer_annotation_skip(annotation) == TOOLFORMER_SKIP_EMPTY);
  toolformer_annotation_free(annotation);
  annotation = NULL;
  toolformer_document no_day = document_of(kText);
  no_day.date = (toolformer_date){2023, 2, 29};
  FAILS(TOOLFORMER_ERROR_INVALID, "2023-2-29", toolformer_annotator_annotate, annotator, &no_day, NULL, &annotation);
  toolformer_bytes *statistics = NULL;
  CALL(toolformer_annotator_statistics, annotator, &statistics);
  CHECK(contains(toolformer_bytes_view(statistics), "[{\"tool\":\"Convert\""));
  CHECK(contains(toolformer_bytes_view(statistics), "\"breaker_open\":false"));
  toolformer_bytes_free(statistics);
  toolformer_annotator_free(annotator);

  toolformer_registry *nothing = NULL;
  CALL(toolformer_registry_new, &nothing);
  FAILS(TOOLFORMER_ERROR_INVALID, "tool", toolformer_annotator_new, parts.model, nothing, NULL, &annotator);
  toolformer_registry_free(nothing);
  drop(&parts);
}

// ---- Filters and proposals of a tool ----

static int32_t accepts(void *user_data, const toolformer_document *document, uint64_t seed) {
  (void)user_data;
  (void)seed;
  return contains(document->text, "km") ? 1 : 0;
}

static toolformer_status propose(void *user_data, const toolformer_document *document, toolformer_reply *reply) {
  (void)document;
  const Converter *converter = user_data;
  return toolformer_reply_call(reply, converter->slow_ms == 0 ? 9 : 1000, toolformer_str("10 km"));
}

static void test_worked_out(void) {
  Parts parts;
  make(&parts);
  Converter converter = {.calls = 0};
  toolformer_tool tool;
  converter_tool(&converter, &tool);
  tool.accepts = accepts;
  tool.propose = propose;
  toolformer_registry *registry = NULL;
  CALL(toolformer_registry_new, &registry);
  CALL(toolformer_registry_add, registry, &tool);
  toolformer_annotator_options options;
  toolformer_annotator_options_init(&options, sizeof(options));
  options.no_sampling = 1;
  options.worked_out = 1;
  toolformer_annotator *annotator = NULL;
  CALL(toolformer_annotator_new, parts.model, registry, &options, &annotator);
  toolformer_annotation *annotation = NULL;
  toolformer_document document = document_of(kText);
  CALL(toolformer_annotator_annotate, annotator, &document, NULL, &annotation);
  toolformer_judged_call call = {.struct_size = sizeof(call)};
  CALL(toolformer_annotation_get_call, annotation, 0, &call);
  CHECK(call.worked_out == 1 && call.verdict == TOOLFORMER_VERDICT_KEPT);
  toolformer_annotation_free(annotation);
  document = document_of("Nothing to see here.");
  CALL(toolformer_annotator_annotate, annotator, &document, NULL, &annotation);
  toolformer_outcome outcome = {.struct_size = sizeof(outcome)};
  CALL(toolformer_annotation_get_tool, annotation, 0, &outcome);
  CHECK(outcome.accepted == 0);
  toolformer_annotation_free(annotation);
  annotation = NULL;
  converter.slow_ms = 1;  // an offset outside the text
  document = document_of(kText);
  FAILS(TOOLFORMER_ERROR_CALLBACK, "byte offset 1000", toolformer_annotator_annotate, annotator, &document, NULL,
        &annotation);
  toolformer_annotator_free(annotator);
  toolformer_registry_free(registry);
  CHECK(converter.destroyed == 1);
  drop(&parts);
}

// A model that proposes in place of the one that judges.
static void test_proposer(void) {
  Parts parts;
  make(&parts);
  static const Rule kOther[] = {{"", "Ten km is", "["}, {"", "Convert(", "10 km, please)]"}};
  Script other = {.rules = kOther, .count = 2};
  toolformer_model *proposer = script_model(&other);
  toolformer_sampler_options sampler;
  toolformer_sampler_options_init(&sampler, sizeof(sampler));
  sampler.temperature = 0.1;
  toolformer_annotator_options options;
  toolformer_annotator_options_init(&options, sizeof(options));
  options.sampler = &sampler;
  options.proposer = proposer;
  toolformer_annotator *annotator = NULL;
  CALL(toolformer_annotator_new, parts.model, parts.registry, &options, &annotator);
  toolformer_model_free(proposer);
  CHECK(other.destroyed == 0);
  const toolformer_document document = document_of(kText);
  toolformer_annotation *annotation = NULL;
  CALL(toolformer_annotator_annotate, annotator, &document, NULL, &annotation);
  toolformer_judged_call call = {.struct_size = sizeof(call)};
  CALL(toolformer_annotation_get_call, annotation, 0, &call);
  CHECK(equal(call.input, "10 km, please"));
  toolformer_annotation_free(annotation);
  toolformer_annotator_free(annotator);
  CHECK(other.destroyed == 1);
  annotator = NULL;
  toolformer_model *stranger = NULL;
  CALL(toolformer_model_load, fixture("models/llama_gqa"), NULL, &stranger);
  options.proposer = stranger;
  FAILS(TOOLFORMER_ERROR_INVALID, "vocabulary", toolformer_annotator_new, parts.model, parts.registry, &options,
        &annotator);
  toolformer_model_free(stranger);
  options.proposer = NULL;
  options.worked_out = 2;
  FAILS(TOOLFORMER_ERROR_INVALID, "worked_out is 2", toolformer_annotator_new, parts.model, parts.registry, &options,
        &annotator);
  CHECK(annotator == NULL);
  drop(&parts);
}

// ---- Streams ----

typedef struct Stream {
  size_t given, taken;
  size_t fail_at;  // `take` fails there; 0: never
  bool broken;     // `next` fails
} Stream;

static toolformer_status next_document(void *user_data, toolformer_reply *reply) {
  Stream *stream = user_data;
  if (stream->broken) return TOOLFORMER_ERROR_IO;
  if (stream->given == 5) return TOOLFORMER_OK;
  toolformer_document document = document_of(stream->given % 2 == 0 ? kText : "Nothing to see here.");
  ++stream->given;
  return toolformer_reply_document(reply, &document);
}

static toolformer_status take_annotation(void *user_data, toolformer_annotation *annotation) {
  Stream *stream = user_data;
  const bool even = stream->taken % 2 == 0;
  CHECK(contains(toolformer_annotation_augmented_text(annotation), "-> 6.21]") == even);
  toolformer_annotation_free(annotation);
  return ++stream->taken == stream->fail_at ? TOOLFORMER_ERROR_IO : TOOLFORMER_OK;
}

static void test_stream(void) {
  Parts parts;
  make(&parts);
  toolformer_sampler_options sampler;
  toolformer_sampler_options_init(&sampler, sizeof(sampler));
  sampler.temperature = 0.1;
  toolformer_annotator_options options;
  toolformer_annotator_options_init(&options, sizeof(options));
  options.sampler = &sampler;
  toolformer_annotator *annotator = NULL;
  CALL(toolformer_annotator_new, parts.model, parts.registry, &options, &annotator);
  Stream state = {0};
  toolformer_stream stream;
  toolformer_stream_init(&stream, sizeof(stream));
  CHECK(stream.batch_size == 16);
  stream.next = next_document;
  stream.take = take_annotation;
  stream.user_data = &state;
  stream.batch_size = 2;
  CALL(toolformer_annotator_stream, annotator, &stream);
  CHECK(state.given == 5 && state.taken == 5);
  state = (Stream){.fail_at = 2};
  FAILS(TOOLFORMER_ERROR_CALLBACK, "take", toolformer_annotator_stream, annotator, &stream);
  CHECK(state.taken == 2);
  state = (Stream){.broken = true};
  FAILS(TOOLFORMER_ERROR_CALLBACK, "next", toolformer_annotator_stream, annotator, &stream);
  stream.batch_size = 0;
  FAILS(TOOLFORMER_ERROR_INVALID, "batch_size", toolformer_annotator_stream, annotator, &stream);
  toolformer_annotator_free(annotator);
  drop(&parts);
}

void test_annotation(void) {
  test_sampling();
  test_filtering();
  test_one();
  test_worked_out();
  test_proposer();
  test_stream();
}
