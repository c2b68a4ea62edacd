// Annotations as text for people.
#ifndef TOOLFORMER_CLI_ANNOTATION_PRINT_H_
#define TOOLFORMER_CLI_ANNOTATION_PRINT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "terminal.h"
#include "toolformer/annotation_report.h"
#include "toolformer/annotator.h"

namespace toolformer::cli {

// Positions, sampled calls, results, losses, gain and verdict of each candidate, as a table for each tool.
// `title`: "3/40".
std::string DescribeAnnotation(const AnnotatedDocument& annotated, std::string_view title, const Style& style);

// The text around its kept calls, with the calls in place.
std::string DescribeKeptCalls(const AnnotatedDocument& annotated, const Style& style);

// Documents, samples and verdicts by tool and by reason.
std::string DescribeCounts(const AnnotationCounts& counts, const Style& style);

// What each source of calls gave at each threshold; nothing where there was no candidate.
std::string DescribeYields(const AnnotationCounts& counts, const Style& style);

// How the calls of tools that may take their time ran; nothing where there were none.
std::string DescribeExecution(const std::vector<ToolStatistics>& execution, const Style& style);

// All of it as JSON.
nlohmann::ordered_json CountsJson(const AnnotationCounts& counts, const std::vector<ToolStatistics>& execution);

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_ANNOTATION_PRINT_H_
