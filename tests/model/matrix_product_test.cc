#include "src/model/cpu/matrix_product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "tests/check.h"

namespace toolformer::matrix_product_test {
namespace {

MatrixView ViewOf(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

std::vector<const simd::Kernels*> AllKernels() {
  std::vector<const simd::Kernels*> found;
  for (const char* name : {"generic", "avx2", "avx512"}) {
    if (const simd::Kernels* kernels = simd::Find(name); kernels != nullptr) found.push_back(kernels);
  }
  return found;
}

// Against libtorch in float64.
void CheckProduct(const simd::Kernels& kernels, const at::Tensor& a, const at::Tensor& b, bool add, bool biased) {
  CAPTURE(kernels.name);
  CAPTURE(a.size(0));
  CAPTURE(b.size(0));
  CAPTURE(a.size(1));
  const int64_t columns = b.size(0);
  const at::Tensor before = at::randn({a.size(0), columns + 3});  // a stride beyond the columns
  const at::Tensor bias = at::randn({columns});
  at::Tensor out = before.clone();
  MultiplyByTranspose(kernels, ViewOf(a), ViewOf(b),
                      {out.data_ptr<float>(), out.stride(0), add, biased ? bias.const_data_ptr<float>() : nullptr});
  at::Tensor wanted = at::mm(a.to(at::kDouble), b.to(at::kDouble).t());
  if (add) wanted = wanted + before.narrow(1, 0, columns);
  if (biased) wanted = wanted + bias;
  const double tolerance = 1e-5 * std::sqrt(static_cast<double>(a.size(1)) + 1.0);
  CHECK((out.narrow(1, 0, columns) - wanted).abs().max().item<double>() < tolerance);
  CHECK(out.narrow(1, columns, 3).equal(before.narrow(1, columns, 3)));
}

TEST_CASE("products of all shapes and orders, written and added to") {
  const std::vector<std::tuple<int64_t, int64_t, int64_t>> shapes = {
      {1, 1, 1}, {3, 5, 7}, {14, 32, 16}, {15, 33, 17}, {29, 64, 100}, {64, 31, 770}, {100, 130, 1600}, {7, 1, 3000}};
  for (const simd::Kernels* kernels : AllKernels()) {
    for (const auto& [m, n, k] : shapes) {
      for (int order = 0; order < 4; ++order) {
        const at::Tensor a = (order & 1) != 0 ? at::randn({k, m}).t() : at::randn({m, k});
        const at::Tensor b = (order & 2) != 0 ? at::randn({k, n}).t() : at::randn({n, k});
        CheckProduct(*kernels, a, b, false, order == 0);
        CheckProduct(*kernels, a, b, true, order == 3);
      }
    }
  }
}

TEST_CASE("views of columns are multiplied where they stand") {
  const at::Tensor wide = at::randn({40, 90}), weights = at::randn({20, 50});
  CheckProduct(simd::Best(), wide.narrow(1, 30, 50), weights, false, false);
  CheckProduct(simd::Best(), wide.narrow(1, 30, 50).t(), at::randn({8, 40}), true, false);
}

TEST_CASE("more than is packed at a time") {
  CheckProduct(simd::Best(), at::randn({12000, 780}), at::randn({40, 780}), false, true);
  CheckProduct(simd::Best(), at::randn({30, 780}), at::randn({12000, 780}), true, false);
}

TEST_CASE("sums without terms") {
  const at::Tensor a = at::randn({3, 0}), b = at::randn({4, 0});
  CheckProduct(simd::Best(), a, b, false, false);
  CheckProduct(simd::Best(), a, b, true, true);
}

}  // namespace
}  // namespace toolformer::matrix_product_test
