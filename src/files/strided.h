// Tensors whose elements do not follow each other in memory: transposed, sliced, broadcast.
#ifndef TOOLFORMER_SRC_FILES_STRIDED_H_
#define TOOLFORMER_SRC_FILES_STRIDED_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace toolformer {

struct StridedView {
  const uint8_t* data;                      // of the first element; any alignment
  size_t element_bytes;                     // 1, 2, 4 or 8
  std::span<const int64_t> shape, strides;  // equally many, at most kMaxRank; strides in elements
};

// Copies elements [first, first + count), in row-major order, one after the other to `out`. They must be in the view.
void GatherStrided(const StridedView& view, uint64_t first, size_t count, uint8_t* out);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_STRIDED_H_
