// From annotations to a better model (sections 2 and 4.1 of the paper). Part of toolformer_c.h, whose conventions hold
// here; see toolformer/dataset_merger.h and fine_tuner.h.
#ifndef TOOLFORMER_C_TRAIN_H_
#define TOOLFORMER_C_TRAIN_H_

#include "toolformer_c/annotate.h"

TOOLFORMER_C_BEGIN

// ---- Sequences to learn ----

#define TOOLFORMER_SPLIT_TRAINING 0
#define TOOLFORMER_SPLIT_DEVELOPMENT 1  // to choose the best state by

// Sequences of token ids. One thread at a time.
typedef struct toolformer_training_data toolformer_training_data;

// None yet.
TOOLFORMER_C_CHECKED toolformer_status toolformer_training_data_new(toolformer_training_data **out,
                                                                    toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Adds a sequence: at least two ids, the start token first. `weights` (may be NULL: 1 each) has the weight of the loss
// of each token after the first, [ids.size - 1], at least 0.
TOOLFORMER_C_CHECKED toolformer_status toolformer_training_data_add(toolformer_training_data *data, int32_t split,
                                                                    toolformer_ids ids, const float *weights,
                                                                    toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// Number of sequences of a split.
TOOLFORMER_C_CHECKED toolformer_status toolformer_training_data_count(toolformer_training_data *data, int32_t split,
                                                                      size_t *out,
                                                                      toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The ids of sequence `index`, I32 [ids]: a copy. TOOLFORMER_ERROR_INVALID: no such split or index.
TOOLFORMER_C_CHECKED toolformer_status toolformer_training_data_get(toolformer_training_data *data, int32_t split,
                                                                    size_t index, toolformer_tensor **out,
                                                                    toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_training_data_free(toolformer_training_data *data) TOOLFORMER_C_NOEXCEPT;

// ---- Merging annotations ----

// Judges the calls of a tool again.
typedef struct toolformer_threshold {
  toolformer_string tool;
  double tau_f;  // nats
} toolformer_threshold;

typedef struct toolformer_dataset_options {
  size_t struct_size;
  const toolformer_threshold *thresholds;  // [threshold_count]; tools that are not named keep their verdicts
  size_t threshold_count;
  int64_t max_texts_per_tool;  // 25,000
  double originals;            // texts without calls for each text with calls; 0
  double development;          // part of the texts that is held out; 0.05
  uint64_t seed;               // 0
  int32_t mask_results;        // 1: results are read, not learned; 0
  int32_t without_calls;       // 1: the same texts as they were: what calls are compared with; 0
} toolformer_dataset_options;

TOOLFORMER_C_API void toolformer_dataset_options_init(toolformer_dataset_options *options,
                                                      size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// Joins annotations of all tools into C*. One thread at a time.
typedef struct toolformer_dataset toolformer_dataset;

// `options` may be NULL. The tokenizer is to be the one that the texts were annotated with. TOOLFORMER_ERROR_INVALID:
// an option out of range.
TOOLFORMER_C_CHECKED toolformer_status toolformer_dataset_new(const toolformer_tokenizer *tokenizer,
                                                              const toolformer_dataset_options *options,
                                                              toolformer_dataset **out,
                                                              toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_dataset_free(toolformer_dataset *dataset) TOOLFORMER_C_NOEXCEPT;

// Calls of one text from several annotations are joined. TOOLFORMER_ERROR_INVALID: not of this tokenizer.
TOOLFORMER_C_CHECKED toolformer_status toolformer_dataset_add(toolformer_dataset *dataset,
                                                              const toolformer_annotation *annotation,
                                                              toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// A text that nobody annotated, to be learned as it is. Copies it.
TOOLFORMER_C_CHECKED toolformer_status toolformer_dataset_add_original(toolformer_dataset *dataset,
                                                                       const toolformer_document *document,
                                                                       toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// The sequences of all that was added. TOOLFORMER_ERROR_STATE where no text has a call that is kept.
TOOLFORMER_C_CHECKED toolformer_status toolformer_dataset_merge(toolformer_dataset *dataset,
                                                                toolformer_training_data **out,
                                                                toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

// ---- Fine-tuning ----

#define TOOLFORMER_DECAY_CONSTANT 0
#define TOOLFORMER_DECAY_LINEAR 1
#define TOOLFORMER_DECAY_COSINE 2

// State of a run after a step.
typedef struct toolformer_tune_progress {
  size_t struct_size;  // as the library has it
  int64_t step;
  int64_t steps;            // of the whole run
  double loss;              // nats a token
  double development_loss;  // nats a token; NaN where it was not measured at this step
  double gradient_norm;     // before it was scaled down
  double learning_rate;
  int64_t tokens;  // of the step
  double seconds;
} toolformer_tune_progress;

// After each step, on the caller's thread.
typedef void (*toolformer_tune_progress_fn)(void *user_data, const toolformer_tune_progress *progress);

typedef struct toolformer_tune_options {
  size_t struct_size;
  int64_t batch_size;                    // sequences of a step; 128, at most a million
  double learning_rate;                  // 1e-5
  double warmup;                         // part of all steps in which it grows linearly; 0.1
  int64_t sequence_length;               // tokens; 1,024
  int64_t max_steps;                     // 2,000, at most 1e12
  int64_t evaluation_interval;           // steps between measurements on the development sequences; 500
  double epochs;                         // times each sequence is seen, if max_steps allows it; 0: until max_steps
  double max_gradient_norm;              // 0: gradients are not scaled down; 1
  double beta1;                          // 0.9
  double beta2;                          // 0.999
  double epsilon;                        // 1e-8
  double weight_decay;                   // 0
  uint64_t seed;                         // of the order of the sequences; 0
  int32_t decay;                         // TOOLFORMER_DECAY_...; CONSTANT
  int32_t weights;                       // TOOLFORMER_WEIGHTS_...; F32
  int64_t low_rank;                      // rank of adapters, which alone learn; 0: all weights learn
  double low_rank_alpha;                 // 32
  toolformer_string device;              // "cpu"
  int64_t tokens_per_pass;               // memory grows with it; 2,048
  int64_t checkpoint_interval;           // steps after which a killed run goes on; 100
  int32_t recompute_layers;              // 1: a quarter more time, a fraction of the memory; 0
  int32_t reserved;                      // 0
  toolformer_tune_progress_fn progress;  // may be NULL
  void *progress_data;
  toolformer_interrupt interrupt;
} toolformer_tune_options;

TOOLFORMER_C_API void toolformer_tune_options_init(toolformer_tune_options *options,
                                                   size_t struct_size) TOOLFORMER_C_NOEXCEPT;

// What is to be learned by what.
typedef struct toolformer_tune_job {
  size_t struct_size;
  toolformer_string model;         // path of the base model, as toolformer_model_load takes it
  toolformer_string folder;        // where the run lives; made where it is not there; one run at a time
  toolformer_training_data *data;  // in use until the run ends
} toolformer_tune_job;

TOOLFORMER_C_API void toolformer_tune_job_init(toolformer_tune_job *job, size_t struct_size) TOOLFORMER_C_NOEXCEPT;

typedef struct toolformer_tuned toolformer_tuned;

// Runs, or goes on where a run with the same job and options was interrupted. `options` may be NULL. Memory: 16 bytes
// for each weight, and the activations of a pass. Errors of toolformer_model_load; TOOLFORMER_ERROR_INVALID (nothing to
// learn from, an id or weight out of range), _STATE (the folder holds another run), _IO, _TIMEOUT or _CANCELLED, after
// which the same job goes on.
TOOLFORMER_C_CHECKED toolformer_status toolformer_tune(const toolformer_tune_job *job,
                                                       const toolformer_tune_options *options, toolformer_tuned **out,
                                                       toolformer_error **error) TOOLFORMER_C_NOEXCEPT;

typedef struct toolformer_tune_summary {
  size_t struct_size;
  int64_t steps;
  int64_t best_step;
  double first_development_loss;  // of the model as it was, nats a token
  double best_development_loss;
  toolformer_string model_folder;  // a Hugging Face folder, or a low-rank adapter; lives as long as the handle
  int32_t stopped_early;           // 1: a loss was not finite; what is kept is the best state before it
  int32_t reserved;
} toolformer_tune_summary;

// What came of the run; the folder's name lives as long as the handle.
TOOLFORMER_C_CHECKED toolformer_status toolformer_tuned_get_summary(const toolformer_tuned *tuned,
                                                                    toolformer_tune_summary *out,
                                                                    toolformer_error **error) TOOLFORMER_C_NOEXCEPT;
TOOLFORMER_C_API void toolformer_tuned_free(toolformer_tuned *tuned) TOOLFORMER_C_NOEXCEPT;

TOOLFORMER_C_END

#endif  // TOOLFORMER_C_TRAIN_H_
