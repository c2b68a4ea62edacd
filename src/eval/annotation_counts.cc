// The figures of an annotation run.
#include "toolformer/annotation_report.h"

namespace toolformer {
namespace {

void Add(const SamplingCounts& from, SamplingCounts* to) {
  to->samples += from.samples;
  to->not_a_call += from.not_a_call;
  to->other_tool += from.other_tool;
  to->not_closed += from.not_closed;
  to->duplicates += from.duplicates;
  to->candidates += from.candidates;
  to->dropped += from.dropped;
}

void Add(const ToolOutcome& outcome, ToolCounts* counts) {
  counts->documents_accepted += outcome.document_accepted ? 1 : 0;
  counts->positions += std::ssize(outcome.positions);
  Add(outcome.sampling, &counts->sampling);
  for (const JudgedCall& call : outcome.calls) {
    ++counts->verdicts[call.verdict];
    CallYield& yield = counts->yields[call.source];
    for (const double threshold : kReportedThresholds) yield.at.try_emplace(threshold, 0);
    ++yield.candidates;
    yield.kept += call.verdict == Verdict::kKept ? 1 : 0;
    if (!call.losses) continue;
    const double gain = call.losses->gain();
    (call.losses->gain_is_bound() ? counts->gain_bounds : counts->gains).push_back(gain);
    if (call.losses->gain_is_bound()) continue;
    for (auto& [threshold, count] : yield.at) count += gain >= threshold ? 1 : 0;
  }
}

}  // namespace

AnnotationCounts CountAnnotations(const std::vector<AnnotatedDocument>& documents) {
  AnnotationCounts counts;
  counts.documents = std::ssize(documents);
  for (const AnnotatedDocument& annotated : documents) {
    if (annotated.kept() > 0) ++counts.documents_with_calls;
    if (annotated.skip != Skip::kNone) {
      ++counts.skipped[annotated.skip];
    } else {
      counts.tokens += std::ssize(annotated.token_ids);
    }
    for (const ToolOutcome& outcome : annotated.tools) Add(outcome, &counts.tools[outcome.tool]);
  }
  return counts;
}

double KeptPerMillionTokens(const CallYield& yield, const AnnotationCounts& counts) {
  return counts.tokens == 0 ? 0.0 : 1e6 * static_cast<double>(yield.kept) / static_cast<double>(counts.tokens);
}

}  // namespace toolformer
