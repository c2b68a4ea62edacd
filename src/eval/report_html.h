// Pieces of HTML in which foreign text stays text.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_HTML_H_
#define TOOLFORMER_SRC_EVAL_REPORT_HTML_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "toolformer/annotator.h"

namespace toolformer {

// `text` for element content and quoted attributes: markup characters as entities, control characters (except line
// break and tab) as their pictures, invalid UTF-8 as U+FFFD.
std::string EscapeHtml(std::string_view text);

// The start of a page up to its heading: policy, style, title.
std::string PageHead(std::string_view title);
inline constexpr std::string_view kPageEnd = "</body></html>\n";

// A figure in large letters; both are HTML already.
std::string RenderCard(std::string_view figure, std::string_view words);

// A table whose cells are HTML already; the first column is its row headings.
struct HtmlTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};
std::string RenderTable(const HtmlTable& table);

// Names and values of what a run was done with; nothing where there are none.
using ReportParameters = std::vector<std::pair<std::string, std::string>>;
std::string RenderParameters(const ReportParameters& parameters);

// "below threshold".
std::string VerdictWords(Verdict verdict);

// Class of what belongs to the tool with this index: its colour.
std::string ToolClass(size_t index);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_HTML_H_
