#include "src/train/products.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <optional>

#include "src/model/cpu/matrix_product.h"

namespace toolformer {
namespace {

bool IsPlainCpu(const at::Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat; }

// A matrix, which may be a strided view of columns.
MatrixView ViewOf(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.size(0), x.size(1), x.stride(0), x.stride(1)};
}
MatrixView TransposeOf(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.size(1), x.size(0), x.stride(1), x.stride(0)};
}
ProductTarget Into(const at::Tensor& to, bool add) { return {to.data_ptr<float>(), to.stride(0), add, nullptr}; }

// to = a b, or += it.
void Multiply(const at::Tensor& a, const at::Tensor& b, const at::Tensor& to, bool add) {
  if (IsPlainCpu(a)) {
    MultiplyByTranspose(simd::Best(), ViewOf(a), TransposeOf(b), Into(to, add));
  } else if (add) {
    to.add_(at::mm(a, b));
  } else {
    to.copy_(at::mm(a, b));
  }
}

}  // namespace

at::Tensor TimesTranspose(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (!IsPlainCpu(a)) return at::linear(a, b, bias.defined() ? std::optional(bias) : std::nullopt);
  at::Tensor out = at::empty({a.size(0), b.size(0)}, a.options());
  ProductTarget target = Into(out, false);
  if (bias.defined()) target.bias = bias.const_data_ptr<float>();
  MultiplyByTranspose(simd::Best(), ViewOf(a), ViewOf(b), target);
  return out;
}

at::Tensor Times(const at::Tensor& a, const at::Tensor& b) {
  if (!IsPlainCpu(a)) return at::mm(a, b);
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  ProductInto(a, b, out);
  return out;
}

void ProductInto(const at::Tensor& a, const at::Tensor& b, const at::Tensor& to) { Multiply(a, b, to, false); }
void AddProduct(const at::Tensor& a, const at::Tensor& b, const at::Tensor& to) { Multiply(a, b, to, true); }

}  // namespace toolformer
