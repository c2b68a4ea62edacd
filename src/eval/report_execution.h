// How the calls of a run went, as a table.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_EXECUTION_H_
#define TOOLFORMER_SRC_EVAL_REPORT_EXECUTION_H_

#include <string>
#include <vector>

#include "toolformer/tool_statistics.h"

namespace toolformer {

// Of the tools that may wait: calls, where answers came from, errors by kind, retries, latencies, and in words what was
// given up on. Nothing where there is none.
std::string RenderExecution(const std::vector<ToolStatistics>& execution);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_EXECUTION_H_
