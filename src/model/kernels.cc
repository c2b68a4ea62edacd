#include "src/model/kernels.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>

#include <cmath>
#include <vector>

#include "src/model/cpu/parallel.h"
#include "src/model/device.h"

namespace toolformer {
namespace {

bool IsPlainCpu(const at::Tensor& x) { return x.device().is_cpu() && x.scalar_type() == at::kFloat; }

// Elements per task: below it a second thread costs more than it gives.
constexpr int64_t kGrain = 1 << 14;

void RmsNormRows(const float* x, const float* weight, float* out, int64_t rows, int64_t n, float epsilon) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* in = x + r * n;
      float* to = out + r * n;
      float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < n; ++i) sum += in[i] * in[i];
      const float scale = 1.0f / std::sqrt(sum / static_cast<float>(n) + epsilon);
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) to[i] = in[i] * scale * weight[i];
    }
  });
}

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (IsPlainCpu(x) && x.is_contiguous()) {
    at::Tensor out = at::empty_like(x);
    const int64_t n = weight.numel();
    RmsNormRows(x.data_ptr<float>(), weight.data_ptr<float>(), out.data_ptr<float>(), x.numel() / n, n,
                static_cast<float>(epsilon));
    return out;
  }
  // On CUDA one kernel of libtorch's.
  return std::get<0>(at::_fused_rms_norm(x.to(at::kFloat), {x.size(-1)}, weight, epsilon)).to(x.scalar_type());
}

struct RotaryView {
  float* data;
  int64_t token_stride, heads, head_dim;
};

void RotateRows(const RotaryView& x, const RotaryAngles& angles) {
  const int64_t tokens = angles.cosines.size(0), half = angles.cosines.size(1);
  const float* cosines = angles.cosines.const_data_ptr<float>();
  const float* sines = angles.sines.const_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, kGrain / (x.heads * x.head_dim));
  at::parallel_for(0, tokens, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* c = cosines + t * half;
      const float* s = sines + t * half;
      for (int64_t h = 0; h < x.heads; ++h) {
        float* first = x.data + t * x.token_stride + h * x.head_dim;
        float* second = first + half;
#pragma omp simd
        for (int64_t j = 0; j < half; ++j) {
          const float a = first[j], b = second[j];
          first[j] = a * c[j] - b * s[j];
          second[j] = b * c[j] + a * s[j];
        }
      }
    }
  });
}

}  // namespace

at::Tensor Normalize(const at::Tensor& x, const Norm& norm, NormKind kind, double epsilon) {
  if (kind == NormKind::kRms) return RmsNorm(x, norm.weight, epsilon);
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, norm.weight, norm.bias, epsilon).to(x.scalar_type());
}

RotaryAngles MakeRotaryAngles(const RotarySpec& spec, std::span<const TokenPlace> places, const at::Device& device) {
  const auto tokens = static_cast<int64_t>(places.size()), half = spec.dims / 2;
  at::Tensor cosines = at::empty({tokens, half}, at::kFloat);
  at::Tensor sines = at::empty({tokens, half}, at::kFloat);
  float* c = cosines.data_ptr<float>();
  float* s = sines.data_ptr<float>();
  ForRanges(tokens, 32, [&](int64_t begin, int64_t end) {
    std::vector<double> frequencies;
    for (int64_t t = begin; t < end; ++t) {
      if (t == begin || (spec.depends_on_length() && places[t].length != places[t - 1].length)) {
        frequencies = RotaryFrequencies(spec, places[t].length);
      }
      for (int64_t j = 0; j < half; ++j) {
        // The reference implementations round frequency and angle to float32; at positions in the thousands this shows.
        const float angle = static_cast<float>(places[t].position) * static_cast<float>(frequencies[j]);
        c[t * half + j] = static_cast<float>(std::cos(static_cast<double>(angle)) * spec.magnitude);
        s[t * half + j] = static_cast<float>(std::sin(static_cast<double>(angle)) * spec.magnitude);
      }
    }
  });
  return {Upload(cosines, device), Upload(sines, device)};
}

void Rotate(const at::Tensor& x, const RotaryAngles& angles) {
  if (IsPlainCpu(x)) {
    RotateRows({x.data_ptr<float>(), x.stride(0), x.size(1), x.size(2)}, angles);
    return;
  }
  const int64_t half = angles.cosines.size(1);
  const at::Tensor c = angles.cosines.unsqueeze(1), s = angles.sines.unsqueeze(1);
  const at::Tensor first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
  const at::Tensor a = first.to(at::kFloat).clone(), b = second.to(at::kFloat).clone();
  first.copy_(a * c - b * s);
  second.copy_(b * c + a * s);
}

at::Tensor Activate(const at::Tensor& x, Activation activation, bool gated) {
  const at::Tensor gate = gated ? x.narrow(-1, 0, x.size(-1) / 2) : x;
  at::Tensor activated;
  switch (activation) {
    case Activation::kSilu:
      activated = at::silu(gate);
      break;
    case Activation::kGeluTanh:
      activated = at::gelu(gate, "tanh");
      break;
    case Activation::kGelu:
      activated = at::gelu(gate);
      break;
    case Activation::kRelu:
      activated = at::relu(gate);
      break;
  }
  return gated ? activated.mul_(x.narrow(-1, x.size(-1) / 2, x.size(-1) / 2)) : activated;
}

}  // namespace toolformer
