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

// Bars start at multiples of their width from tau_f, so that none has calls on both sides of the threshold.
std::string Bars(const std::vector<double>& gains, const Axis& axis, const HistogramLabels& labels) {
  const double width = axis.step / kBarsPerStep;
  const double anchor = labels.tau_f && std::isfinite(*labels.tau_f) ? *labels.tau_f : 0.0;
  const auto index_of = [&](double gain) { return static_cast<int64_t>(std::floor((gain - anchor) / width)); };
  const int64_t first = index_of(axis.low), last = index_of(axis.high);
  std::vector<int64_t> counts(static_cast<size_t>(last - first + 1));
  // A gain in the last bar's rounding still belongs above the threshold it reaches.
  for (const double gain : gains) {
    const int64_t index = std::clamp(index_of(std::clamp(gain, axis.low, axis.high)), first, last);
    ++counts[static_cast<size_t>(index - first)];
  }
  const double most = std::max<double>(1.0, static_cast<double>(*std::max_element(counts.begin(), counts.end())));
  std::string out = CountAxis(most);
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const double from = anchor + static_cast<double>(first + static_cast<int64_t>(i)) * width;
    const double left = axis.X(from), right = axis.X(from + width), top = Y(static_cast<double>(counts[i]), most);
    const bool reached = labels.tau_f && first + static_cast<int64_t>(i) >= 0;
    out += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{} calls, gain {:.3f} "
        "to "
        "{:.3f}{}</title></rect>\n",
        reached ? "bar reached" : "bar", left, top, std::max(1.0, right - left - 0.5), kHeight - kBottom - top,
        counts[i], from, from + width, i == 0 || i + 1 == counts.size() ? " (and beyond)" : "");
  }
  return out;
}

}  // namespace

std::string RenderGainHistogram(std::span<const double> gains, const HistogramLabels& labels) {
  std::vector<double> sorted;
  std::copy_if(gains.begin(), gains.end(), std::back_inserter(sorted), [](double gain) { return std::isfinite(gain); });
  const std::string name = EscapeHtml(labels.tool);
  if (sorted.empty()) return "<p class=\"note\">" + name + ": no call was scored.</p>\n";
  std::sort(sorted.begin(), sorted.end());
  const Axis axis = ChooseAxis(sorted, labels.tau_f);
  std::string out =
      fmt::format("<svg class=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Gains of {} calls of {}\">\n",
                  labels.css_class, kWidth, kHeight, sorted.size(), name);
  out += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"14\">{}: {} calls scored</text>\n", kLeft, name,
                     sorted.size());
  out += Bars(sorted, axis, labels) + GainAxis(axis);
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
