#include "src/model/cuda/plugin.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <memory>

namespace toolformer {
namespace {

class CudaStepGraph : public StepGraph {
 public:
  CudaStepGraph(int device, at::cuda::MempoolId_t pool, const std::function<void()>& step) {
    const auto index = static_cast<c10::DeviceIndex>(device);
    // Graphs are not recorded on the default stream. What was queued there comes first.
    c10::cuda::getCurrentCUDAStream(index).synchronize();
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index);
    const c10::cuda::CUDAStreamGuard guard(side);
    // Once beforehand: libraries make their workspaces at the first call, which cannot be recorded.
    step();
    side.synchronize();
    // Other threads may go on allocating.
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      step();
    } catch (...) {
      EndQuietly();
      throw;
    }
    graph_.capture_end();
  }

  void Replay() override { graph_.replay(); }

 private:
  void EndQuietly() {
    try {
      graph_.capture_end();
    } catch (...) {  // the first error is the one to report
    }
  }

  at::cuda::CUDAGraph graph_;
};

CaptureStep MakeCapture(int device) {
  return [device, pool = at::cuda::graph_pool_handle()](const std::function<void()>& step) {
    return std::unique_ptr<StepGraph>(std::make_unique<CudaStepGraph>(device, pool, step));
  };
}

int64_t FreeBytes(int device) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  size_t free = 0, total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? static_cast<int64_t>(free) : 0;
}

}  // namespace
}  // namespace toolformer

extern "C" __attribute__((visibility("default"))) const toolformer::CudaPlugin* toolformer_cuda_plugin() {
  static const toolformer::CudaPlugin plugin{toolformer::kCudaPluginVersion, toolformer::MakeCapture,
                                             toolformer::FreeBytes};
  return &plugin;
}
