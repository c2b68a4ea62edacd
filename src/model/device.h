// Devices, and the half of libtorch that only machines with a GPU need.
#ifndef TOOLFORMER_SRC_MODEL_DEVICE_H_
#define TOOLFORMER_SRC_MODEL_DEVICE_H_

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <string>

#include "absl/status/statusor.h"

namespace toolformer {

struct CudaPlugin;

// "cpu" or "cuda:N" ("cuda" is "cuda:0"). For CUDA, loads libtorch_cuda from beside libtorch_cpu: the library links
// none of it, so that one binary serves machines with and without. kInvalidArgument (not a device), kUnimplemented (no
// CUDA here: says what is missing).
absl::StatusOr<c10::Device> OpenDevice(const std::string& name);

// libtoolformer_cuda, from the folder of this library or the lib folder beside it; after OpenDevice of a CUDA device.
// kUnimplemented says what is missing; models then run without it, one kernel at a time. Remembered; never unloaded.
absl::StatusOr<const CudaPlugin*> OpenCudaPlugin();

// The tensor on the device; a copy goes through pinned memory, and the host does not wait for it.
at::Tensor Upload(const at::Tensor& host, const at::Device& device);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_DEVICE_H_
