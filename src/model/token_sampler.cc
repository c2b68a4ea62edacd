#include "src/model/token_sampler.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>

#include "src/base/status.h"
#include "src/model/libtorch_guard.h"

namespace toolformer {
namespace {

absl::Status NotFinite() { return Internal("non-finite logits: the weights hold NaN or infinite values"); }

// Per row, log of the sum of exponentials; fails where one is not finite.
absl::StatusOr<at::Tensor> LogSums(const at::Tensor& logits) {
  return GuardLibtorch([&]() -> absl::StatusOr<at::Tensor> {
    at::Tensor sums = at::logsumexp(logits, {-1}).contiguous();
    const float* values = sums.const_data_ptr<float>();
    for (int64_t r = 0; r < sums.numel(); ++r) {
      if (!std::isfinite(values[r])) return NotFinite();
    }
    return sums;
  });
}

}  // namespace

absl::StatusOr<std::vector<double>> LogProbabilities(const at::Tensor& logits, std::span<const int32_t> ids) {
  TF_ASSIGN_OR_RETURN(const at::Tensor sums, LogSums(logits));
  const float* values = logits.const_data_ptr<float>();
  const float* sum = sums.const_data_ptr<float>();
  std::vector<double> out(ids.size());
  for (size_t r = 0; r < ids.size(); ++r) {
    out[r] = static_cast<double>(values[static_cast<int64_t>(r) * logits.size(1) + ids[r]]) - sum[r];
  }
  return out;
}

absl::StatusOr<std::vector<double>> SummedProbabilities(const at::Tensor& logits, std::span<const int32_t> ids) {
  TF_ASSIGN_OR_RETURN(const at::Tensor sums, LogSums(logits));
  const float* values = logits.const_data_ptr<float>();
  const float* sum = sums.const_data_ptr<float>();
  std::vector<double> out(logits.size(0));
  for (int64_t r = 0; r < logits.size(0); ++r) {
    for (const int32_t id : ids) out[r] += std::exp(static_cast<double>(values[r * logits.size(1) + id]) - sum[r]);
  }
  return out;
}

absl::StatusOr<std::vector<int32_t>> SampleTokens(const at::Tensor& logits, double temperature,
                                                  std::span<const double> uniforms, const at::Tensor& allowed) {
  return GuardLibtorch([&]() -> absl::StatusOr<std::vector<int32_t>> {
    at::Tensor scaled = temperature == 1.0 ? logits : logits / temperature;
    if (allowed.defined()) scaled = scaled + allowed;
    const at::Tensor probabilities = at::softmax(scaled, -1);
    const int64_t vocab = logits.size(1);
    const float* values = probabilities.const_data_ptr<float>();
    std::vector<int32_t> out(uniforms.size(), -1);
    bool finite = true;
    at::parallel_for(0, static_cast<int64_t>(uniforms.size()), 8, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float* p = values + r * vocab;
        double sum = 0.0;
        int32_t last = -1;
        for (int64_t id = 0; id < vocab && sum <= uniforms[r]; ++id) {
          // Rounding may leave the total under the uniform: then the last possible token is the answer.
          if (p[id] > 0.0f) last = static_cast<int32_t>(id);
          sum += p[id];
        }
        out[r] = last;
      }
    });
    // Softmax over nothing allowed is NaN, and so is that of NaN logits; only the second is an error.
    for (size_t r = 0; r < out.size(); ++r) {
      if (out[r] == -1 && !allowed.defined()) finite = false;
    }
    if (!finite) return NotFinite();
    return out;
  });
}

absl::StatusOr<int32_t> MostLikely(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  // A NaN anywhere makes the comparison meaningless.
  if (!std::isfinite(*best) || std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); })) {
    return NotFinite();
  }
  return static_cast<int32_t>(best - logits.begin());
}

bool AnyAmongTop(std::span<const float> logits, std::span<const int32_t> ids, int64_t k) {
  float best = -INFINITY;
  for (const int32_t id : ids) best = std::max(best, logits[id]);
  return std::count_if(logits.begin(), logits.end(), [&](float x) { return x > best; }) < k;
}

}  // namespace toolformer
