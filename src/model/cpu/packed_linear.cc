#include "src/model/cpu/packed_linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "src/model/cpu/parallel.h"

namespace toolformer {
namespace {

using simd::kBlockBytes;
using simd::kGroup;
using simd::kPanel;
using simd::kTaskProducts;

// Columns of packed panels, which all have four bytes a unit and column; the last panel is filled with its last column.
void CopyColumns(const at::Tensor& from, std::span<const int32_t> columns, at::Tensor* to) {
  const auto count = static_cast<int64_t>(columns.size());
  const int64_t panels = (count + kPanel - 1) / kPanel;
  const auto units = static_cast<int64_t>(to->nbytes()) / (4 * kPanel * panels);
  const auto* source = static_cast<const uint32_t*>(from.const_data_ptr());
  auto* target = static_cast<uint32_t*>(to->data_ptr());
  ForRanges(panels, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first * kPanel; c < last * kPanel; ++c) {
      const int64_t column = columns[std::min(c, count - 1)];
      const uint32_t* in = source + column / kPanel * units * kPanel + column % kPanel;
      uint32_t* out = target + c / kPanel * units * kPanel + c % kPanel;
      for (int64_t i = 0; i < units; ++i) out[i * kPanel] = in[i * kPanel];
    }
  });
}

int64_t Groups(int64_t k) { return (k + kGroup - 1) / kGroup; }

}  // namespace

PackedLinear::PackedLinear(const Linear& linear, const Settings& settings)
    : settings_(settings), outputs_(linear.weight.size(0)), k_(linear.weight.size(1)) {
  const float* weight = linear.weight.const_data_ptr<float>();
  if (settings_.type == PackedType::kFloat32) {
    PackFloat(weight);
  } else {
    PackInt8(weight);
  }
  if (!linear.bias.defined()) return;
  bias_ = at::zeros({panels(), kPanel}, at::kFloat);
  const float* bias = linear.bias.const_data_ptr<float>();
  float* to = bias_.data_ptr<float>();
  for (int64_t c = 0; c < bias_.numel(); ++c) {
    if (const int64_t row = SourceRow(c); row >= 0) to[c] = bias[row];
  }
}

int64_t PackedLinear::SourceRow(int64_t column) const {
  int64_t row = column;
  if (settings_.gated) {
    // Half a panel of gates, then what they gate.
    constexpr int64_t kHalf = kPanel / 2;
    const int64_t pair = column / kPanel * kHalf + column % kHalf, pairs = outputs_ / 2;
    if (pair >= pairs) return -1;
    row = pair + (column % kPanel < kHalf ? 0 : pairs);
  }
  return row < outputs_ ? row : -1;
}

void PackedLinear::PackFloat(const float* weight) {
  values_ = at::empty({panels(), k_, kPanel}, at::kFloat);
  float* values = values_.data_ptr<float>();
  ForRanges(panels(), 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      float* to = values + p * k_ * kPanel;
      // Half panels are of neighbouring rows, gated or not.
      constexpr int64_t kHalf = kPanel / 2;
      for (int64_t c = 0; c < kPanel; c += kHalf) {
        const int64_t row = SourceRow(p * kPanel + c);
        int64_t rows = 0;
        while (rows < kHalf && SourceRow(p * kPanel + c + rows) >= 0) ++rows;
        if (rows < kHalf) {
          for (int64_t i = 0; i < k_; ++i) std::fill_n(to + i * kPanel + c, kHalf, 0.0f);
        }
        if (rows > 0) settings_.kernels->transpose({weight + row * k_, k_, rows, k_}, to + c, kPanel);
      }
    }
  });
}

void PackedLinear::PackInt8(const float* weight) {
  const int64_t groups = Groups(k_), padded = groups * kGroup;
  values_ = at::empty({panels(), padded / 4, kPanel, 4}, at::kByte);
  scales_ = at::empty({panels(), groups, kPanel}, at::kFloat);
  uint8_t* values = values_.data_ptr<uint8_t>();
  float* scales = scales_.data_ptr<float>();
  ForRanges(panels(), 1, [&](int64_t first, int64_t last) {
    std::vector<int8_t> row_values(padded);
    std::vector<float> row_scales(groups);
    std::vector<int32_t> row_sums(groups);
    const std::vector<float> none(k_);
    for (int64_t c = first * kPanel; c < last * kPanel; ++c) {
      const int64_t row = SourceRow(c), panel = c / kPanel, lane = c % kPanel;
      settings_.kernels->quantize(row < 0 ? none.data() : weight + row * k_, k_,
                                  {row_values.data(), row_scales.data(), row_sums.data()});
      uint8_t* to = values + panel * padded * kPanel;
      for (int64_t i = 0; i < padded; ++i) {
        to[(i / 4 * kPanel + lane) * 4 + i % 4] = static_cast<uint8_t>(row_values[i] + 128);
      }
      for (int64_t g = 0; g < groups; ++g) scales[(panel * groups + g) * kPanel + lane] = row_scales[g];
    }
  });
}

simd::Epilogue PackedLinear::MakeEpilogue(const LinearOutput& out, int64_t first_row, int64_t panel) const {
  const int64_t width = settings_.gated ? kPanel / 2 : kPanel;
  const int64_t columns = settings_.gated ? outputs_ / 2 : outputs_;
  simd::Epilogue epilogue;
  if (bias_.defined()) epilogue.bias = bias_.const_data_ptr<float>() + panel * kPanel;
  epilogue.activation = out.activation;
  epilogue.gated = settings_.gated;
  epilogue.add = out.add;
  epilogue.out = out.out + first_row * out.stride + panel * width;
  epilogue.out_stride = out.stride;
  epilogue.columns = std::min(width, columns - panel * width);
  return epilogue;
}

void PackedLinear::Apply(const LinearInput& in, const LinearOutput& out) const {
  if (in.rows == 0) return;
  if (settings_.type == PackedType::kFloat32) {
    ApplyFloat(in, out);
  } else {
    ApplyInt8(in, out);
  }
}

void PackedLinear::ApplyFloat(const LinearInput& in, const LinearOutput& out) const {
  const simd::Kernels& kernels = *settings_.kernels;
  const simd::Tiling tiling(in.rows, kernels.tile_rows);
  at::Tensor packed = at::empty({in.rows * k_}, at::kFloat);
  float* rows = packed.data_ptr<float>();
  const int64_t tile_products = kernels.tile_rows * k_;
  // Packing moves a value where multiplying works on it with every output: a value counts as 16 products.
  ForRanges(tiling.tiles, std::max<int64_t>(1, kTaskProducts / (16 * tile_products)), [&](int64_t first, int64_t last) {
    std::vector<float> normalized(in.norm == nullptr ? 0 : kernels.tile_rows * k_);
    for (int64_t t = first; t < last; ++t) {
      simd::DenseRows to_pack{in.x + tiling.First(t) * in.stride, in.stride, tiling.Rows(t), k_};
      if (in.norm != nullptr) {
        for (int64_t r = 0; r < to_pack.rows; ++r) {
          kernels.normalize(*in.norm, to_pack.x + r * in.stride, normalized.data() + r * k_);
        }
        to_pack.x = normalized.data();
        to_pack.stride = k_;
      }
      kernels.transpose(to_pack, rows + tiling.First(t) * k_, to_pack.rows);
    }
  });

  const int64_t tiles_a_block = std::clamp<int64_t>(kBlockBytes / (tile_products * 4), 1, tiling.tiles);
  const int64_t blocks = (tiling.tiles + tiles_a_block - 1) / tiles_a_block;
  const int64_t panel_products = std::min(tiles_a_block, tiling.tiles) * tile_products * kPanel;
  const int64_t grain = std::max<int64_t>(1, kTaskProducts / panel_products);
  const float* values = values_.const_data_ptr<float>();
  ForRanges(blocks * panels(), grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t block = i / panels(), panel = i % panels();
      const int64_t first_tile = block * tiles_a_block, end_tile = std::min(tiling.tiles, first_tile + tiles_a_block);
      simd::TileProduct product{nullptr, values + panel * k_ * kPanel, 0, k_};
      product.fetch_step = kPanel * 4 / (end_tile - first_tile);
      for (int64_t t = first_tile; t < end_tile; ++t) {
        const int64_t row = tiling.First(t);
        product.rows = rows + row * k_;
        product.tile_rows = tiling.Rows(t);
        // Each tile fetches its share of the next panel. Past the last one this is harmless.
        product.next = product.panel + k_ * kPanel + (t - first_tile) * k_ * product.fetch_step / 4;
        kernels.multiply(product, MakeEpilogue(out, row, panel));
      }
    }
  });
}

void PackedLinear::ApplyInt8(const LinearInput& in, const LinearOutput& out) const {
  const simd::Kernels& kernels = *settings_.kernels;
  const int64_t groups = Groups(k_), padded = groups * kGroup;
  const simd::Tiling tiling(in.rows, simd::kMaxInt8Rows);
  std::vector<int8_t> rows(in.rows * padded);
  std::vector<float> scales(in.rows * groups);
  std::vector<int32_t> sums(in.rows * groups);
  ForRanges(in.rows, std::max<int64_t>(1, kTaskProducts / (16 * k_)), [&](int64_t first, int64_t last) {
    std::vector<float> normalized(in.norm == nullptr ? 0 : k_);
    for (int64_t r = first; r < last; ++r) {
      const float* x = in.x + r * in.stride;
      if (in.norm != nullptr) {
        kernels.normalize(*in.norm, x, normalized.data());
        x = normalized.data();
      }
      kernels.quantize(x, k_, {rows.data() + r * padded, scales.data() + r * groups, sums.data() + r * groups});
    }
  });
  const uint8_t* values = values_.const_data_ptr<uint8_t>();
  const float* panel_scales = scales_.const_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, kTaskProducts / (in.rows * padded * kPanel / 4));
  ForRanges(panels(), grain, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      for (int64_t t = 0; t < tiling.tiles; ++t) {
        const int64_t row = tiling.First(t);
        simd::Int8Product product;
        product.rows = rows.data() + row * padded;
        product.row_scales = scales.data() + row * groups;
        product.row_sums = sums.data() + row * groups;
        product.panel = values + p * padded * kPanel;
        product.panel_scales = panel_scales + p * groups * kPanel;
        product.tile_rows = tiling.Rows(t);
        product.k = padded;
        kernels.multiply_int8(product, MakeEpilogue(out, row, p));
      }
    }
  });
}

void PackedLinear::CopyRow(int64_t output, float* to) const {
  const float* from = values_.const_data_ptr<float>() + output / kPanel * k_ * kPanel + output % kPanel;
  for (int64_t i = 0; i < k_; ++i) to[i] = from[i * kPanel];
}

PackedLinear PackedLinear::Pick(std::span<const int32_t> outputs) const {
  PackedLinear picked;
  picked.settings_ = settings_;
  picked.outputs_ = static_cast<int64_t>(outputs.size());
  picked.k_ = k_;
  const auto columns = [&](const at::Tensor& from) {
    std::vector<int64_t> shape = from.sizes().vec();
    shape[0] = picked.panels();
    at::Tensor to = at::empty(shape, from.options());
    CopyColumns(from, outputs, &to);
    return to;
  };
  picked.values_ = columns(values_);
  if (scales_.defined()) picked.scales_ = columns(scales_);
  if (bias_.defined()) picked.bias_ = columns(bias_);
  return picked;
}

Linear PackedLinear::Unpack() const {
  Linear linear;
  linear.weight = at::empty({outputs_, k_}, at::kFloat);
  float* weight = linear.weight.data_ptr<float>();
  if (bias_.defined()) linear.bias = at::empty({outputs_}, at::kFloat);
  ForRanges(panels() * kPanel, 64, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      const int64_t row = SourceRow(c);
      if (row < 0) continue;
      CopyRow(c, weight + row * k_);
      if (bias_.defined()) linear.bias.data_ptr<float>()[row] = bias_.const_data_ptr<float>()[c];
    }
  });
  return linear;
}

}  // namespace toolformer
