// The gradients of low-rank maps against libtorch's own differentiation of the same formula.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <doctest/doctest.h>

#include "src/train/gradient_record.h"
#include "src/train/trainable_operators.h"

namespace toolformer::low_rank_test {
namespace {

TEST_CASE("maps that adapt parts of a matrix have the gradients of their formula") {
  at::manual_seed(1);
  const at::AutoGradMode recorded(true);
  const auto leaf = [](int64_t rows, int64_t columns) { return at::randn({rows, columns}).requires_grad_(true); };
  // Three parts as queries, keys and values have them, of a matrix that stays as it is.
  const int64_t sizes[] = {16, 8, 8}, rank = 4;
  const at::Tensor weight = at::randn({32, 24}), x = leaf(9, 24), weights = at::randn({9, 32});
  const double scales[] = {2.0, 0.5, 3.0};
  TrainableOperators operators;
  at::Tensor expected = at::linear(x, weight);
  std::vector<at::Tensor> leaves = {x}, parts;
  int64_t first = 0;
  for (int i = 0; i < 3; ++i) {
    const at::Tensor down = leaf(rank, 24), up = leaf(sizes[i], rank);
    operators.Adapt(weight, {down, up, first, scales[i]});
    parts.push_back(scales[i] * at::linear(at::linear(x, down), up));
    leaves.insert(leaves.end(), {down, up});
    first += sizes[i];
  }
  expected = expected + at::cat(parts, 1);
  const auto gradients = [&](const at::Tensor& y) {
    RunBackward((y * weights).sum(), {});
    std::vector<at::Tensor> found;
    for (at::Tensor& each : leaves) {
      found.push_back(each.grad().clone());
      each.mutable_grad().zero_();
    }
    return found;
  };
  const at::Tensor y = operators.Apply({weight, {}}, x);
  CHECK(at::allclose(y, expected, 1e-4, 1e-4));
  const std::vector<at::Tensor> ours = gradients(y), theirs = gradients(expected);
  for (size_t i = 0; i < leaves.size(); ++i) {
    CAPTURE(i);
    CHECK(at::allclose(ours[i], theirs[i], 1e-4, 1e-4));
  }
}

}  // namespace
}  // namespace toolformer::low_rank_test
