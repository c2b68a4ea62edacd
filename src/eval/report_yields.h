// What each source of calls gave, as rows of a table.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_YIELDS_H_
#define TOOLFORMER_SRC_EVAL_REPORT_YIELDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "toolformer/annotation_report.h"

namespace toolformer {

// Cells are HTML: tool, source, candidates, kept, kept a million tokens, and one for each of kReportedThresholds.
std::vector<std::string> YieldHead();
// A row for each tool and source that gave candidates.
std::vector<std::vector<std::string>> YieldRows(const AnnotationCounts& counts);
inline constexpr std::string_view kYieldNote =
    "The last columns are candidates that would reach &#964;<sub>f</sub> (paper, Table 2), before the best of a "
    "position is chosen.";

// "worked out".
std::string_view SourceWords(CallSource source);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_YIELDS_H_
