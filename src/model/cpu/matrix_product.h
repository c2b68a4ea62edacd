// Products of matrices that change between calls, as training has them: nothing is packed ahead.
#ifndef TOOLFORMER_SRC_MODEL_CPU_MATRIX_PRODUCT_H_
#define TOOLFORMER_SRC_MODEL_CPU_MATRIX_PRODUCT_H_

#include <cstdint>

#include "src/model/cpu/simd.h"

namespace toolformer {

// Element (row, column) stands at data[row * row_stride + column * column_stride]; one of the strides is 1.
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t row_stride = 0, column_stride = 1;
};

// Where a product goes: out [rows][stride].
struct ProductTarget {
  float* out = nullptr;
  int64_t stride = 0;
  bool add = false;             // to what is in out
  const float* bias = nullptr;  // [columns], added to each row; null: none
};

// out [a.rows, b.rows] = a b^T, or += it. `a` and `b` have the same number of columns. Memory: at most 64 MB beside the
// matrices, on libtorch's allocator.
void MultiplyByTranspose(const simd::Kernels& kernels, const MatrixView& a, const MatrixView& b,
                         const ProductTarget& target);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_MATRIX_PRODUCT_H_
