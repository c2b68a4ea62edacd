// A picture of an annotation run: one self-contained HTML page, and the same figures as a struct.
#ifndef TOOLFORMER_ANNOTATION_REPORT_H_
#define TOOLFORMER_ANNOTATION_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "toolformer/annotator.h"
#include "toolformer/export.h"
#include "toolformer/tool_statistics.h"

namespace toolformer {

// What one source of candidates gave.
struct TOOLFORMER_API CallYield {
  int64_t candidates = 0;
  int64_t kept = 0;
  std::map<double, int64_t> at;  // candidates with a gain of at least 0.25, 0.5, 1.0, 2.0
};

struct TOOLFORMER_API ToolCounts {
  int64_t documents_accepted = 0;
  int64_t positions = 0;
  SamplingCounts sampling;
  std::map<Verdict, int64_t> verdicts;
  std::vector<double> gains;               // of the candidates whose gain is known, in nats
  std::vector<double> gain_bounds;         // of the other scored ones: their gain is at most this (CallLosses)
  std::map<CallSource, CallYield> yields;  // of sources that gave candidates
};

struct TOOLFORMER_API AnnotationCounts {
  int64_t documents = 0;
  int64_t documents_with_calls = 0;
  int64_t tokens = 0;  // of the texts that were not skipped
  std::map<Skip, int64_t> skipped;
  std::map<std::string, ToolCounts> tools;
};

TOOLFORMER_API AnnotationCounts CountAnnotations(const std::vector<AnnotatedDocument>& documents);

// Kept calls of a source for a million tokens of text that was read; 0 where there was none.
TOOLFORMER_API double KeptPerMillionTokens(const CallYield& yield, const AnnotationCounts& counts);

// The page: counts per tool and per reason of rejection, what each source of calls gave at each threshold and per
// million tokens of text, histogram of gains with tau_f (gains of which only a bound is known are drawn apart), how the
// calls ran, texts with their calls highlighted (kept ones in place, rejected ones on demand), and the parameters used,
// as given (name, value); a parameter "Name.tau_f" draws the threshold of tool Name. At most 2,000 texts are shown, all
// are counted. No script of another host, no network. Whatever the texts and results contain is shown as text.
//
// `execution` is of the process that ended the run: of a run that was interrupted, a part. Tools that return at once
// have no part in it, so that pages of runs with no others are equal to the byte however often they were interrupted.
TOOLFORMER_API std::string RenderAnnotationReport(const std::vector<AnnotatedDocument>& documents,
                                                  const std::vector<std::pair<std::string, std::string>>& parameters,
                                                  const std::vector<ToolStatistics>& execution = {});

// Rounds of annotating the same texts, in their order, as a page of its own: kept calls per million tokens and calls at
// each threshold, by tool and source of calls, with a chart.
TOOLFORMER_API std::string RenderRoundsReport(const std::vector<AnnotationCounts>& rounds);

}  // namespace toolformer

#endif  // TOOLFORMER_ANNOTATION_REPORT_H_
