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

// An inline SVG of how many gains (nats) fall where; heights are logarithmic, because few calls are kept among many.
// What lies beyond the axis is counted in the outermost bars. Gains that are not finite are left out.
std::string RenderGainHistogram(std::span<const double> gains, const HistogramLabels& labels);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_HISTOGRAM_H_
