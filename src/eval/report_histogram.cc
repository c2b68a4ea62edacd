#include "src/eval/report_histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "src/eval/report_html.h"

namespace toolformer {
namespace {

constexpr int kWidth = 640, kHeight = 220;
constexpr double kLeft = 44, kRight = 12, kTop = 24, kBottom = 42;
constexpr int kBarsPerStep = 8;
constexpr int kMostBars = 96;
// Wider axes would only be outliers.
constexpr double kMostNats = 20.0;

// The part of the axis that is shown, in whole steps.
struct Axis {
  double low = -1.0, high = 1.0, step = 0.5;

  double X(double gain) const {
    return kLeft + (std::clamp(gain, low, high) - low) / (high - low) * (kWidth - kLeft - kRight);
  }
};

Axis ChooseAxis(const std::vector<double>& sorted, const std::optional<double>& tau_f) {
  // All but half a percent at each end, zero, and the threshold.
  const size_t cut = sorted.size() / 200;
  double low = std::min(-0.5, sorted[cut]);
  double high = std::max(0.5, sorted[sorted.size() - 1 - cut]);
  if (tau_f && std::isfinite(*tau_f)) {
    low = std::min(low, *tau_f - 0.25);
    high = std::max(high, *tau_f + 0.25);
  }
  low = std::max(low, -kMostNats);
  high = std::min(high, kMostNats);
  Axis axis;
  if (!(low < high)) return axis;
  for (const double step : {0.25, 0.5, 1.0, 2.0, 5.0, 10.0}) {
    axis.step = step;
    constexpr int kMostSteps = kMostBars / kBarsPerStep - 2;
    if ((high - low) / step <= kMostSteps) break;
  }
  axis.low = std::floor(low / axis.step) * axis.step;
  axis.high = std::ceil(high / axis.step) * axis.step;
  return axis;
}

double Y(double count, double most) {
  return kHeight - kBottom - std::log1p(count) / std::log1p(most) * (kHeight - kTop - kBottom);
}

std::string CountAxis(double most) {
  std::string out;
  for (int64_t power = 1; power <= std::llround(most); power *= 10) {
    const auto count = static_cast<double>(power);
    const double y = Y(count, most);
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft,
                       kWidth - kRight, y);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.0f}</text>\n", kLeft - 6, y + 4, count);
  }
  return out;
}

std::string GainAxis(const Axis& axis) {
  std::string out;
  const double base = kHeight - kBottom;
  const int64_t steps = std::llround((axis.high - axis.low) / axis.step);
  for (int64_t i = 0; i <= steps; ++i) {
    const double gain = axis.low + static_cast<double>(i) * axis.step;
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:g}</text>\n", axis.X(gain), base + 16,
                       gain == 0.0 ? 0.0 : gain);
  }
  out += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft,
                     kWidth - kRight, base);
  out +=
      fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">gain L&#8315; &#8722; L&#8314; in nats</text>\n",
                  (kLeft + kWidth - kRight) / 2, kHeight - 8);
  return out;
}

std::vector<double> Finite(std::span<const double> numbers) {
  std::vector<double> finite;
  std::copy_if(numbers.begin(), numbers.end(), std::back_inserter(finite),
               [](double number) { return std::isfinite(number); });
  return finite;
}

// Where bars stand: they start at multiples of their width from tau_f, so that none has calls on both sides of it. A
// tau_f off the axis divides none of them, and may be any number.
struct BarGrid {
  double width, anchor;
  int64_t first, last;

  BarGrid(const Axis& axis, const HistogramLabels& labels)
      : width(axis.step / kBarsPerStep),
        anchor(labels.tau_f && *labels.tau_f >= axis.low && *labels.tau_f <= axis.high ? *labels.tau_f : 0.0),
        first(IndexOf(axis.low)),
        last(IndexOf(axis.high)) {}

  int64_t IndexOf(double gain) const { return static_cast<int64_t>(std::floor((gain - anchor) / width)); }
  double Begin(size_t bar) const { return anchor + static_cast<double>(first + static_cast<int64_t>(bar)) * width; }

  std::vector<int64_t> Counts(const std::vector<double>& gains, const Axis& axis) const {
    std::vector<int64_t> counts(static_cast<size_t>(last - first + 1));
    // A gain in the last bar's rounding still belongs above the threshold it reaches.
    for (const double gain : gains) {
      const int64_t index = std::clamp(IndexOf(std::clamp(gain, axis.low, axis.high)), first, last);
      ++counts[static_cast<size_t>(index - first)];
    }
    return counts;
  }
};

// The gains of a tool, finite ones only.
struct FiniteGains {
  std::vector<double> exact, at_most;
};

std::string Bars(const FiniteGains& gains, const Axis& axis, const HistogramLabels& labels) {
  const BarGrid grid(axis, labels);
  const std::vector<int64_t> exact = grid.Counts(gains.exact, axis), at_most = grid.Counts(gains.at_most, axis);
  int64_t most = 1;
  for (size_t i = 0; i < exact.size(); ++i) most = std::max(most, exact[i] + at_most[i]);
  std::string out = CountAxis(static_cast<double>(most));
  const auto bar = [&](size_t i, std::string_view css_class, int64_t height, const std::string& title) {
    const double left = axis.X(grid.Begin(i)), right = axis.X(grid.Begin(i) + grid.width);
    const double top = Y(static_cast<double>(height), static_cast<double>(most));
    out += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"><title>{}{}</title></rect>\n",
        css_class, left, top, std::max(1.0, right - left - 0.5), kHeight - kBottom - top, title,
        i == 0 || i + 1 == exact.size() ? " (and beyond)" : "");
  };
  for (size_t i = 0; i < exact.size(); ++i) {
    const double from = grid.Begin(i);
    if (at_most[i] > 0) {
      bar(i, "bar bound", exact[i] + at_most[i],
          fmt::format("{} calls, gain at most {:.3f} to {:.3f}", at_most[i], from, from + grid.width));
    }
    if (exact[i] > 0) {
      const bool reached = labels.tau_f && from >= *labels.tau_f;
      bar(i, reached ? "bar reached" : "bar", exact[i],
          fmt::format("{} calls, gain {:.3f} to {:.3f}", exact[i], from, from + grid.width));
    }
  }
  return out;
}

}  // namespace

std::string RenderGainHistogram(const GainFigures& gains, const HistogramLabels& labels) {
  const FiniteGains finite = {Finite(gains.exact), Finite(gains.at_most)};
  std::vector<double> sorted = finite.exact;
  sorted.insert(sorted.end(), finite.at_most.begin(), finite.at_most.end());
  const std::string name = EscapeHtml(labels.tool);
  if (sorted.empty()) return "<p class=\"note\">" + name + ": no call was scored.</p>\n";
  std::sort(sorted.begin(), sorted.end());
  const Axis axis = ChooseAxis(sorted, labels.tau_f);
  std::string out =
      fmt::format("<svg class=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Gains of {} calls of {}\">\n",
                  labels.css_class, kWidth, kHeight, sorted.size(), name);
  const std::string bounds =
      finite.at_most.empty() ? "" : fmt::format(", of {} an upper bound of the gain", finite.at_most.size());
  out += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"14\">{}: {} calls scored{}</text>\n", kLeft, name,
                     sorted.size(), bounds);
  out += Bars(finite, axis, labels) + GainAxis(axis);
  if (labels.tau_f && std::isfinite(*labels.tau_f)) {
    const double x = axis.X(*labels.tau_f);
    const bool on_right = x > kWidth - 130;
    out += fmt::format("<line class=\"tau\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", x, kTop - 2,
                       kHeight - kBottom);
    out += fmt::format(
        "<text class=\"taulabel\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">&#964;<tspan dy=\"3\" "
        "font-size=\"9\">f</tspan><tspan dy=\"-3\"> = {:g}</tspan></text>\n",
        on_right ? x - 5 : x + 5, kTop + 8, on_right ? "end" : "start", *labels.tau_f);
  }
  return out + "</svg>\n";
}

}  // namespace toolformer
