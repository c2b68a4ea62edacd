#include "toolformer/fine_tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <type_traits>
#include <utility>
#include <vector>

#include "src/base/random.h"
#include "src/base/status.h"
#include "src/model/device.h"
#include "src/model/libtorch_guard.h"
#include "src/model/model_files.h"
#include "src/train/adamw.h"
#include "src/train/run_folder.h"
#include "src/train/step_plan.h"
#include "src/train/trainable_transformer.h"

namespace toolformer {
namespace {

using Json = nlohmann::ordered_json;

// Of a run that draws as many sequences as the product says, which has to be a number.
constexpr int64_t kMostBatch = 1'000'000, kMostSteps = 1'000'000'000'000;

absl::Status CheckOptions(const FineTunerOptions& options) {
  const auto at_least = [](std::string_view name, int64_t value, int64_t least) {
    return value >= least ? absl::OkStatus() : InvalidArgument("{} is {}; it must be at least {}", name, value, least);
  };
  const auto within = [](std::string_view name, int64_t value, int64_t most) {
    if (value >= 1 && value <= most) return absl::OkStatus();
    return InvalidArgument("{} is {}; it must be within 1 and {}", name, value, most);
  };
  TF_RETURN_IF_ERROR(within("batch_size", options.batch_size, kMostBatch));
  TF_RETURN_IF_ERROR(at_least("sequence_length", options.sequence_length, 2));
  TF_RETURN_IF_ERROR(within("max_steps", options.max_steps, kMostSteps));
  TF_RETURN_IF_ERROR(at_least("evaluation_interval", options.evaluation_interval, 1));
  TF_RETURN_IF_ERROR(at_least("tokens_per_pass", options.tokens_per_pass, 1));
  TF_RETURN_IF_ERROR(at_least("checkpoint_interval", options.checkpoint_interval, 0));
  const auto finite = [](std::string_view name, double value, double most) {
    if (value >= 0 && value <= most) return absl::OkStatus();
    return InvalidArgument("{} is {}; it must be within 0 and {}", name, value, most);
  };
  TF_RETURN_IF_ERROR(finite("learning_rate", options.learning_rate, 1.0));
  TF_RETURN_IF_ERROR(finite("warmup", options.warmup, 1.0));
  TF_RETURN_IF_ERROR(finite("epochs", options.epochs, 1e6));
  TF_RETURN_IF_ERROR(finite("max_gradient_norm", options.max_gradient_norm, 1e30));
  TF_RETURN_IF_ERROR(finite("weight_decay", options.weight_decay, 1e3));
  TF_RETURN_IF_ERROR(finite("epsilon", options.epsilon, 1.0));
  if (!(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1)) {
    return InvalidArgument("beta1 and beta2 are {} and {}; they must be at least 0 and less than 1", options.beta1,
                           options.beta2);
  }
  if (options.low_rank && !(options.low_rank->rank >= 1 && options.low_rank->rank <= 65536)) {
    return InvalidArgument("the rank of the adapters is {}; it must be within 1 and 65536", options.low_rank->rank);
  }
  if (options.low_rank && !(options.low_rank->alpha > 0 && std::isfinite(options.low_rank->alpha))) {
    return InvalidArgument("alpha of the adapters is {}; it must be above 0", options.low_rank->alpha);
  }
  if (options.type == WeightType::kInt8) return Unimplemented("int8 weights do not learn; use float32 or bfloat16");
  return absl::OkStatus();
}

absl::Status CheckSequences(std::span<const TrainingSequence> sequences, int64_t vocab_size) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const TrainingSequence& sequence = sequences[i];
    if (sequence.ids.size() < 2) return InvalidArgument("sequence {} has less than two tokens", i);
    for (const int32_t id : sequence.ids) {
      if (id < 0 || id >= vocab_size) {
        return InvalidArgument("sequence {}: token id {} is not within 0 to {}", i, id, vocab_size - 1);
      }
    }
    if (sequence.weights.empty()) continue;
    if (sequence.weights.size() != sequence.ids.size() - 1) {
      return InvalidArgument("sequence {} has {} weights for {} tokens; each but the first needs one", i,
                             sequence.weights.size(), sequence.ids.size());
    }
    for (const float weight : sequence.weights) {
      if (!(weight >= 0) || !std::isfinite(weight)) return InvalidArgument("sequence {}: weight {}", i, weight);
    }
  }
  return absl::OkStatus();
}

uint64_t HashOf(std::span<const TrainingSequence> sequences) {
  uint64_t hash = sequences.size();
  for (const TrainingSequence& sequence : sequences) {
    const auto bytes = [](const auto& values) {
      return HashBytes({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])});
    };
    hash = CombineSeeds({hash, bytes(sequence.ids), bytes(sequence.weights)});
  }
  return hash;
}

// Everything that decides what a run computes.
Json Describe(const ModelInfo& model, const FineTunerOptions& options, const FineTuneJob& job) {
  Json run;
  run["format"] = "toolformer training run";
  run["version"] = 1;
  run["model"] = model.fingerprint;
  run["batch_size"] = options.batch_size;
  run["learning_rate"] = options.learning_rate;
  run["warmup"] = options.warmup;
  run["sequence_length"] = options.sequence_length;
  run["max_steps"] = options.max_steps;
  run["evaluation_interval"] = options.evaluation_interval;
  run["epochs"] = options.epochs;
  run["decay"] = static_cast<int>(options.decay);
  run["max_gradient_norm"] = options.max_gradient_norm;
  run["beta1"] = options.beta1;
  run["beta2"] = options.beta2;
  run["epsilon"] = options.epsilon;
  run["weight_decay"] = options.weight_decay;
  run["seed"] = options.seed;
  if (options.low_rank) run["low_rank"] = {{"rank", options.low_rank->rank}, {"alpha", options.low_rank->alpha}};
  run["device"] = options.device;
  run["type"] = options.type == WeightType::kBFloat16 ? "bfloat16" : "float32";
  run["tokens_per_pass"] = options.tokens_per_pass;
  run["recompute_layers"] = options.recompute_layers;
  run["training"] = {{"sequences", job.training.size()}, {"hash", fmt::format("{:016x}", HashOf(job.training))}};
  run["development"] = {{"sequences", job.development.size()},
                        {"hash", fmt::format("{:016x}", HashOf(job.development))}};
  return run;
}

// What changes from step to step, the weights and their moments apart.
struct RunState {
  int64_t step = 0;
  int64_t best_step = 0;
  double first_development_loss = 0.0;
  double best_development_loss = 0.0;

  Json ToJson() const {
    return {{"step", step},
            {"best_step", best_step},
            {"first_development_loss", first_development_loss},
            {"best_development_loss", best_development_loss}};
  }
  absl::Status Read(const nlohmann::json& json) {
    const auto read = [&](const char* name, auto* to) {
      const auto field = json.find(name);
      if (field == json.end() || !field->is_number())
        return InvalidArgument("state.json: field '{}' is not a number", name);
      *to = field->get<std::remove_pointer_t<decltype(to)>>();
      return absl::OkStatus();
    };
    TF_RETURN_IF_ERROR(read("step", &step));
    TF_RETURN_IF_ERROR(read("best_step", &best_step));
    TF_RETURN_IF_ERROR(read("first_development_loss", &first_development_loss));
    return read("best_development_loss", &best_development_loss);
  }
};

using Sequences = std::vector<const TrainingSequence*>;

Sequences PointersTo(const std::vector<TrainingSequence>& sequences) {
  Sequences pointers;
  pointers.reserve(sequences.size());
  for (const TrainingSequence& sequence : sequences) pointers.push_back(&sequence);
  return pointers;
}

double TotalWeight(const Sequences& sequences) {
  double total = 0.0;
  for (const TrainingSequence* sequence : sequences) total += TotalWeight(*sequence);
  return total;
}

using ReportProgress = std::function<void(const FineTuneProgress&)>;

// The sequences of a job, cut, and where their run lives.
struct Work {
  std::unique_ptr<RunFolder> folder;
  std::vector<TrainingSequence> training, development;
};

TrainableTransformer::Settings SettingsOf(const FineTunerOptions& options, const at::Device& device) {
  TrainableTransformer::Settings settings;
  settings.device = device;
  if (options.type == WeightType::kBFloat16) settings.type = at::kBFloat16;
  settings.recompute_layers = options.recompute_layers;
  settings.low_rank = options.low_rank;
  settings.seed = options.seed;
  return settings;
}

class TrainingRun {
 public:
  TrainingRun(ModelRead read, const FineTunerOptions& options, const at::Device& device, Work work)
      : description_(std::move(read.description)),
        options_(options),
        work_(std::move(work)),
        plan_(std::ssize(work_.training), options),
        transformer_(*description_.family, description_.spec, std::move(read.weights), SettingsOf(options, device)),
        optimizer_(transformer_.parameters(), {options.beta1, options.beta2, options.epsilon, options.weight_decay}) {}

  absl::StatusOr<FineTuneResult> Run(const Interrupt& interrupt, const ReportProgress& progress);

 private:
  absl::Status Restore();
  // One step; nullopt, with the weights as they were, where its loss or gradient is not finite.
  absl::StatusOr<std::optional<FineTuneProgress>> Step(const Interrupt& interrupt);
  absl::StatusOr<double> DevelopmentLoss(const Interrupt& interrupt) const;
  // Measures, and writes the model where it is the best so far.
  absl::StatusOr<double> Evaluate(const Interrupt& interrupt);
  absl::Status WriteBest();
  absl::Status WriteCheckpoint();
  // What follows a step. Evaluates where that is due.
  absl::Status Record(const Interrupt& interrupt, FineTuneProgress* done);
  absl::StatusOr<FineTuneResult> Finish(const bool& stopped_early) const;

  const ModelDescription description_;
  const FineTunerOptions options_;
  const Work work_;
  StepPlan plan_;
  TrainableTransformer transformer_;
  AdamW optimizer_;
  RunState state_;
  int64_t saved_step_ = 0;  // of the last checkpoint
};

absl::StatusOr<std::optional<FineTuneProgress>> TrainingRun::Step(const Interrupt& interrupt) {
  const auto started = std::chrono::steady_clock::now();
  Sequences batch;
  for (const int64_t index : plan_.Batch(state_.step)) batch.push_back(&work_.training[index]);
  const double total = TotalWeight(batch);
  FineTuneProgress done;
  double nats = 0.0;
  optimizer_.ClearGradients();
  for (const Sequences& pass : PackPasses(batch, options_.tokens_per_pass)) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    nats += transformer_.Learn(pass, 1.0 / total);
    for (const TrainingSequence* sequence : pass) done.tokens += std::ssize(sequence->ids) - 1;
  }
  done.loss = nats / total;
  done.gradient_norm = optimizer_.GradientNorm();
  if (!std::isfinite(done.loss) || !std::isfinite(done.gradient_norm)) return std::nullopt;
  const bool scaled = options_.max_gradient_norm > 0 && done.gradient_norm > options_.max_gradient_norm;
  done.learning_rate = plan_.LearningRate(state_.step);
  optimizer_.Step(done.learning_rate, scaled ? options_.max_gradient_norm / done.gradient_norm : 1.0);
  done.step = ++state_.step;
  done.steps = plan_.steps();
  done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return done;
}

absl::StatusOr<double> TrainingRun::DevelopmentLoss(const Interrupt& interrupt) const {
  const Sequences sequences = PointersTo(work_.development);
  double nats = 0.0;
  for (const Sequences& pass : PackPasses(sequences, options_.tokens_per_pass)) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    nats += transformer_.Evaluate(pass);
  }
  return nats / TotalWeight(sequences);
}

absl::Status TrainingRun::WriteBest() {
  state_.best_step = state_.step;
  return work_.folder->WriteBest(state_.step, [&](const std::string& folder) {
    if (!options_.low_rank) return WriteModel(description_, transformer_.Masters(), folder);
    const std::string base = std::filesystem::path(description_.info.path).filename().string();
    return WriteAdapter(transformer_.adapter(), base, /*half=*/true, folder);
  });
}

absl::Status TrainingRun::WriteCheckpoint() {
  saved_step_ = state_.step;
  return work_.folder->WriteCheckpoint(optimizer_.State(), state_.ToJson());
}

absl::StatusOr<double> TrainingRun::Evaluate(const Interrupt& interrupt) {
  TF_ASSIGN_OR_RETURN(const double loss, DevelopmentLoss(interrupt));
  if (state_.step == 0) state_.first_development_loss = loss;
  if (state_.step == 0 || loss < state_.best_development_loss) {
    state_.best_development_loss = loss;
    TF_RETURN_IF_ERROR(WriteBest());
  }
  return loss;
}

absl::Status TrainingRun::Record(const Interrupt& interrupt, FineTuneProgress* done) {
  const bool last = state_.step == plan_.steps();
  const bool evaluates = last || state_.step % options_.evaluation_interval == 0;
  if (!work_.development.empty() && evaluates) {
    TF_ASSIGN_OR_RETURN(done->development_loss, Evaluate(interrupt));
  } else if (last) {
    TF_RETURN_IF_ERROR(WriteBest());
  }
  Json line = {{"step", done->step},
               {"loss", done->loss},
               {"gradient_norm", done->gradient_norm},
               {"learning_rate", done->learning_rate},
               {"tokens", done->tokens}};
  if (done->development_loss) line["development_loss"] = *done->development_loss;
  TF_RETURN_IF_ERROR(work_.folder->Log(line));
  const bool due = options_.checkpoint_interval > 0 && state_.step % options_.checkpoint_interval == 0;
  return evaluates || due ? WriteCheckpoint() : absl::OkStatus();
}

absl::StatusOr<FineTuneResult> TrainingRun::Finish(const bool& stopped_early) const {
  FineTuneResult result;
  result.steps = state_.step;
  result.best_step = state_.best_step;
  result.first_development_loss = state_.first_development_loss;
  result.best_development_loss = state_.best_development_loss;
  result.stopped_early = stopped_early;
  result.model_folder = work_.folder->model_folder();
  Json json = state_.ToJson();
  json["stopped_early"] = stopped_early;
  TF_RETURN_IF_ERROR(work_.folder->Finish(result.best_step, json));
  return result;
}

absl::Status TrainingRun::Restore() {
  TF_ASSIGN_OR_RETURN(const std::optional<nlohmann::json> state, work_.folder->ReadCheckpoint(optimizer_.State()));
  if (state) {
    TF_RETURN_IF_ERROR(state_.Read(*state));
    optimizer_.CopyMasters();
    saved_step_ = state_.step;
  }
  return work_.folder->TruncateLog(state_.step);
}

absl::StatusOr<FineTuneResult> TrainingRun::Run(const Interrupt& interrupt, const ReportProgress& progress) {
  TF_ASSIGN_OR_RETURN(const std::optional<nlohmann::json> ended, work_.folder->ReadResult());
  if (ended) {
    TF_RETURN_IF_ERROR(state_.Read(*ended));
    return Finish(ended->value("stopped_early", false));
  }
  TF_RETURN_IF_ERROR(Restore());
  const bool measured = !work_.development.empty();
  if (state_.step == 0 && measured) TF_RETURN_IF_ERROR(Evaluate(interrupt).status());
  while (state_.step < plan_.steps()) {
    absl::StatusOr<std::optional<FineTuneProgress>> step = Step(interrupt);
    if (!step.ok()) {
      // Nothing of this step has been applied.
      if (!interrupt.Check().ok() && state_.step > saved_step_) TF_RETURN_IF_ERROR(WriteCheckpoint());
      return step.status();
    }
    if (!*step && !measured) {
      return Internal("step {}: the loss or its gradient is not finite; try a smaller learning rate", state_.step + 1);
    }
    if (!*step) return Finish(true);
    TF_RETURN_IF_ERROR(Record(interrupt, &**step));
    if (progress) progress(**step);
  }
  return Finish(false);
}

}  // namespace

absl::StatusOr<FineTuner> FineTuner::Create(const FineTunerOptions& options) {
  TF_RETURN_IF_ERROR(CheckOptions(options));
  return FineTuner(options);
}

absl::StatusOr<FineTuneResult> FineTuner::Run(const FineTuneJob& job, const Interrupt& interrupt,
                                              const std::function<void(const FineTuneProgress&)>& progress) const {
  TF_ASSIGN_OR_RETURN(const c10::Device device, OpenDevice(options_.device));
  TF_ASSIGN_OR_RETURN(ModelRead read, ReadModel(job.model, {}));
  const TransformerSpec& spec = read.description.spec;
  TF_RETURN_IF_ERROR(CheckSequences(job.training, spec.vocab_size));
  TF_RETURN_IF_ERROR(CheckSequences(job.development, spec.vocab_size));
  const int64_t length = std::min(options_.sequence_length, spec.context_length);
  Work work{nullptr, CutSequences(job.training, length), CutSequences(job.development, length)};
  if (work.training.empty()) {
    return InvalidArgument("there is nothing to learn from: no sequence has a token of weight above 0");
  }
  TF_ASSIGN_OR_RETURN(work.folder, RunFolder::Open(job.folder, Describe(read.description.info, options_, job)));
  return GuardLibtorch([&] {
    TrainingRun run(std::move(read), options_, device, std::move(work));
    return run.Run(interrupt, progress);
  });
}

}  // namespace toolformer
