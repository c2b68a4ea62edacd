#include "src/eval/report_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace toolformer {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr int kWidth = 640, kHeight = 220;
constexpr double kLeft = 56, kRight = 16, kTop = 26, kBottom = 42;
constexpr size_t kMostPoints = 1000;
constexpr int kTicks = 5;
constexpr double kTooLarge = 1e300;  // the span of an axis would overflow

// What an axis shows, with round numbers at its ticks.
struct Scale {
  double low = 0.0, high = 1.0, step = 0.25;

  void Cover(double from, double to) {
    if (!(from < to)) {
      const double room = std::max(1e-9, std::abs(from) * 0.1);
      from -= room;
      to += room;
    }
    const double raw = (to - from) / kTicks;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    step = 10 * power;
    for (const double multiple : {5.0, 2.5, 2.0, 1.0}) {
      if (multiple * power >= raw) step = multiple * power;
    }
    low = std::floor(from / step) * step;
    high = std::ceil(to / step) * step;
  }
  int64_t Ticks() const { return std::llround((high - low) / step); }
  double Tick(int64_t i) const {
    const double value = low + static_cast<double>(i) * step;
    return std::abs(value) < step * 1e-6 ? 0.0 : value;
  }
};

struct Frame {
  Scale x, y;

  double X(double value) const { return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight); }
  double Y(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

Points Finite(const Points& points) {
  Points finite;
  for (const auto& [x, y] : points) {
    if (std::abs(x) < kTooLarge && std::abs(y) < kTooLarge) finite.emplace_back(x, y);
  }
  return finite;
}

Points Thinned(const Points& points) {
  const size_t group = (points.size() + kMostPoints - 1) / kMostPoints;
  if (group <= 1) return points;
  Points thinned;
  for (size_t i = 0; i < points.size(); i += group) {
    const size_t end = std::min(points.size(), i + group);
    std::pair<double, double> sum = {0.0, 0.0};
    for (size_t j = i; j < end; ++j) {
      sum.first += points[j].first;
      sum.second += points[j].second;
    }
    const auto count = static_cast<double>(end - i);
    thinned.emplace_back(sum.first / count, sum.second / count);
  }
  return thinned;
}

std::string Axes(const Frame& frame, std::string_view x_label) {
  std::string out;
  for (int64_t i = 0; i <= frame.y.Ticks(); ++i) {
    const double value = frame.y.Tick(i), y = frame.Y(value);
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft,
                       kWidth - kRight, y);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", kLeft - 6, y + 4, value);
  }
  const double base = kHeight - kBottom;
  for (int64_t i = 0; i <= frame.x.Ticks(); ++i) {
    const double value = frame.x.Tick(i);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:g}</text>\n", frame.X(value),
                       base + 16, value);
  }
  out += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft,
                     kWidth - kRight, base);
  return out + fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                           (kLeft + kWidth - kRight) / 2, kHeight - 8, x_label);
}

std::string Drawn(const Line& line, const Points& points, const Frame& frame) {
  std::string path;
  for (const auto& [x, y] : points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", frame.X(x), frame.Y(y));
  }
  std::string out = fmt::format("<path class=\"{}\" d=\"{}\"/>\n", line.css_class, path);
  if (!line.dots) return out;
  for (const auto& [x, y] : points) {
    out +=
        fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{:g}: {:.5g}</title></circle>\n",
                    frame.X(x), frame.Y(y), x, y);
  }
  return out;
}

}  // namespace

std::string RenderLineChart(const LineChart& chart) {
  std::vector<Points> drawn;
  Points all;
  for (const Line& line : chart.lines) {
    drawn.push_back(Thinned(Finite(line.points)));
    all.insert(all.end(), drawn.back().begin(), drawn.back().end());
  }
  if (all.empty()) return fmt::format("<p class=\"note\">{}: nothing measured yet.</p>\n", chart.title);
  const auto by_y = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [left, right] = std::minmax_element(all.begin(), all.end());
  const auto [lowest, highest] = std::minmax_element(all.begin(), all.end(), by_y);
  Frame frame;
  frame.x.Cover(left->first, right->first);
  frame.y.Cover(lowest->second, highest->second);
  std::string out = fmt::format("<svg class=\"t0\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                                kHeight, chart.title);
  out += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"14\">{}</text>\n", kLeft, chart.title);
  out += Axes(frame, chart.x_label);
  for (size_t i = 0; i < drawn.size(); ++i) {
    if (!drawn[i].empty()) out += Drawn(chart.lines[i], drawn[i], frame);
  }
  if (chart.marked && std::abs(chart.marked->second) < kTooLarge) {
    const double x = frame.X(chart.marked->first), y = frame.Y(chart.marked->second);
    const bool on_right = x > kWidth - 160;
    out += fmt::format("<circle class=\"marked\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\"/>", x, y);
    out += fmt::format("<text class=\"taulabel\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                       on_right ? x - 9 : x + 9, std::max(kTop + 4.0, y - 8), on_right ? "end" : "start", chart.mark);
  }
  return out + "</svg>\n";
}

Points RunningMean(const Points& points, size_t window) {
  Points means;
  double sum = 0.0;
  for (size_t i = 0; i < points.size(); ++i) {
    sum += points[i].second;
    if (i >= window) sum -= points[i - window].second;
    means.emplace_back(points[i].first, sum / static_cast<double>(std::min(i + 1, window)));
  }
  return means;
}

}  // namespace toolformer
