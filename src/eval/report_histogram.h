// Gains as a picture.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_HISTOGRAM_H_
#define TOOLFORMER_SRC_EVAL_REPORT_HISTOGRAM_H_

#include <optional>
#include <span>
#include <string>

namespace toolformer {

struct HistogramLabels {
  std::string tool;
  std::string css_class;
  std::optional<double> tau_f;  // drawn as a line
};

// What is known of the gains, in nats.
struct GainFigures {
  std::span<const double> exact;
  std::span<const double> at_most;  // upper bounds of others
};

// An inline SVG of how many gains fall where; heights are logarithmic, because few calls are kept among many. What lies
// beyond the axis is counted in the outermost bars. Bounds are open bars behind those of the exact gains, as high as
// both together. Numbers that are not finite are left out.
std::string RenderGainHistogram(const GainFigures& gains, const HistogramLabels& labels);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_HISTOGRAM_H_
