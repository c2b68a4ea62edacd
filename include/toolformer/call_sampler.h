// Step 1 of annotation: where a call could help, and which calls the model proposes there (paper section 2, "Sampling
// API Calls").
#ifndef TOOLFORMER_CALL_SAMPLER_H_
#define TOOLFORMER_CALL_SAMPLER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/call_syntax.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"
#include "toolformer/tool.h"

namespace toolformer {

struct TOOLFORMER_API CallSamplerOptions {
  uint64_t seed = 0;
  double temperature = 1.0;  // > 0
  int64_t max_call_tokens = 64;
  // Feeds the tool's name and parenthesis instead of sampling them, and restricts the input to the tool's
  // `input_characters`. False is the paper's free sampling.
  bool constrain_syntax = true;

  // How the work is done. The results do not depend on it, but for the rounding of models whose numbers depend on the
  // batch; nor do they depend on which texts are sampled together.
  //
  // Most rows of a decoding step.
  int64_t max_batch_rows = 64;
  // Most texts that are read or decoded at once, and most tokens whose keys and values they hold beside the prompt's; a
  // longer text is read alone.
  int64_t max_open_texts = 16;
  int64_t max_open_tokens = 1536;
  // Most tokens, and bytes of logits, of a batch while texts are read.
  int64_t max_read_tokens = 1024;
  int64_t max_logits_bytes = 32 << 20;
  // Tools of which the prompt's keys and values are kept between calls, the least recently used ones giving way. 0: the
  // prompt is read again with every text.
  int64_t max_kept_prompts = 4;
  // Samples of a position that have written the same so far are one row.
  bool share_equal_rows = true;
  // Where only a few tokens may be drawn, the model computes no other logits.
  bool project_allowed_only = true;
};

// A text to be sampled from.
struct TOOLFORMER_API SamplingText {
  std::string_view text;
  std::span<const int32_t> x;  // the ids that `text` encodes to
  uint64_t seed = 0;           // of this text's samples, beside the options' seed
};

// i in I of the paper, with its p_i.
struct TOOLFORMER_API Position {
  int64_t index = 0;         // the call stands before token `index` of the text
  double probability = 0.0;  // p_i
};

// A distinct call proposed at a position.
struct TOOLFORMER_API CandidateCall {
  int64_t position = 0;
  double opening_probability = 0.0;  // p_i
  Call call;
  int64_t times_sampled = 0;
};

// What became of the samples: how many made no candidate, and why.
struct TOOLFORMER_API SamplingCounts {
  int64_t samples = 0;     // k * m, at most
  int64_t not_a_call = 0;  // text that cannot be read as a call
  int64_t other_tool = 0;  // a call of another name than the prompted tool's
  int64_t not_closed = 0;  // no closing bracket within max_call_tokens (paper footnote 2: discarded)
  int64_t duplicates = 0;  // a call already proposed at the same position
  int64_t candidates = 0;  // distinct calls
  int64_t dropped = 0;     // of these, by the tool's own check (Tool::keeps), where an Annotator asks
};

struct TOOLFORMER_API SampledCalls {
  std::vector<Position> positions;        // ascending index
  std::vector<CandidateCall> candidates;  // ascending position; within one, in the order first sampled
  SamplingCounts counts;
};

class KeptPrompts;
class AllowedTokens;

// Keeps references to the model. Const and concurrent; copies share what is kept of prompts.
class TOOLFORMER_API CallSampler {
 public:
  CallSampler(const LanguageModel& model, CallSamplerOptions options);

  // p_i = p_M(<API> | P(x), x_1:i-1) for every i in [0, n), as one teacher-forced pass (paper section 2; design
  // decision 2). `x` are the ids of the text that `text` encodes to.
  absl::StatusOr<std::vector<double>> OpeningProbabilities(const Tool& tool, std::string_view text,
                                                           std::span<const int32_t> x) const;

  // Positions with p_i > tau_s, the k most probable of them, and up to m calls sampled at each. Depends on the seed of
  // the options, `document_seed`, the tool's name, the model and the text only. kOutOfRange where prompt and text, or a
  // call behind them, exceed the context; kInvalidArgument for an empty text; the interrupt's status.
  absl::StatusOr<SampledCalls> Sample(const Tool& tool, const AnnotationParameters& parameters, std::string_view text,
                                      std::span<const int32_t> x, uint64_t document_seed,
                                      const Interrupt& interrupt) const;

  // The same for several texts, in their order. Candidates of all of them decode in one batch, which calls leave as
  // they end and others join. What is wrong with a text (kOutOfRange, kInvalidArgument) is the status of its own
  // element; errors of the model and the interrupt's status are the call's.
  absl::StatusOr<std::vector<absl::StatusOr<SampledCalls>>> Sample(const Tool& tool,
                                                                   const AnnotationParameters& parameters,
                                                                   std::span<const SamplingText> texts,
                                                                   const Interrupt& interrupt) const;

 private:
  const LanguageModel& model_;
  const CallSamplerOptions options_;
  const CallPieces pieces_;
  const std::shared_ptr<KeptPrompts> prompts_;
  const std::shared_ptr<AllowedTokens> allowed_;
};

// The positions of I, ascending: p_i > tau_s, the k most probable where there are more, the earlier one where two are
// equal.
TOOLFORMER_API std::vector<Position> SelectPositions(std::span<const double> probabilities, double tau_s, int64_t k);

}  // namespace toolformer

#endif  // TOOLFORMER_CALL_SAMPLER_H_
