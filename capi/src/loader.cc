// The thin library: finds libtorch, loads the engine, hands every call on. It links neither, so that a host starts
// where libtorch is missing, and is told so by an error that it can show.
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "capi/src/engine.h"
#include "capi/src/handle.h"

namespace toolformer::capi {
namespace {

constexpr char kVariable[] = "TOOLFORMER_TORCH_DIR";
constexpr char kLibtorch[] = "libtorch_cpu.so";
constexpr char kEngineFile[] = "libtoolformer_c_engine.so";

std::atomic<const Engine*> loaded_engine{nullptr};
std::mutex loading;

std::string LastError() {
  const char* error = dlerror();
  return error == nullptr ? "unknown error" : error;
}

// Where this library lies.
std::string OwnFolder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<const void*>(&toolformer_abi_version), &info) == 0 || info.dli_fname == nullptr)
    return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Loads libtorch from one of the folders. Libraries stay apart from the host's: nothing of theirs becomes global. What
// went wrong is added to *tried.
bool OpenLibtorch(const std::vector<std::string>& folders, std::string* tried) {
  for (const std::string& folder : folders) {
    const std::string path = folder + "/" + kLibtorch;
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) != nullptr) return true;
    *tried += (tried->empty() ? "" : "; ") + LastError();
  }
  return false;
}

// Empty where libtorch is loaded now; else what to say.
std::string LoadLibtorch() {
  if (dlopen(kLibtorch, RTLD_LAZY | RTLD_NOLOAD) != nullptr) return "";
  std::string tried;
  if (const char* named = std::getenv(kVariable); named != nullptr && *named != '\0') {
    const std::string folder = named;
    if (OpenLibtorch({folder + "/lib", folder}, &tried)) return "";
    return std::string(kVariable) + " is '" + folder + "', which has no libtorch that can be loaded (" + tried +
           "); let it name the folder of libtorch " + TOOLFORMER_TORCH_VERSION +
           " (the torch/ folder of the Python package is one), or unset it";
  }
  const std::string own = OwnFolder();
  if (OpenLibtorch({own, own + "/libtorch/lib", TOOLFORMER_TORCH_BUILT}, &tried)) return "";
  if (dlopen(kLibtorch, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) != nullptr) return "";
  tried += "; " + LastError();
  return std::string("libtorch ") + TOOLFORMER_TORCH_VERSION + " was not found (" + tried +
         "); let the environment variable " + kVariable +
         " name its folder (the torch/ folder of the Python package torch is one), or put its libraries beside " + own +
         "/libtoolformer_c.so";
}

// Empty where the engine is loaded now, in *engine.
std::string LoadEngine(const Engine** engine) {
  if (std::string missing = LoadLibtorch(); !missing.empty()) return missing;
  const std::string path = OwnFolder() + "/" + kEngineFile;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return "the library's other half cannot be loaded (" + LastError() + "); it has to lie beside libtoolformer_c.so " +
           "and wants libtorch " + TOOLFORMER_TORCH_VERSION;
  }
  auto* entry = reinterpret_cast<EngineEntry*>(dlsym(library, kEngineEntry));
  const Engine* found = entry == nullptr ? nullptr : entry();
  if (found == nullptr || std::string_view(found->version) != TOOLFORMER_VERSION || found->size != sizeof(Engine)) {
    return path + " is not of version " + TOOLFORMER_VERSION + ", as libtoolformer_c.so is; install both anew";
  }
  *engine = found;
  return "";
}

const Engine* LoadedEngine() noexcept { return loaded_engine.load(std::memory_order_acquire); }

const Engine* FindEngine(toolformer_error** error) noexcept {
  if (const Engine* engine = LoadedEngine()) return engine;
  try {
    const std::lock_guard lock(loading);
    if (const Engine* engine = LoadedEngine()) return engine;
    const Engine* engine = nullptr;
    const std::string problem = LoadEngine(&engine);
    if (engine == nullptr) SetError(TOOLFORMER_ERROR_ENGINE, problem, -1, error);
    loaded_engine.store(engine, std::memory_order_release);
    return engine;
  } catch (...) {
    SetError(TOOLFORMER_ERROR_ENGINE, "out of memory while libtorch was looked for", -1, error);
    return nullptr;
  }
}

// An _init function cannot fail: the function that the struct is for will say what is missing.
template <typename T>
void InitialiseWithoutEngine(T* out, size_t size) noexcept {
  if (out == nullptr || size < sizeof(size_t) || size > 65536) return;
  std::memset(static_cast<void*>(out), 0, size);
  out->struct_size = size;
}

}  // namespace
}  // namespace toolformer::capi

extern "C" {

using toolformer::capi::Engine;
using toolformer::capi::FindEngine;
using toolformer::capi::InitialiseWithoutEngine;
using toolformer::capi::LoadedEngine;

toolformer_status toolformer_prepare(toolformer_error** error) noexcept {
  return FindEngine(error) == nullptr ? TOOLFORMER_ERROR_ENGINE : TOOLFORMER_OK;
}

#include "capi/src/forward.inc"

}  // extern "C"
