// Sequences to learn, and learning them.
#include <cmath>
#include <limits>

#include "capi/src/host.h"
#include "capi/src/options.h"
#include "toolformer/dataset_merger.h"
#include "toolformer/fine_tuner.h"

namespace toolformer::capi {
namespace {

struct DatasetState {
  DatasetState(std::shared_ptr<const Tokenizer> t, DatasetMerger m) : tokenizer(std::move(t)), merger(std::move(m)) {}
  const std::shared_ptr<const Tokenizer> tokenizer;
  DatasetMerger merger;
  Exclusive exclusive;
};

absl::Status CheckSplit(int32_t split) {
  return split == TOOLFORMER_SPLIT_TRAINING || split == TOOLFORMER_SPLIT_DEVELOPMENT
             ? absl::OkStatus()
             : InvalidArgument("split is {}, not one of TOOLFORMER_SPLIT_...", split);
}

toolformer_dataset_options DefaultDatasetOptions() {
  const DatasetOptions own;
  toolformer_dataset_options options = {};
  options.struct_size = sizeof(options);
  options.max_texts_per_tool = own.max_texts_per_tool;
  options.originals = own.originals;
  options.development = own.development;
  options.seed = own.seed;
  return options;
}

absl::StatusOr<DatasetOptions> ReadDatasetOptions(const toolformer_dataset_options* given) {
  TF_ASSIGN_OR_RETURN(const toolformer_dataset_options read, ReadOptions(given, "options", DefaultDatasetOptions()));
  TF_RETURN_IF_ERROR(CheckArray(read.thresholds, read.threshold_count, "options.thresholds"));
  TF_RETURN_IF_ERROR(CheckFlag(read.mask_results, "options.mask_results"));
  TF_RETURN_IF_ERROR(CheckFlag(read.without_calls, "options.without_calls"));
  DatasetOptions options;
  for (size_t i = 0; i < read.threshold_count; ++i) {
    TF_RETURN_IF_ERROR(CheckText(read.thresholds[i].tool, "options.thresholds.tool"));
    options.tau_f[ToString(read.thresholds[i].tool)] = read.thresholds[i].tau_f;
  }
  options.max_texts_per_tool = read.max_texts_per_tool;
  options.originals = read.originals;
  options.development = read.development;
  options.mask_results = read.mask_results == 1;
  options.without_calls = read.without_calls == 1;
  options.seed = read.seed;
  return options;
}

toolformer_tune_options DefaultTuneOptions() {
  const FineTunerOptions own;
  toolformer_tune_options options = {};
  options.struct_size = sizeof(options);
  options.batch_size = own.batch_size;
  options.learning_rate = own.learning_rate;
  options.warmup = own.warmup;
  options.sequence_length = own.sequence_length;
  options.max_steps = own.max_steps;
  options.evaluation_interval = own.evaluation_interval;
  options.epochs = own.epochs;
  options.max_gradient_norm = own.max_gradient_norm;
  options.beta1 = own.beta1;
  options.beta2 = own.beta2;
  options.epsilon = own.epsilon;
  options.weight_decay = own.weight_decay;
  options.seed = own.seed;
  options.decay = TOOLFORMER_DECAY_CONSTANT;
  options.weights = TOOLFORMER_WEIGHTS_F32;
  options.low_rank_alpha = LowRankOptions().alpha;
  options.device = {"cpu", 3};
  options.tokens_per_pass = own.tokens_per_pass;
  options.checkpoint_interval = own.checkpoint_interval;
  return options;
}

absl::StatusOr<LearningRateDecay> DecayOf(int32_t decay) {
  switch (decay) {
    case TOOLFORMER_DECAY_CONSTANT:
      return LearningRateDecay::kConstant;
    case TOOLFORMER_DECAY_LINEAR:
      return LearningRateDecay::kLinear;
    case TOOLFORMER_DECAY_COSINE:
      return LearningRateDecay::kCosine;
    default:
      return InvalidArgument("options.decay is {}, not one of TOOLFORMER_DECAY_...", decay);
  }
}

absl::StatusOr<FineTunerOptions> ReadTuneOptions(const toolformer_tune_options& read) {
  TF_RETURN_IF_ERROR(CheckText(read.device, "options.device"));
  TF_RETURN_IF_ERROR(CheckFlag(read.recompute_layers, "options.recompute_layers"));
  TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
  if (read.low_rank < 0) return InvalidArgument("options.low_rank {} is negative", read.low_rank);
  FineTunerOptions options;
  options.batch_size = read.batch_size;
  options.learning_rate = read.learning_rate;
  options.warmup = read.warmup;
  options.sequence_length = read.sequence_length;
  options.max_steps = read.max_steps;
  options.evaluation_interval = read.evaluation_interval;
  options.epochs = read.epochs;
  options.max_gradient_norm = read.max_gradient_norm;
  options.beta1 = read.beta1;
  options.beta2 = read.beta2;
  options.epsilon = read.epsilon;
  options.weight_decay = read.weight_decay;
  options.seed = read.seed;
  TF_ASSIGN_OR_RETURN(options.decay, DecayOf(read.decay));
  TF_ASSIGN_OR_RETURN(options.type, ReadWeights(read.weights, WeightType::kFloat32));
  if (read.low_rank > 0) options.low_rank = {read.low_rank, read.low_rank_alpha};
  if (read.device.size > 0) options.device = ToString(read.device);
  options.tokens_per_pass = read.tokens_per_pass;
  options.checkpoint_interval = read.checkpoint_interval;
  options.recompute_layers = read.recompute_layers == 1;
  return options;
}

toolformer_tune_progress ViewProgress(const FineTuneProgress& own) {
  toolformer_tune_progress progress = {};
  progress.struct_size = sizeof(progress);
  progress.step = own.step;
  progress.steps = own.steps;
  progress.loss = own.loss;
  progress.development_loss = own.development_loss.value_or(std::numeric_limits<double>::quiet_NaN());
  progress.gradient_norm = own.gradient_norm;
  progress.learning_rate = own.learning_rate;
  progress.tokens = own.tokens;
  progress.seconds = own.seconds;
  return progress;
}

}  // namespace
}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

struct toolformer_dataset : Handle<toolformer_dataset> {
  static constexpr const char* kName = "toolformer_dataset";
  explicit toolformer_dataset(std::shared_ptr<DatasetState> s) : state(std::move(s)) {}
  const std::shared_ptr<DatasetState> state;
};

struct toolformer_tuned : Handle<toolformer_tuned> {
  static constexpr const char* kName = "toolformer_tuned";
  explicit toolformer_tuned(toolformer::FineTuneResult r) : result(std::move(r)) {}
  const toolformer::FineTuneResult result;
};

extern "C" {

toolformer_status toolformer_training_data_new(toolformer_training_data** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_training_data>();
    return absl::OkStatus();
  });
}

toolformer_status toolformer_training_data_add(toolformer_training_data* data, int32_t split, toolformer_ids ids,
                                               const float* weights, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(data, "data"));
    TF_RETURN_IF_ERROR(CheckSplit(split));
    TF_RETURN_IF_ERROR(CheckArray(ids.data, ids.size, "ids"));
    if (ids.size < 2) return toolformer::InvalidArgument("a sequence of {} ids has nothing to predict", ids.size);
    toolformer::TrainingSequence sequence;
    sequence.ids.assign(ids.data, ids.data + ids.size);
    if (weights != nullptr) sequence.weights.assign(weights, weights + ids.size - 1);
    for (const float weight : sequence.weights) {
      if (!(weight >= 0) || !std::isfinite(weight)) return toolformer::InvalidArgument("weights has {}", weight);
    }
    const std::shared_ptr<TrainingState> state = data->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("data"));
    state->splits[split].push_back(std::move(sequence));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_training_data_count(toolformer_training_data* data, int32_t split, size_t* out,
                                                 toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(data, "data"));
    TF_RETURN_IF_ERROR(CheckSplit(split));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<TrainingState> state = data->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("data"));
    *out = state->splits[split].size();
    return absl::OkStatus();
  });
}

toolformer_status toolformer_training_data_get(toolformer_training_data* data, int32_t split, size_t index,
                                               toolformer_tensor** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(data, "data"));
    TF_RETURN_IF_ERROR(CheckSplit(split));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<TrainingState> state = data->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("data"));
    TF_RETURN_IF_ERROR(CheckIndex(index, state->splits[split].size()));
    *out = NewIds(state->splits[split][index].ids);
    return absl::OkStatus();
  });
}

void toolformer_training_data_free(toolformer_training_data* data) noexcept { delete LiveOrNull(data); }

void toolformer_dataset_options_init(toolformer_dataset_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultDatasetOptions());
}

toolformer_status toolformer_dataset_new(const toolformer_tokenizer* tokenizer,
                                         const toolformer_dataset_options* options, toolformer_dataset** out,
                                         toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(tokenizer, "tokenizer"));
    TF_ASSIGN_OR_RETURN(toolformer::DatasetOptions read, ReadDatasetOptions(options));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_ASSIGN_OR_RETURN(auto merger, toolformer::DatasetMerger::Create(*tokenizer->tokenizer, std::move(read)));
    *out = New<toolformer_dataset>(std::make_shared<DatasetState>(tokenizer->tokenizer, std::move(merger)));
    return absl::OkStatus();
  });
}

void toolformer_dataset_free(toolformer_dataset* dataset) noexcept { delete LiveOrNull(dataset); }

toolformer_status toolformer_dataset_add(toolformer_dataset* dataset, const toolformer_annotation* annotation,
                                         toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(dataset, "dataset"));
    TF_RETURN_IF_ERROR(CheckHandle(annotation, "annotation"));
    const std::shared_ptr<DatasetState> state = dataset->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("dataset"));
    return state->merger.Add(annotation->document);
  });
}

toolformer_status toolformer_dataset_add_original(toolformer_dataset* dataset, const toolformer_document* document,
                                                  toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(dataset, "dataset"));
    TF_ASSIGN_OR_RETURN(const toolformer::Document read, ReadDocument(document, "document"));
    const std::shared_ptr<DatasetState> state = dataset->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("dataset"));
    return state->merger.AddOriginal(read);
  });
}

toolformer_status toolformer_dataset_merge(toolformer_dataset* dataset, toolformer_training_data** out,
                                           toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(dataset, "dataset"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<DatasetState> state = dataset->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("dataset"));
    TF_ASSIGN_OR_RETURN(toolformer::Dataset merged, state->merger.Merge());
    auto data = std::make_unique<toolformer_training_data>();
    data->state->splits[TOOLFORMER_SPLIT_TRAINING] = std::move(merged.training);
    data->state->splits[TOOLFORMER_SPLIT_DEVELOPMENT] = std::move(merged.development);
    *out = data.release();
    return absl::OkStatus();
  });
}

void toolformer_tune_options_init(toolformer_tune_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultTuneOptions());
}

void toolformer_tune_job_init(toolformer_tune_job* job, size_t struct_size) noexcept {
  Initialise(job, struct_size, toolformer_tune_job{});
}

toolformer_status toolformer_tune(const toolformer_tune_job* job, const toolformer_tune_options* options,
                                  toolformer_tuned** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_ASSIGN_OR_RETURN(const toolformer_tune_job read, ReadStruct(job, "job", toolformer_tune_job{}));
    TF_RETURN_IF_ERROR(CheckText(read.model, "job.model"));
    TF_RETURN_IF_ERROR(CheckText(read.folder, "job.folder"));
    TF_RETURN_IF_ERROR(CheckHandle(read.data, "job.data"));
    TF_ASSIGN_OR_RETURN(const toolformer_tune_options given, ReadOptions(options, "options", DefaultTuneOptions()));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_ASSIGN_OR_RETURN(const toolformer::FineTunerOptions own, ReadTuneOptions(given));
    TF_ASSIGN_OR_RETURN(const HeldInterrupt interrupt, HeldInterrupt::Of(given.interrupt));
    const std::shared_ptr<TrainingState> data = read.data->state;
    const Turn turn(data->exclusive);
    TF_RETURN_IF_ERROR(turn.status("job.data"));
    TF_ASSIGN_OR_RETURN(const toolformer::FineTuner tuner, toolformer::FineTuner::Create(own));
    std::function<void(const toolformer::FineTuneProgress&)> progress;
    if (given.progress != nullptr) {
      progress = [&given](const toolformer::FineTuneProgress& state) {
        const toolformer_tune_progress view = ViewProgress(state);
        CallHost("progress", [&] { given.progress(given.progress_data, &view); });
      };
    }
    TF_ASSIGN_OR_RETURN(auto result,
                        tuner.Run({ToString(read.model), ToString(read.folder), data->splits[TOOLFORMER_SPLIT_TRAINING],
                                   data->splits[TOOLFORMER_SPLIT_DEVELOPMENT]},
                                  interrupt.get(), progress));
    *out = New<toolformer_tuned>(std::move(result));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_tuned_get_summary(const toolformer_tuned* tuned, toolformer_tune_summary* out,
                                               toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(tuned, "tuned"));
    TF_RETURN_IF_ERROR(CheckResult(out));
    const toolformer::FineTuneResult& own = tuned->result;
    WriteResult(
        toolformer_tune_summary{0, own.steps, own.best_step, own.first_development_loss, own.best_development_loss,
                                View(own.model_folder), own.stopped_early ? 1 : 0, 0},
        out);
    return absl::OkStatus();
  });
}

void toolformer_tuned_free(toolformer_tuned* tuned) noexcept { delete LiveOrNull(tuned); }

}  // extern "C"
