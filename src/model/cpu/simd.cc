#include "src/model/cpu/simd.h"

#include <cstring>
#include <initializer_list>

namespace toolformer::simd {

extern const Kernels kernels_generic;
#ifdef TOOLFORMER_SIMD_X86
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

const Kernels* Find(const char* name) {
  if (std::strcmp(name, "generic") == 0) return &kernels_generic;
#ifdef TOOLFORMER_SIMD_X86
  if (std::strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    return &kernels_avx2;
  }
  if (std::strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") != 0 &&
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0) {
    return &kernels_avx512;
  }
#endif
  return nullptr;
}

const Kernels& Best() {
  static const Kernels& best = []() -> const Kernels& {
    for (const char* name : {"avx512", "avx2"}) {
      if (const Kernels* found = Find(name); found != nullptr) return *found;
    }
    return kernels_generic;
  }();
  return best;
}

}  // namespace toolformer::simd
