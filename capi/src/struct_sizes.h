// The sizes that structs had when they first appeared, in bytes: what the shortest caller has. Fixed for ever.
#ifndef TOOLFORMER_CAPI_SRC_STRUCT_SIZES_H_
#define TOOLFORMER_CAPI_SRC_STRUCT_SIZES_H_

#include "toolformer_c.h"

namespace toolformer::capi {

template <typename T>
inline constexpr size_t kFirstSize = 0;

#define FIRST_SIZE(type, size)                     \
  template <>                                      \
  inline constexpr size_t kFirstSize<type> = size; \
  static_assert(sizeof(type) >= size, #type " has lost a field");
#include "capi/src/first_sizes.inc"
#undef FIRST_SIZE

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_STRUCT_SIZES_H_
