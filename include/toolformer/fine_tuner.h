// Fine-tuning on texts with calls in them (paper sections 2 and 4.1, appendix B): the standard objective of language
// models, AdamW, the best state on held-out texts kept.
#ifndef TOOLFORMER_FINE_TUNER_H_
#define TOOLFORMER_FINE_TUNER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"
#include "toolformer/training_sequence.h"

namespace toolformer {

// What the learning rate does after the warm-up.
enum class LearningRateDecay { kConstant, kLinear, kCosine };

// Low-rank adapters (Hu et al., 2021: LoRA) of all linear maps of attention and MLP: only they learn.
struct TOOLFORMER_API LowRankOptions {
  int64_t rank = 16;
  double alpha = 32.0;  // the product of the two matrices counts alpha / rank
};

struct TOOLFORMER_API FineTunerOptions {
  // The paper's recipe (appendix B).
  int64_t batch_size = 128;           // sequences of a step, at most a million
  double learning_rate = 1e-5;        // reached at the end of the warm-up
  double warmup = 0.1;                // part of all steps in which it grows linearly from 0
  int64_t sequence_length = 1024;     // tokens, start token included; longer sequences are cut into several
  int64_t max_steps = 2000;           // fewer where `epochs` says so; at most 1e12
  int64_t evaluation_interval = 500;  // steps between measurements on the development sequences

  double epochs = 0.0;  // times each sequence is seen, if max_steps allows it; 0: until max_steps
  LearningRateDecay decay = LearningRateDecay::kConstant;  // to 0 at the last step
  double max_gradient_norm = 1.0;                          // the gradient of a step is scaled down to it; 0: never
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.0;  // of matrices
  uint64_t seed = 0;          // of the order of the sequences

  std::optional<LowRankOptions> low_rank;  // absent: all weights learn

  std::string device = "cpu";              // as ModelOptions::device
  WeightType type = WeightType::kFloat32;  // of matrices and activations; what learns is float32 all the same
  int64_t tokens_per_pass = 2048;          // a step is made of as many passes as it takes; memory grows with it
  bool recompute_layers = false;           // activation checkpointing: a quarter more time, a fraction of the memory
  int64_t checkpoint_interval = 100;       // steps after which a killed run goes on; 0: at evaluations only
};

// State of a run after a step.
struct TOOLFORMER_API FineTuneProgress {
  int64_t step = 0;            // steps done
  int64_t steps = 0;           // of the whole run
  double loss = 0.0;           // nats a token, mean over the tokens of the step by weight
  double gradient_norm = 0.0;  // before it was scaled down
  double learning_rate = 0.0;
  int64_t tokens = 0;  // of the step
  double seconds = 0.0;
  std::optional<double> development_loss;  // nats a token, where measured at this step
};

struct TOOLFORMER_API FineTuneResult {
  int64_t steps = 0;
  int64_t best_step = 0;
  double first_development_loss = 0.0;  // of the model as it was, nats a token
  double best_development_loss = 0.0;
  bool stopped_early = false;  // a loss was not finite; what is kept is the best state before it
  // A Hugging Face folder; of low-rank adapters a folder of PEFT's (ModelOptions::adapter), in bfloat16.
  std::string model_folder;
};

// What is to be learned by what.
struct TOOLFORMER_API FineTuneJob {
  std::string model;  // path of the base model, as Model::Load takes it
  // Where the run lives: log.jsonl, checkpoints, and in the end model/. Made where it is not there. One run in a folder
  // at a time.
  std::string folder;
  std::span<const TrainingSequence> training;
  // To choose the best state by; may be empty: then the last one is it.
  std::span<const TrainingSequence> development;
};

// Safe for concurrent use, by runs in different folders.
class TOOLFORMER_API FineTuner {
 public:
  // kInvalidArgument (an option out of range: names it), kUnimplemented (int8 weights).
  static absl::StatusOr<FineTuner> Create(const FineTunerOptions& options);

  // Runs, or goes on where a run with the same model, options and sequences was interrupted: what follows is equal to
  // what it would have been, bit by bit. `progress` is called after each step, on the calling thread; may be empty.
  // Memory: 16 bytes for each weight, 18 with bfloat16, and the activations of a pass.
  //
  // Errors of Model::Load; kInvalidArgument (nothing to learn from; an id or weight out of range: names the sequence),
  // kFailedPrecondition (the folder holds another run: names what differs; or another process works in it),
  // kUnavailable (a file cannot be written: names it; the last checkpoint stands), kResourceExhausted, kInternal (the
  // loss is not finite, and there are no development sequences to choose a state by), the interrupt's, after which the
  // same job goes on.
  absl::StatusOr<FineTuneResult> Run(const FineTuneJob& job, const Interrupt& interrupt,
                                     const std::function<void(const FineTuneProgress&)>& progress) const;

 private:
  explicit FineTuner(FineTunerOptions options) : options_(std::move(options)) {}

  FineTunerOptions options_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_FINE_TUNER_H_
