// The figures of an annotation run.
#include "toolformer/annotation_report.h"

namespace toolformer {
namespace {

// Thresholds of the paper's Table 2, and one above them.
constexpr double kThresholds[] = {kLowestReportedGain, 0.5, 1.0, 2.0};

void Add(const SamplingCounts& from, SamplingCounts* to) {
  to->samples += from.samples;
  to->not_a_call += from.not_a_call;
  to->other_tool += from.other_tool;
  to->not_closed += from.not_closed;
  to->duplicates += from.duplicates;
  to->candidates += from.candidates;
}

void Add(const ToolOutcome& outcome, ToolCounts* counts) {
  for (const double threshold : kThresholds) counts->kept_at.try_emplace(threshold, 0);
  counts->documents_accepted += outcome.document_accepted ? 1 : 0;
  counts->positions += std::ssize(outcome.positions);
  Add(outcome.sampling, &counts->sampling);
  for (const JudgedCall& call : outcome.calls) {
    ++counts->verdicts[call.verdict];
    if (!call.losses) continue;
    const double gain = call.losses->gain();
    (call.losses->gain_is_bound() ? counts->gain_bounds : counts->gains).push_back(gain);
    if (call.losses->gain_is_bound()) continue;
    for (auto& [threshold, kept] : counts->kept_at) kept += gain >= threshold ? 1 : 0;
  }
}

}  // namespace

AnnotationCounts CountAnnotations(const std::vector<AnnotatedDocument>& documents) {
  AnnotationCounts counts;
  counts.documents = std::ssize(documents);
  for (const AnnotatedDocument& annotated : documents) {
    if (annotated.kept() > 0) ++counts.documents_with_calls;
    if (annotated.skip != Skip::kNone) ++counts.skipped[annotated.skip];
    for (const ToolOutcome& outcome : annotated.tools) Add(outcome, &counts.tools[outcome.tool]);
  }
  return counts;
}

}  // namespace toolformer
