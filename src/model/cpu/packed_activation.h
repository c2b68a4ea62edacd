// A model's activation as the kernels name it.
#ifndef TOOLFORMER_SRC_MODEL_CPU_PACKED_ACTIVATION_H_
#define TOOLFORMER_SRC_MODEL_CPU_PACKED_ACTIVATION_H_

#include "src/model/cpu/simd.h"
#include "src/model/spec.h"

namespace toolformer {

inline simd::Activation PackedActivation(Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return simd::Activation::kSilu;
    case Activation::kGeluTanh:
      return simd::Activation::kGeluTanh;
    case Activation::kGelu:
      return simd::Activation::kGelu;
    case Activation::kRelu:
      return simd::Activation::kRelu;
  }
  return simd::Activation::kNone;
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_PACKED_ACTIVATION_H_
