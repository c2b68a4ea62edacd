// How the probability of calling goes with calls and right answers.
#ifndef TOOLFORMER_SRC_EVAL_REPORT_CALIBRATION_H_
#define TOOLFORMER_SRC_EVAL_REPORT_CALIBRATION_H_

#include <string>

#include "toolformer/question_suite.h"

namespace toolformer {

// A table of the bins and an inline SVG of their shares; nothing where no probability is above 0, as where calls are
// disabled.
std::string RenderCalibration(const PredictionCounts& counts);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_REPORT_CALIBRATION_H_
