#include "src/model/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <charconv>
#include <string_view>

#include "src/base/status.h"
#include "src/model/cuda/plugin.h"
#include "src/model/libtorch_guard.h"

namespace toolformer {
namespace {

// The folder of the shared library or program that a function is in, with the slash; "" where that is not known.
std::string FolderOf(const void* function) {
  Dl_info info;
  if (dladdr(function, &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string_view path = info.dli_fname;
  return std::string(path.substr(0, path.rfind('/') + 1));
}

// The folder that libc10 was loaded from holds the rest of libtorch.
std::string LibtorchFolder() {
  return FolderOf(reinterpret_cast<const void*>(static_cast<void (*)(const c10::Warning&)>(&c10::warn)));
}

std::string LastDlError() {
  const char* reason = dlerror();
  return reason == nullptr ? "unknown reason" : reason;
}

absl::Status LoadCuda(const std::string& name) {
  // Before anything asks libtorch about CUDA: the answer is remembered for the life of the process.
  if (dlopen((LibtorchFolder() + "libtorch_cuda.so").c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return Unimplemented("device '{}' is not available: libtorch_cuda cannot be loaded ({})", name, LastDlError());
  }
  return absl::OkStatus();
}

absl::StatusOr<const CudaPlugin*> LoadCudaPlugin() {
  const std::string folder = FolderOf(reinterpret_cast<const void*>(&OpenCudaPlugin));
  std::string reasons;
  for (const char* const beside : {"", "../lib/"}) {
    void* library = dlopen((folder + beside + kCudaPluginFile).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      reasons += (reasons.empty() ? "" : "; ") + LastDlError();
      continue;
    }
    const auto plugin = reinterpret_cast<const CudaPlugin* (*)()>(dlsym(library, kCudaPluginSymbol));
    if (plugin != nullptr && plugin()->version == kCudaPluginVersion) return plugin();
    return Unimplemented("{}{}{} is not of this build of the library", folder, beside, kCudaPluginFile);
  }
  return Unimplemented("{} cannot be loaded: {}", kCudaPluginFile, reasons);
}

}  // namespace

absl::StatusOr<c10::Device> OpenDevice(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  int index = 0;
  const std::string_view prefix = "cuda:";
  if (name != "cuda") {
    const char* end = name.data() + name.size();
    const bool has_prefix = std::string_view(name).substr(0, prefix.size()) == prefix;
    const auto [stop, error] = std::from_chars(name.data() + (has_prefix ? prefix.size() : name.size()), end, index);
    if (!has_prefix || error != std::errc() || stop != end || index < 0 || index > 127) {
      return InvalidArgument("'{}' is not a device; devices are cpu and cuda:N", name);
    }
  }
  TF_RETURN_IF_ERROR(LoadCuda(name));
  return GuardLibtorch([&]() -> absl::StatusOr<c10::Device> {
    const int count = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
    if (index >= count) return Unimplemented("device '{}' is not available: {} CUDA devices found", name, count);
    return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
  });
}

absl::StatusOr<const CudaPlugin*> OpenCudaPlugin() {
  static const absl::StatusOr<const CudaPlugin*> plugin = LoadCudaPlugin();
  return plugin;
}

at::Tensor Upload(const at::Tensor& host, const at::Device& device) {
  return device.is_cpu() ? host : host.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace toolformer
