// The forward pass on the CPU in float32, with kernels of our own.
#ifndef TOOLFORMER_SRC_MODEL_CPU_CPU_RUNNER_H_
#define TOOLFORMER_SRC_MODEL_CPU_CPU_RUNNER_H_

#include <memory>

#include "src/model/cpu/packed_linear.h"
#include "src/model/cpu/simd.h"
#include "src/model/runner.h"

namespace toolformer {

struct CpuRunnerSettings {
  const simd::Kernels* kernels = &simd::Best();
  // Of the matrices of the layers and, with kInt8, of the output too; all else stays float32.
  PackedType type = PackedType::kFloat32;
};

// Takes float32 weights on the CPU and repacks them one by one: no more than the largest is ever held twice. What a row
// gives does not depend, to the bit, on the batch that it is in.
std::unique_ptr<Runner> MakeCpuRunner(const TransformerSpec& spec, TransformerWeights weights,
                                      const CpuRunnerSettings& settings);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_CPU_RUNNER_H_
