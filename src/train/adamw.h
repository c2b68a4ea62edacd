// AdamW (Loshchilov and Hutter, 2019) over libtorch's fused kernel.
#ifndef TOOLFORMER_SRC_TRAIN_ADAMW_H_
#define TOOLFORMER_SRC_TRAIN_ADAMW_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace toolformer {

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;  // of matrices; vectors (norms, biases) are left alone
};

// A weight that learns.
struct TrainedParameter {
  at::Tensor leaf;    // what the layers compute with; has the gradient
  at::Tensor master;  // f32, what the steps are made on; shares the leaf's memory where that is f32
};

// Throws what libtorch throws.
class AdamW {
 public:
  AdamW(const std::vector<TrainedParameter>& parameters, const AdamWSettings& settings);

  // Euclidean norm of all gradients together.
  double GradientNorm() const;
  // One step with the gradients times `gradient_factor`. Parameters without a gradient stay as they are.
  void Step(double learning_rate, double gradient_factor);
  // Zeros.
  void ClearGradients();

  // All that a resumed run needs, named; the tensors are the optimizer's own, to be read or written in place. After
  // writing, CopyMasters.
  std::vector<std::pair<std::string, at::Tensor>> State() const;
  // Brings leaves that are not float32 to their masters' values.
  void CopyMasters();

 private:
  struct Group {
    std::vector<at::Tensor> leaves, masters, first_moments, second_moments, steps;
    double weight_decay = 0.0;
  };

  const AdamWSettings settings_;
  std::vector<Group> groups_;  // matrices, vectors
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_ADAMW_H_
