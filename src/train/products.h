// Products of matrices, two-dimensional: for float32 on the CPU kernels of our own, else libtorch's. What is multiplied
// may be transposed (a view) or columns of a wider matrix, `to` the latter.
#ifndef TOOLFORMER_SRC_TRAIN_PRODUCTS_H_
#define TOOLFORMER_SRC_TRAIN_PRODUCTS_H_

#include <ATen/core/Tensor.h>

namespace toolformer {

// a b^T + bias (undefined: none).
at::Tensor TimesTranspose(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias);
// a b.
at::Tensor Times(const at::Tensor& a, const at::Tensor& b);
// to = a b.
void ProductInto(const at::Tensor& a, const at::Tensor& b, const at::Tensor& to);
// to += a b; `to` may be f32 whatever a and b are.
void AddProduct(const at::Tensor& a, const at::Tensor& b, const at::Tensor& to);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_PRODUCTS_H_
