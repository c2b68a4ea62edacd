// The annotated texts of a report.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_TEXTS_H_
#define TOOLFORMER_SRC_EVAL_REPORT_TEXTS_H_

#include <map>
#include <string>

#include "toolformer/annotator.h"

namespace toolformer {

// Index of a tool: decides its colour.
using ToolIndices = std::map<std::string, size_t>;

// One text with its kept calls in place and all its candidates in a table to unfold. A text without kept calls is
// folded itself.
std::string RenderText(const AnnotatedDocument& annotated, const ToolIndices& tools);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_TEXTS_H_
