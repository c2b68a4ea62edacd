// The functions that need libtorch, as the thin library finds them once they are loaded.
#ifndef TOOLFORMER_CAPI_SRC_ENGINE_H_
#define TOOLFORMER_CAPI_SRC_ENGINE_H_

#include <cstddef>

#include "toolformer_c.h"

namespace toolformer::capi {

// Both libraries come from one build; `version` and `size` notice where they do not.
struct Engine {
  const char* version;
  size_t size;
#define F(name) decltype(&::name) name;
#include "capi/src/engine_functions.inc"
#undef F
};

using EngineEntry = const Engine*();
inline constexpr char kEngineEntry[] = "toolformer_engine";

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_ENGINE_H_
