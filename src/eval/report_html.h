// Pieces of HTML in which foreign text stays text.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_HTML_H_
#define TOOLFORMER_SRC_EVAL_REPORT_HTML_H_

#include <string>
#include <string_view>
#include <vector>

#include "toolformer/annotator.h"

namespace toolformer {

// `text` for element content and quoted attributes: markup characters as entities, control characters (except line
// break and tab) as their pictures, invalid UTF-8 as U+FFFD.
std::string EscapeHtml(std::string_view text);

// A table whose cells are HTML already; the first column is its row headings.
struct HtmlTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};
std::string RenderTable(const HtmlTable& table);

// "below threshold".
std::string VerdictWords(Verdict verdict);

// Class of what belongs to the tool with this index: its colour.
std::string ToolClass(size_t index);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_HTML_H_
