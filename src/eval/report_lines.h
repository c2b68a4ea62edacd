// Numbers over steps as a picture.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_LINES_H_
#define TOOLFORMER_SRC_EVAL_REPORT_LINES_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toolformer {

struct Line {
  std::vector<std::pair<double, double>> points;  // x ascending
  std::string_view css_class;                     // "line", "line thin"
  bool dots = false;                              // each point is drawn, and says its numbers
};

struct LineChart {
  std::string_view title;    // with the unit of y
  std::string_view x_label;  // below the axis
  std::vector<Line> lines = {};
  std::optional<std::pair<double, double>> marked = {};  // a point
  std::string_view mark = {};                            // words beside it
};

// An inline SVG, or a note where there is nothing to draw. Of long lines at most a thousand points are drawn, each the
// mean of its neighbours. Points that are not finite, or beyond 1e300, are left out. Titles and words are HTML already.
std::string RenderLineChart(const LineChart& chart);

// Means over the last `window` points.
std::vector<std::pair<double, double>> RunningMean(const std::vector<std::pair<double, double>>& points, size_t window);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_LINES_H_
