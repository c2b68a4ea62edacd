// The first five boxes of Toolformer as one object: document filter, call sampler, tool executor, loss filter, splice.
#ifndef TOOLFORMER_ANNOTATOR_H_
#define TOOLFORMER_ANNOTATOR_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/call_sampler.h"
#include "toolformer/document.h"
#include "toolformer/document_filter.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/loss_filter.h"
#include "toolformer/model.h"
#include "toolformer/tool_executor.h"
#include "toolformer/tool_registry.h"

namespace toolformer {

// What was decided about a candidate.
enum class Verdict {
  kKept,
  kToolError,       // the tool gave no result
  kBelowThreshold,  // gain < tau_f
  kSmallerGain,     // another call at the same position gains more (design decision 5)
};
TOOLFORMER_API std::string_view VerdictName(
    Verdict verdict);  // "kept", "tool_error", "below_threshold", "smaller_gain"

// Where a candidate comes from.
enum class CallSource { kSampled, kWorkedOut };
TOOLFORMER_API std::string_view CallSourceName(CallSource source);  // "sampled", "worked_out"

// A candidate with all that is known of it.
struct TOOLFORMER_API JudgedCall {
  int64_t position = 0;              // index into the text's ids
  int64_t byte_offset = 0;           // of that position in the text
  double opening_probability = 0.0;  // p_i; 0 of calls that were worked out
  CallSource source = CallSource::kSampled;
  Call call;
  std::optional<std::string> result;  // neutralized; absent on a tool error
  std::string error;                  // of the tool
  std::optional<CallLosses> losses;   // absent on a tool error
  Verdict verdict = Verdict::kToolError;
};

// What one tool made of one document.
struct TOOLFORMER_API ToolOutcome {
  std::string tool;
  bool document_accepted = false;  // by the tool's heuristic
  std::vector<Position> positions;
  SamplingCounts sampling;
  std::vector<JudgedCall> calls;  // ascending position
};

// Why a document was not annotated at all.
enum class Skip { kNone, kEmpty, kTooLong, kContainsCalls };
TOOLFORMER_API std::string_view SkipName(Skip skip);  // "", "empty", "too_long", "contains_calls"

struct TOOLFORMER_API AnnotatedDocument {
  Document document;
  Skip skip = Skip::kNone;
  std::vector<int32_t> token_ids;  // x: the text's own ids, without the start token
  std::vector<ToolOutcome> tools;
  // x* as text, with the kept calls and results in place; equal to the text where none was kept.
  std::string augmented_text;
  // x* as ids, built of the same pieces as in filtering and decoding; without the start token.
  std::vector<int32_t> augmented_ids;

  int64_t kept() const;
};

// One JSON object, one line, without the line break; ParseAnnotation reads it back to an equal value.
TOOLFORMER_API std::string FormatAnnotation(const AnnotatedDocument& annotated);
TOOLFORMER_API absl::StatusOr<AnnotatedDocument> ParseAnnotation(std::string_view json_line);

// The lowest threshold at which reports count calls: gains from here on are always exact.
inline constexpr double kLowestReportedGain = 0.25;
// Thresholds at which reports count: the paper's (table 2) and one below them.
inline constexpr std::array<double, 4> kReportedThresholds = {kLowestReportedGain, 0.5, 1.0, 2.0};

// Where candidates are taken from: the model (the paper), or the tools' proposers (Tool::propose), or both. A call that
// both give counts as sampled.
struct TOOLFORMER_API CallSources {
  bool sampled = true;
  bool worked_out = false;
};

struct TOOLFORMER_API AnnotatorOptions {
  CallSources sources;
  CallSamplerOptions sampler;
  LossFilterOptions filter;
  ToolExecutorOptions executor;
  // Computes the exact gain of every call. Else calls that stay below tau_f and kLowestReportedGain whatever their
  // L_i(e(c, epsilon)) have an upper bound instead (CallLosses::gain_is_bound). Verdicts are the same.
  bool exact_gains = false;
  // Proposes the calls in place of the model, which judges them in any case; must have the model's vocabulary and
  // outlive the annotator. Null: the model itself. A copy with int8 weights proposes in half the time or less.
  const LanguageModel* proposer = nullptr;
  // Per tool name: replaces the tool's own parameters.
  std::map<std::string, AnnotationParameters> parameters;
};

// Keeps references to the model and the registry. Annotate and AnnotateBatch may be called from several threads at
// once.
class TOOLFORMER_API Annotator {
 public:
  // kInvalidArgument: no tools, a tool that is not marked free_of_side_effects, a parameter out of range, parameters of
  // an unknown tool, a proposer with another vocabulary, a model that is approximate.
  static absl::StatusOr<std::unique_ptr<Annotator>> Create(const LanguageModel& model, const ToolRegistry& registry,
                                                           AnnotatorOptions options);

  // Annotates one document with every tool. Deterministic: depends on the model, tools, options and the document only.
  // A text that is empty, longer than the context or already contains a call of a registered tool is skipped, not
  // failed (design decision 9). Errors are the model's and the interrupt's.
  absl::StatusOr<AnnotatedDocument> Annotate(const Document& document, const Interrupt& interrupt);

  // The same for several documents, in their order: each comes out as if it were alone, in less time. Sampling,
  // executing and filtering work on all of them together, within the bounds that the options set on memory.
  absl::StatusOr<std::vector<AnnotatedDocument>> AnnotateBatch(std::span<const Document> documents,
                                                               const Interrupt& interrupt);

  // The parameters in force for a tool.
  const AnnotationParameters& parameters(const Tool& tool) const;

  // What has come of the calls so far, by tool.
  std::vector<ToolStatistics> statistics() const { return executor_.Statistics(); }

 private:
  Annotator(const LanguageModel& model, const ToolRegistry& registry, AnnotatorOptions options);

  AnnotatedDocument Prepare(const Document& document) const;
  absl::StatusOr<std::vector<AnnotatedDocument>> TryBatch(std::span<const Document> documents,
                                                          const Interrupt& interrupt);
  absl::Status ProposeWith(const Tool& tool, const Interrupt& interrupt, std::vector<AnnotatedDocument>* batch) const;
  absl::Status Sample(const Tool& tool, const Interrupt& interrupt, std::span<AnnotatedDocument* const> accepted) const;
  void WorkOut(const Tool& tool, AnnotatedDocument* annotated) const;
  absl::Status Execute(const Interrupt& interrupt, std::vector<AnnotatedDocument>* batch);
  absl::Status Filter(const Interrupt& interrupt, std::vector<AnnotatedDocument>* batch) const;

  const LanguageModel& model_;
  const ToolRegistry& registry_;
  const AnnotatorOptions options_;
  const DocumentFilter document_filter_;
  const CallSampler sampler_;
  const LossFilter filter_;
  ToolExecutor executor_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_ANNOTATOR_H_
