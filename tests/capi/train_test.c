// From annotations to sequences, and learning them.
#include <math.h>

#include "check.h"

static void test_merging(void) {
  Script script = {.rules = kConvertRules, .count = kConvertRuleCount};
  Converter converter = {.calls = 0};
  toolformer_model *model = script_model(&script);
  toolformer_registry *registry = converter_registry(&converter);
  toolformer_annotator_options options;
  toolformer_annotator_options_init(&options, sizeof(options));
  toolformer_sampler_options sampler;
  toolformer_sampler_options_init(&sampler, sizeof(sampler));
  sampler.temperature = 0.1;
  options.sampler = &sampler;
  toolformer_annotator *annotator = NULL;
  CALL(toolformer_annotator_new, model, registry, &options, &annotator);
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_model_tokenizer, model, &tokenizer);

  toolformer_dataset_options merging;
  toolformer_dataset_options_init(&merging, sizeof(merging));
  CHECK(merging.max_texts_per_tool == 25000 && merging.development == 0.05);
  merging.development = 0;
  merging.originals = 1;
  toolformer_dataset *dataset = NULL;
  CALL(toolformer_dataset_new, tokenizer, &merging, &dataset);
  toolformer_training_data *data = NULL;
  FAILS(TOOLFORMER_ERROR_STATE, NULL, toolformer_dataset_merge, dataset, &data);
  toolformer_document document;
  toolformer_document_init(&document, sizeof(document));
  document.text = toolformer_str("Ten km is 6.21 miles.");
  toolformer_annotation *annotation = NULL;
  CALL(toolformer_annotator_annotate, annotator, &document, NULL, &annotation);
  CALL(toolformer_dataset_add, dataset, annotation);
  document.text = toolformer_str("As it is.");
  CALL(toolformer_dataset_add_original, dataset, &document);
  CALL(toolformer_dataset_merge, dataset, &data);
  size_t count = 0;
  CALL(toolformer_training_data_count, data, TOOLFORMER_SPLIT_TRAINING, &count);
  CHECK(count == 2);
  bool found = false;
  for (size_t i = 0; i < count; ++i) {
    toolformer_tensor *ids = NULL;
    CALL(toolformer_training_data_get, data, TOOLFORMER_SPLIT_TRAINING, i, &ids);
    CHECK(toolformer_tensor_ids(ids).data[0] == kStart);
    toolformer_bytes *text = NULL;
    CALL(toolformer_tokenizer_decode, tokenizer, toolformer_tensor_ids(ids), &text);
    found = found || contains(toolformer_bytes_view(text), "[Convert(10 km) -> 6.21]");
    toolformer_bytes_free(text);
    toolformer_tensor_free(ids);
  }
  CHECK(found);
  toolformer_tensor *none = NULL;
  FAILS(TOOLFORMER_ERROR_INVALID, "index 2 of 2", toolformer_training_data_get, data, TOOLFORMER_SPLIT_TRAINING, 2,
        &none);
  FAILS(TOOLFORMER_ERROR_INVALID, "split is 5", toolformer_training_data_count, data, 5, &count);
  toolformer_training_data_free(data);

  // An annotation of another tokenizer.
  toolformer_tokenizer *other = NULL;
  CALL(toolformer_tokenizer_load, fixture("models/llama_gqa"), &other);
  toolformer_dataset *foreign = NULL;
  CALL(toolformer_dataset_new, other, NULL, &foreign);
  FAILS(TOOLFORMER_ERROR_INVALID, NULL, toolformer_dataset_add, foreign, annotation);
  toolformer_dataset_free(foreign);
  toolformer_tokenizer_free(other);
  toolformer_annotation_free(annotation);
  toolformer_dataset_free(dataset);
  const toolformer_threshold threshold = {{"Convert", 7}, NAN};
  merging.thresholds = &threshold;
  merging.threshold_count = 1;
  dataset = NULL;
  FAILS(TOOLFORMER_ERROR_INVALID, "tau_f", toolformer_dataset_new, tokenizer, &merging, &dataset);
  toolformer_annotator_free(annotator);
  toolformer_tokenizer_free(tokenizer);
  toolformer_registry_free(registry);
  toolformer_model_free(model);
  CHECK(script.destroyed == 1 && converter.destroyed == 1);
}

typedef struct Steps {
  int count;
  double first, last;
  toolformer_cancel_token *cancel;
  toolformer_training_data *data;
} Steps;

static void on_step(void *user_data, const toolformer_tune_progress *progress) {
  Steps *steps = user_data;
  CHECK(progress->struct_size == sizeof(*progress));
  if (steps->count++ == 0) steps->first = progress->loss;
  steps->last = progress->loss;
  CHECK(progress->step == steps->count && progress->steps == 12 && progress->tokens > 0);
  if (steps->cancel != NULL && steps->count == 3) toolformer_cancel_token_cancel(steps->cancel);
  if (steps->data != NULL) {
    size_t count = 0;
    FAILS(TOOLFORMER_ERROR_BUSY, "in use", toolformer_training_data_count, steps->data, 0, &count);
  }
}

static void test_tuning(void) {
  toolformer_training_data *data = NULL;
  CALL(toolformer_training_data_new, &data);
  int32_t ids[20];
  for (int i = 0; i < 20; ++i) ids[i] = 5 + i % 3;
  CALL(toolformer_training_data_add, data, TOOLFORMER_SPLIT_TRAINING, ids_of(ids, 20), NULL);
  CALL(toolformer_training_data_add, data, TOOLFORMER_SPLIT_DEVELOPMENT, ids_of(ids, 20), NULL);
  const float weights[] = {1, 0, -1};
  FAILS(TOOLFORMER_ERROR_INVALID, "weights has -1", toolformer_training_data_add, data, 0, ids_of(ids, 4), weights);
  FAILS(TOOLFORMER_ERROR_INVALID, "1 ids", toolformer_training_data_add, data, 0, ids_of(ids, 1), NULL);

  Steps steps = {.data = data};
  CALL(toolformer_cancel_token_new, &steps.cancel);
  toolformer_tune_options options;
  toolformer_tune_options_init(&options, sizeof(options));
  CHECK(options.batch_size == 128 && options.learning_rate == 1e-5 && options.low_rank_alpha == 32);
  options.batch_size = 1;
  options.max_steps = 12;
  options.learning_rate = 0.01;
  options.evaluation_interval = 6;
  options.checkpoint_interval = 1;
  options.sequence_length = 32;
  options.progress = on_step;
  options.progress_data = &steps;
  options.interrupt.cancel = steps.cancel;
  toolformer_tune_job job;
  toolformer_tune_job_init(&job, sizeof(job));
  job.model = fixture("models/gpt2_small");
  job.folder = temporary("run");
  job.data = data;
  toolformer_tuned *tuned = NULL;
  FAILS(TOOLFORMER_ERROR_CANCELLED, NULL, toolformer_tune, &job, &options, &tuned);
  CHECK(steps.count == 3);
  toolformer_cancel_token_reset(steps.cancel);
  CALL(toolformer_tune, &job, &options, &tuned);  // goes on
  CHECK(steps.count == 12 && steps.last < steps.first);
  toolformer_tune_summary summary = {.struct_size = sizeof(summary)};
  CALL(toolformer_tuned_get_summary, tuned, &summary);
  CHECK(summary.steps == 12 && summary.stopped_early == 0);
  CHECK(summary.best_development_loss < summary.first_development_loss);
  toolformer_model *model = NULL;
  CALL(toolformer_model_load, summary.model_folder, NULL, &model);
  toolformer_model_free(model);
  toolformer_tuned_free(tuned);
  tuned = NULL;

  options.seed = 2;
  FAILS(TOOLFORMER_ERROR_STATE, "run", toolformer_tune, &job, &options, &tuned);
  job.folder = temporary("other");
  options.decay = 9;
  FAILS(TOOLFORMER_ERROR_INVALID, "decay is 9", toolformer_tune, &job, &options, &tuned);
  options.decay = TOOLFORMER_DECAY_COSINE;
  options.low_rank = -1;
  FAILS(TOOLFORMER_ERROR_INVALID, "low_rank", toolformer_tune, &job, &options, &tuned);
  options.low_rank = 0;
  options.batch_size = 0;
  FAILS(TOOLFORMER_ERROR_INVALID, "batch_size", toolformer_tune, &job, &options, &tuned);
  options.batch_size = 1;
  job.model = toolformer_str("/nowhere");
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "/nowhere", toolformer_tune, &job, &options, &tuned);
  CHECK(tuned == NULL);
  toolformer_cancel_token_free(steps.cancel);
  toolformer_training_data_free(data);
}

void test_training(void) {
  test_merging();
  test_tuning();
}
