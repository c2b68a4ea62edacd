#include "src/eval/report_html.h"

#include <fmt/format.h>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr size_t kToolColours = 6;  // as many as kReportStyle has

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    const std::string_view bytes = text.substr(0, c.length);
    text.remove_prefix(c.length);
    if (!c.valid || (c.value >= 0x80 && c.value < 0xA0) || (c.value & 0xFFFE) == 0xFFFE) {
      out += "&#xfffd;";
    } else if (c.value == '&') {
      out += "&amp;";
    } else if (c.value == '<') {
      out += "&lt;";
    } else if (c.value == '>') {
      out += "&gt;";
    } else if (c.value == '"') {
      out += "&quot;";
    } else if (c.value == '\'') {
      out += "&#39;";
    } else if (c.value == '\n' || c.value == '\t' || (c.value >= 0x20 && c.value != 0x7F)) {
      out += bytes;
    } else {
      out += fmt::format("&#x{:x};", c.value == 0x7F ? 0x2421 : 0x2400 + c.value);
    }
  }
  return out;
}

std::string RenderTable(const HtmlTable& table) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& cell : table.head) out += "<th scope=\"col\">" + cell + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      out += i == 0 ? "<th scope=\"row\">" + row[i] + "</th>" : "<td>" + row[i] + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string VerdictWords(Verdict verdict) {
  std::string words(VerdictName(verdict));
  for (char& c : words) {
    if (c == '_') c = ' ';
  }
  return words;
}

std::string ToolClass(size_t index) { return fmt::format("t{}", index % kToolColours); }

}  // namespace toolformer
