// What libtoolformer_cuda gives libtoolformer: the part that needs CUDA's headers and libtorch's CUDA libraries. Both
// come out of one build.
#ifndef TOOLFORMER_SRC_MODEL_CUDA_PLUGIN_H_
#define TOOLFORMER_SRC_MODEL_CUDA_PLUGIN_H_

#include <cstdint>

#include "src/model/step_graph.h"

namespace toolformer {

// Functions may throw what libtorch throws.
struct CudaPlugin {
  int64_t version;

  // Records steps on a device as CUDA graphs, which share one pool of memory: they must not run at the same time. A
  // step must allocate and free its tensors itself, must not wait for the device, and is run once besides.
  CaptureStep (*make_capture)(int device);

  // Of the device's memory; 0 where it cannot be asked.
  int64_t (*free_bytes)(int device);
};

inline constexpr int64_t kCudaPluginVersion = 1;
inline constexpr char kCudaPluginFile[] = "libtoolformer_cuda.so";
// extern "C" const CudaPlugin* toolformer_cuda_plugin();
inline constexpr char kCudaPluginSymbol[] = "toolformer_cuda_plugin";

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CUDA_PLUGIN_H_
