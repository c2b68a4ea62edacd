#include "src/files/strided.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "src/files/tensor_table.h"

namespace toolformer {
namespace {

template <size_t kBytes>
void CopyRun(const uint8_t* from, uint64_t step, size_t count, uint8_t* out) {
  for (size_t i = 0; i < count; ++i) std::memcpy(out + i * kBytes, from + i * step, kBytes);
}

void CopyRun(const StridedView& view, uint64_t offset, size_t count, uint8_t* out) {
  const uint8_t* from = view.data + offset * view.element_bytes;
  const uint64_t step = (view.strides.empty() ? 1 : static_cast<uint64_t>(view.strides.back())) * view.element_bytes;
  if (step == view.element_bytes) {
    std::memcpy(out, from, count * view.element_bytes);
    return;
  }
  switch (view.element_bytes) {
    case 1:
      return CopyRun<1>(from, step, count, out);
    case 2:
      return CopyRun<2>(from, step, count, out);
    case 4:
      return CopyRun<4>(from, step, count, out);
    default:
      return CopyRun<8>(from, step, count, out);
  }
}

}  // namespace

void GatherStrided(const StridedView& view, uint64_t first, size_t count, uint8_t* out) {
  const size_t rank = view.shape.size();
  if (rank == 0) return CopyRun(view, 0, count, out);
  std::array<uint64_t, kMaxRank> at{};  // the position, dimension by dimension
  for (size_t d = rank; d-- > 0;) {
    const uint64_t size = static_cast<uint64_t>(view.shape[d]);
    at[d] = first % size;
    first /= size;
  }
  const uint64_t row = static_cast<uint64_t>(view.shape[rank - 1]);
  while (count > 0) {
    uint64_t offset = 0;
    for (size_t d = 0; d < rank; ++d) offset += at[d] * static_cast<uint64_t>(view.strides[d]);
    const size_t run = std::min<size_t>(count, row - at[rank - 1]);
    CopyRun(view, offset, run, out);
    out += run * view.element_bytes;
    count -= run;
    at[rank - 1] = 0;
    for (size_t d = rank - 1; d-- > 0;) {
      if (++at[d] < static_cast<uint64_t>(view.shape[d])) break;
      at[d] = 0;
    }
  }
}

}  // namespace toolformer
