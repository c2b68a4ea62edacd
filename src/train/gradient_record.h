// The way back through what libtorch has not recorded: the only file that knows its engine.
#ifndef TOOLFORMER_SRC_TRAIN_GRADIENT_RECORD_H_
#define TOOLFORMER_SRC_TRAIN_GRADIENT_RECORD_H_

#include <ATen/core/Tensor.h>

#include <functional>

namespace toolformer {

// From the gradient of a value to that of what it was computed from; undefined: nothing to hand on. Adds to the
// gradients of parameters by itself (GradientOf). Called once at most, without recording.
using Backward = std::function<at::Tensor(const at::Tensor& gradient)>;

// Computes `forward()` without recording and attaches `backward` to it as the way back to `input` (undefined: there is
// none, as for parameters alone). Records nothing where gradients are switched off.
at::Tensor Differentiable(const at::Tensor& input, const std::function<at::Tensor()>& forward, Backward backward);

// Whether gradients are recorded now, on this thread.
bool RecordsGradients();

// The gradient of a leaf, f32 whatever the leaf's type, zeros at first, to be added to in place. Undefined where the
// leaf is frozen.
at::Tensor GradientOf(const at::Tensor& leaf);

// Runs back from `root`, whose gradient is given (undefined: 1, of a scalar), and adds to the gradients of the leaves.
// What was recorded on the way is gone afterwards.
void RunBackward(const at::Tensor& root, const at::Tensor& gradient);

// Runs `function` as it was run, recording this time, on a copy of `input` that is a leaf, and goes back from its
// result at once. Returns the gradient of the input. For values that are computed again rather than kept.
at::Tensor BackwardThrough(const std::function<at::Tensor(const at::Tensor&)>& function, const at::Tensor& input,
                           const at::Tensor& gradient);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TRAIN_GRADIENT_RECORD_H_
