#include "src/model/cpu/matrix_product.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "src/model/cpu/parallel.h"

namespace toolformer {
namespace {

using simd::kBlockBytes;
using simd::kPanel;
using simd::kTaskProducts;

// Terms of the sums that are added up at a time: a panel of so many stays in the second-level cache.
constexpr int64_t kDepth = 768;
// Values of each matrix that are packed at a time.
constexpr int64_t kMostPacked = 8 << 20;
// Values to pack that pay for handing a task to a thread.
constexpr int64_t kTaskValues = 1 << 14;

// Columns `first` to `first + count` of rows `row` to `row + rows`.
MatrixView Part(const MatrixView& matrix, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  return {matrix.data + row * matrix.row_stride + column * matrix.column_stride, rows, columns, matrix.row_stride,
          matrix.column_stride};
}

// to [columns][width] from at most `width` rows; what they lack to it becomes zero.
void PackStrip(const simd::Kernels& kernels, const MatrixView& strip, int64_t width, float* to) {
  if (strip.column_stride == 1) {
    if (strip.rows < width) std::fill_n(to, strip.columns * width, 0.0f);
    kernels.transpose({strip.data, strip.row_stride, strip.rows, strip.columns}, to, width);
    return;
  }
  for (int64_t k = 0; k < strip.columns; ++k) {
    const float* from = strip.data + k * strip.column_stride;
    float* row = to + k * width;
    std::copy_n(from, strip.rows, row);
    std::fill_n(row + strip.rows, width - strip.rows, 0.0f);
  }
}

// Strips of some rows of a matrix, one after the other.
class Strips {
 public:
  Strips(int64_t most_rows, int64_t columns) : values_(at::empty({most_rows * columns}, at::kFloat)) {}

  // As tiles of [columns][rows of the tile].
  void PackTiles(const simd::Kernels& kernels, const MatrixView& matrix, const simd::Tiling& tiling) {
    float* to = values_.data_ptr<float>();
    ForRanges(tiling.tiles, Grain(kernels.tile_rows * matrix.columns), [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; ++t) {
        const int64_t row = tiling.First(t), rows = tiling.Rows(t);
        PackStrip(kernels, Part(matrix, row, rows, 0, matrix.columns), rows, to + row * matrix.columns);
      }
    });
  }
  // As panels of [columns][kPanel].
  void PackPanels(const simd::Kernels& kernels, const MatrixView& matrix) {
    float* to = values_.data_ptr<float>();
    ForRanges((matrix.rows + kPanel - 1) / kPanel, Grain(kPanel * matrix.columns), [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p) {
        const int64_t rows = std::min(kPanel, matrix.rows - p * kPanel);
        PackStrip(kernels, Part(matrix, p * kPanel, rows, 0, matrix.columns), kPanel, to + p * kPanel * matrix.columns);
      }
    });
  }
  const float* values() const { return values_.const_data_ptr<float>(); }

 private:
  static int64_t Grain(int64_t values_a_strip) { return std::max<int64_t>(1, kTaskValues / values_a_strip); }

  at::Tensor values_;
};

// The product of packed tiles and panels.
struct PackedProduct {
  const float* tiles = nullptr;
  const float* panels = nullptr;
  int64_t columns = 0;  // of out
  int64_t depth = 0;
};

void MultiplyPacked(const simd::Kernels& kernels, const PackedProduct& packed, const simd::Tiling& tiling,
                    const ProductTarget& target) {
  const int64_t depth = packed.depth, panels = (packed.columns + kPanel - 1) / kPanel;
  const int64_t tile_values = kernels.tile_rows * depth;
  const int64_t tiles_a_block = std::clamp<int64_t>(kBlockBytes / (tile_values * 4), 1, tiling.tiles);
  const int64_t blocks = (tiling.tiles + tiles_a_block - 1) / tiles_a_block;
  const int64_t grain = std::max<int64_t>(1, kTaskProducts / (tiles_a_block * tile_values * kPanel));
  ForRanges(blocks * panels, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t block = i / panels, panel = i % panels;
      const int64_t first_tile = block * tiles_a_block, end_tile = std::min(tiling.tiles, first_tile + tiles_a_block);
      simd::TileProduct product{nullptr, packed.panels + panel * depth * kPanel, 0, depth};
      // A block has tiles. NOLINTNEXTLINE(clang-analyzer-core.DivideZero)
      product.fetch_step = kPanel * 4 / (end_tile - first_tile);
      simd::Epilogue epilogue;
      float bias[kPanel] = {};  // the kernel reads a whole panel
      epilogue.columns = std::min(kPanel, packed.columns - panel * kPanel);
      if (target.bias != nullptr) {
        std::copy_n(target.bias + panel * kPanel, epilogue.columns, bias);
        epilogue.bias = bias;
      }
      epilogue.add = target.add;
      epilogue.out_stride = target.stride;
      for (int64_t t = first_tile; t < end_tile; ++t) {
        const int64_t row = tiling.First(t);
        product.rows = packed.tiles + row * depth;
        product.tile_rows = tiling.Rows(t);
        // Each tile fetches its share of the next panel. Past the last one this is harmless.
        product.next = product.panel + depth * kPanel + (t - first_tile) * depth * product.fetch_step / 4;
        epilogue.out = target.out + row * target.stride + panel * kPanel;
        kernels.multiply(product, epilogue);
      }
    }
  });
}

// The largest multiple of `unit`, at least one, that is not above `limit` or needed for `rows`.
int64_t PartRows(int64_t rows, int64_t limit, int64_t unit) {
  const int64_t whole = std::max<int64_t>(1, limit / unit) * unit;
  return std::min(whole, (rows + unit - 1) / unit * unit);
}

}  // namespace

void MultiplyByTranspose(const simd::Kernels& kernels, const MatrixView& a, const MatrixView& b,
                         const ProductTarget& target) {
  if (a.rows == 0 || b.rows == 0) return;
  if (a.columns == 0) {
    for (int64_t r = 0; r < a.rows; ++r) {
      float* row = target.out + r * target.stride;
      for (int64_t c = 0; c < b.rows; ++c) {
        row[c] = (target.add ? row[c] : 0.0f) + (target.bias == nullptr ? 0.0f : target.bias[c]);
      }
    }
    return;
  }
  const simd::Tiling depths(a.columns, kDepth);
  const int64_t most_depth = depths.Rows(0);
  const int64_t a_part = PartRows(a.rows, kMostPacked / most_depth, kernels.tile_rows);
  const int64_t b_part = PartRows(b.rows, kMostPacked / most_depth, kPanel);
  Strips tiles(a_part, most_depth), panels(b_part, most_depth);
  for (int64_t d = 0; d < depths.tiles; ++d) {
    const int64_t k = depths.First(d), depth = depths.Rows(d);
    for (int64_t a_row = 0; a_row < a.rows; a_row += a_part) {
      const int64_t a_rows = std::min(a_part, a.rows - a_row);
      const simd::Tiling tiling(a_rows, kernels.tile_rows);
      tiles.PackTiles(kernels, Part(a, a_row, a_rows, k, depth), tiling);
      for (int64_t b_row = 0; b_row < b.rows; b_row += b_part) {
        const int64_t b_rows = std::min(b_part, b.rows - b_row);
        panels.PackPanels(kernels, Part(b, b_row, b_rows, k, depth));
        ProductTarget part = target;
        part.out += a_row * target.stride + b_row;
        part.add = target.add || d > 0;
        part.bias = target.bias == nullptr || d > 0 ? nullptr : target.bias + b_row;
        MultiplyPacked(kernels, {tiles.values(), panels.values(), b_rows, depth}, tiling, part);
      }
    }
  }
}

}  // namespace toolformer
