// A matrix of weights in the order in which the CPU's kernels read it, and its product with a batch of rows.
#ifndef TOOLFORMER_SRC_MODEL_CPU_PACKED_LINEAR_H_
#define TOOLFORMER_SRC_MODEL_CPU_PACKED_LINEAR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>

#include "src/model/cpu/simd.h"
#include "src/model/weights.h"

namespace toolformer {

enum class PackedType { kFloat32, kInt8 };

// Rows of floats, which are normalised before they are multiplied where a norm is given.
struct LinearInput {
  const float* x = nullptr;
  int64_t rows = 0, stride = 0;
  const simd::NormRow* norm = nullptr;
};

// Where products go; as simd::Epilogue.
struct LinearOutput {
  float* out = nullptr;
  int64_t stride = 0;
  bool add = false;
  simd::Activation activation = simd::Activation::kNone;
};

// y = x weight^T + bias. Memory: the weights once, and at most kPanel - 1 rows of zeros.
class PackedLinear {
 public:
  struct Settings {
    const simd::Kernels* kernels = nullptr;
    PackedType type = PackedType::kFloat32;
    // weight is [gate, up], and y = activation(x gate^T) * (x up^T).
    bool gated = false;
  };

  PackedLinear() = default;
  // weight [outputs, k] f32, dense.
  PackedLinear(const Linear& linear, const Settings& settings);

  bool defined() const { return outputs_ > 0; }
  int64_t outputs() const { return outputs_; }

  void Apply(const LinearInput& in, const LinearOutput& out) const;
  // The map of some of the outputs; not of gated ones.
  PackedLinear Pick(std::span<const int32_t> outputs) const;
  // Row `output` of the weight, [k]; float32 only.
  void CopyRow(int64_t output, float* to) const;
  // What this was made of; float32 only.
  Linear Unpack() const;

 private:
  int64_t panels() const { return (outputs_ + simd::kPanel - 1) / simd::kPanel; }
  // Of the weight, where the packed matrix has output `column`; -1: none.
  int64_t SourceRow(int64_t column) const;
  void PackFloat(const float* weight);
  void PackInt8(const float* weight);
  void ApplyFloat(const LinearInput& in, const LinearOutput& out) const;
  void ApplyInt8(const LinearInput& in, const LinearOutput& out) const;
  simd::Epilogue MakeEpilogue(const LinearOutput& out, int64_t first_row, int64_t panel) const;

  Settings settings_;
  int64_t outputs_ = 0;  // rows of the weight
  int64_t k_ = 0;
  at::Tensor values_;  // [panels, k, kPanel] f32, or [panels, padded k / 4, kPanel, 4] u8
  at::Tensor scales_;  // int8: [panels, padded k / kGroup, kPanel] f32
  at::Tensor bias_;    // [panels, kPanel], in the panels' order; undefined: none
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_PACKED_LINEAR_H_
