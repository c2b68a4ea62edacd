// Devices, and the half of libtorch that only machines with a GPU need.
#ifndef TOOLFORMER_SRC_MODEL_DEVICE_H_
#define TOOLFORMER_SRC_MODEL_DEVICE_H_

#include <c10/core/Device.h>

#include <string>

#include "absl/status/statusor.h"

namespace toolformer {

// "cpu" or "cuda:N" ("cuda" is "cuda:0"). For CUDA, loads libtorch_cuda from beside libtorch_cpu: the library links
// none of it, so that one binary serves machines with and without. kInvalidArgument (not a device), kUnimplemented (no
// CUDA here: says what is missing).
absl::StatusOr<c10::Device> OpenDevice(const std::string& name);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_DEVICE_H_
