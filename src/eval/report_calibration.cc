#include "src/eval/report_calibration.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "src/eval/report_html.h"

namespace toolformer {
namespace {

constexpr double kWidth = 736, kHeight = 190, kLeft = 44, kRight = 8, kTop = 22, kBottom = 36;

// A series of the picture: what of a bin is counted, of how many.
struct Series {
  std::string_view name, css_class;
  int64_t CalibrationBin::*count;
  int64_t CalibrationBin::*of;
};
constexpr Series kSeries[] = {
    {"with a call", "t0", &CalibrationBin::with_call, &CalibrationBin::predictions},
    {"right", "t3", &CalibrationBin::correct, &CalibrationBin::predictions},
    {"result of the call right", "t1", &CalibrationBin::results_correct, &CalibrationBin::with_call},
};

double ShareOf(int64_t count, int64_t of) {
  return of == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(of);
}

std::string CountOf(int64_t count, int64_t of) {
  return of == 0 ? "&#8211;" : fmt::format("{} ({:.0f}%)", count, 100 * ShareOf(count, of));
}

std::string RangeOf(const std::vector<CalibrationBin>& bins, size_t i) {
  return fmt::format("{:g} to {:g}", bins[i].from, i + 1 < bins.size() ? bins[i + 1].from : 1.0);
}

double Y(double share) { return kHeight - kBottom - share * (kHeight - kTop - kBottom); }

std::string Axes() {
  std::string out;
  for (const double share : {0.0, 0.5, 1.0}) {
    out += fmt::format("<line class=\"{0}\" x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{3:.1f}\" y2=\"{3:.1f}\"/>",
                       share == 0.0 ? "axis" : "grid", kLeft, kWidth - kRight, Y(share));
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.0f}%</text>\n", kLeft - 6, Y(share) + 4,
                       100 * share);
  }
  double x = kLeft;
  for (const Series& series : kSeries) {
    out += fmt::format(
        "<rect class=\"reached {}\" x=\"{:.1f}\" y=\"5\" width=\"9\" height=\"9\"/><text x=\"{:.1f}\" "
        "y=\"14\">{}</text>\n",
        series.css_class, x, x + 14, series.name);
    x += 34 + 6.2 * static_cast<double>(series.name.size());
  }
  return out;
}

std::string Picture(const std::vector<CalibrationBin>& bins) {
  const double column = (kWidth - kLeft - kRight) / static_cast<double>(bins.size());
  const double bar = column / (std::size(kSeries) + 1);
  std::string out = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Calls and right answers by the probability of calling\">\n",
      kWidth, kHeight);
  out += Axes();
  for (size_t i = 0; i < bins.size(); ++i) {
    const double left = kLeft + static_cast<double>(i) * column + bar / 2;
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">&#8805; {:g}</text>\n",
                       left + column / 2 - bar / 2, kHeight - kBottom + 15, bins[i].from);
    for (size_t s = 0; s < std::size(kSeries); ++s) {
      const int64_t count = bins[i].*kSeries[s].count, of = bins[i].*kSeries[s].of;
      if (of == 0) continue;
      const double top = Y(ShareOf(count, of));
      out += fmt::format(
          "<rect class=\"reached {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{}: {} of "
          "{}</title></rect>\n",
          kSeries[s].css_class, left + static_cast<double>(s) * bar, top, bar - 1.5, Y(0.0) - top, kSeries[s].name,
          count, of);
    }
  }
  out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">probability of calling</text>\n",
                     (kLeft + kWidth - kRight) / 2, kHeight - 4);
  return out + "</svg>\n";
}

}  // namespace

std::string RenderCalibration(const PredictionCounts& counts) {
  const std::vector<CalibrationBin>& bins = counts.calibration;
  if (counts.with_call == 0 && bins.front().predictions == counts.predictions) return "";
  HtmlTable table;
  table.head = {"probability of calling", "problems",      "with a call",         "right",
                "right with a call",      "right without", "result of call right"};
  for (size_t i = 0; i < bins.size(); ++i) {
    const CalibrationBin& bin = bins[i];
    table.rows.push_back({RangeOf(bins, i), fmt::format("{}", bin.predictions), CountOf(bin.with_call, bin.predictions),
                          CountOf(bin.correct, bin.predictions), CountOf(bin.with_call_correct, bin.with_call),
                          CountOf(bin.correct - bin.with_call_correct, bin.predictions - bin.with_call),
                          CountOf(bin.results_correct, bin.with_call)});
  }
  return "<h3>Probability of calling</h3>\n<p class=\"note\">That of the opening bracket where the first call was "
         "opened; where "
         "there is no call, the largest of all places.</p>\n" +
         Picture(bins) + RenderTable(table);
}

}  // namespace toolformer
