// The score of what may not be looked at or chosen.
#ifndef TOOLFORMER_SRC_MODEL_MINUS_INFINITY_H_
#define TOOLFORMER_SRC_MODEL_MINUS_INFINITY_H_

#include <limits>

namespace toolformer {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_MINUS_INFINITY_H_
