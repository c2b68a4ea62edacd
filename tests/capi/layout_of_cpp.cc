// Sizes and offsets as C++ has them. Uses C's library alone: the test program is linked as C.
#include <toolformer_c.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

extern "C" char* layout_of_cpp(void);

extern "C" char* layout_of_cpp(void) {
  constexpr size_t kMost = 1 << 20;
  auto* text = static_cast<char*>(std::calloc(kMost, 1));
  size_t size = 0;
#define STRUCT(type) \
  size += static_cast<size_t>(std::snprintf(text + size, kMost - size, #type " %zu\n", sizeof(type)));
#define FIELD(type, field)                                                                            \
  size += static_cast<size_t>(std::snprintf(text + size, kMost - size, #type ".%s %zu %zu\n", #field, \
                                            offsetof(type, field), sizeof(static_cast<type*>(nullptr)->field)));
#include "layout.inc"
  return text;
}
