// Inner loops of the CPU's forward pass in float32, compiled once for each instruction set and chosen when first used.
// Plain pointers, no allocation, no errors. What a row of a batch gives never depends on the other rows: every sum runs
// over the same terms in the same order, however many rows there are.
#ifndef TOOLFORMER_SRC_MODEL_CPU_SIMD_H_
#define TOOLFORMER_SRC_MODEL_CPU_SIMD_H_

#include <cstdint>

namespace toolformer::simd {

// Columns of a panel of a packed matrix. A panel is [k][kPanel] floats: for each k, kPanel neighbouring outputs.
inline constexpr int64_t kPanel = 32;
// Most rows of a tile, whatever the instruction set. A tile of packed rows is [k][rows] floats.
inline constexpr int64_t kMaxTileRows = 14;
// Packed rows that are multiplied with a panel before the next panel is taken: they should stay in the second-level
// cache beside it.
inline constexpr int64_t kBlockBytes = 384 << 10;
// Multiplications of a task: enough to pay for handing it to a thread.
inline constexpr int64_t kTaskProducts = 1 << 18;

// Rows in tiles of at most `tile_rows`, as even as can be.
struct Tiling {
  int64_t rows = 0, tiles = 0;
  Tiling(int64_t rows_in, int64_t tile_rows) : rows(rows_in), tiles((rows_in + tile_rows - 1) / tile_rows) {}
  int64_t First(int64_t tile) const { return tile * (rows / tiles) + (tile < rows % tiles ? tile : rows % tiles); }
  int64_t Rows(int64_t tile) const { return First(tile + 1) - First(tile); }
};

enum class Activation { kNone, kSilu, kGeluTanh, kGelu, kRelu };

// What becomes of a product: out = activation(product + bias), or out += product + bias.
struct Epilogue {
  const float* bias = nullptr;  // of the panel's columns; null: none
  Activation activation = Activation::kNone;
  bool gated = false;  // the panel's first half gates the second: out has half the columns
  bool add = false;    // to what is in out
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t columns = 0;  // of `out` that exist; at most kPanel, or half of it where gated
};

// A tile of packed rows times a panel.
struct TileProduct {
  const float* rows = nullptr;   // [k][tile_rows]
  const float* panel = nullptr;  // [k][kPanel]
  int64_t tile_rows = 0;
  int64_t k = 0;
  // What is multiplied next, to be fetched meanwhile: `fetch_step` bytes from it for each k; null: nothing.
  const float* next = nullptr;
  int64_t fetch_step = 0;
};

// int8: rows and weights have a scale for every kGroup neighbouring k.
inline constexpr int64_t kGroup = 64;
// k is a multiple of kGroup; what a matrix lacks to it is zero.
struct Int8Product {
  const int8_t* rows = nullptr;         // [tile_rows][k]
  const float* row_scales = nullptr;    // [tile_rows][k / kGroup]
  const int32_t* row_sums = nullptr;    // [tile_rows][k / kGroup] of the rows' values
  const uint8_t* panel = nullptr;       // [k / 4][kPanel][4], weight + 128
  const float* panel_scales = nullptr;  // [k / kGroup][kPanel]
  int64_t tile_rows = 0;                // at most kMaxInt8Rows
  int64_t k = 0;
};
inline constexpr int64_t kMaxInt8Rows = 6;
// A row of floats as int8.
struct QuantizedRow {
  int8_t* values = nullptr;
  float* scales = nullptr;
  int32_t* sums = nullptr;
};

// Rows to be transposed, as tiles and panels want them.
struct DenseRows {
  const float* x = nullptr;
  int64_t stride = 0, rows = 0, columns = 0;
};

// (x - mean) / sqrt(variance + epsilon) * weight + bias; kRms takes the mean as 0.
enum class NormKind { kRms, kLayer };
struct NormRow {
  const float* weight = nullptr;
  const float* bias = nullptr;  // null: none
  int64_t columns = 0;
  float epsilon = 0.0f;
  NormKind kind = NormKind::kRms;
};

// How scores become what the softmax sees: cap tanh(scale q.k / cap) + slope * key position.
struct ScoreRule {
  float scale = 1.0f;
  float soft_cap = 0.0f;          // 0: none
  const float* slopes = nullptr;  // [rows] of the queries; null: none
};

// Some queries that share a head of keys and values, with the running state of their softmax.
struct QueryBlock {
  const float* queries = nullptr;  // packed as tiles (Tiling) of [head_dim][tile rows]
  int64_t rows = 0;
  int64_t head_dim = 0;
  float* most = nullptr;     // [rows] largest score so far
  float* sum = nullptr;      // [rows] of exp(score - most)
  float* values = nullptr;   // [rows][PaddedWidth(head_dim)] sum of values by weight, not normalised
  float* scratch = nullptr;  // [AttendScratch(head_dim)]
};
// Keys taken at a time.
inline constexpr int64_t kKeyBlock = 64;
constexpr int64_t PaddedWidth(int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }
constexpr int64_t AttendScratch(int64_t head_dim) {
  return kKeyBlock * head_dim + kKeyBlock * PaddedWidth(head_dim) + kMaxTileRows * kKeyBlock;
}

// Up to kKeyBlock keys of one head, and which of them each query row sees.
struct KeyBlock {
  const float* keys = nullptr;  // [keys][stride]
  const float* values = nullptr;
  int64_t stride = 0;
  int64_t keys_count = 0;
  int64_t first_position = 0;              // of the first key in its sequence
  const int32_t* visible_begin = nullptr;  // [rows] within the block; begin >= end: none
  const int32_t* visible_end = nullptr;    // [rows]
};

struct Kernels {
  const char* name;
  int64_t tile_rows;  // rows of a full tile

  void (*multiply)(const TileProduct& product, const Epilogue& epilogue);
  void (*multiply_int8)(const Int8Product& product, const Epilogue& epilogue);
  void (*quantize)(const float* row, int64_t columns, const QuantizedRow& out);
  // out [columns][out_stride].
  void (*transpose)(const DenseRows& rows, float* out, int64_t out_stride);
  // `out` may be x itself.
  void (*normalize)(const NormRow& norm, const float* x, float* out);
  // out[i] += normalised x[i].
  void (*normalize_add)(const NormRow& norm, const float* x, float* out);
  // Rotates pairs (j, j + half) of one head by the angles whose cosines and sines are given.
  void (*rotate)(float* head, const float* cosines, const float* sines, int64_t half);
  // Adds a block of keys to the state of the queries.
  void (*attend)(const QueryBlock& queries, const KeyBlock& keys, const ScoreRule& rule);
  float (*most)(const float* x, int64_t n);
  // Sum of exp(scale * (x[i] - shift)).
  double (*sum_exp)(const float* x, int64_t n, float shift, float scale);
  // x[i] = factor * exp(x[i] - shift).
  void (*scale_exp)(float* x, int64_t n, float shift, float factor);
  // dot of n floats.
  float (*dot)(const float* a, const float* b, int64_t n);
};

// The best for this machine.
const Kernels& Best();
// "generic", "avx2" or "avx512"; null where the machine, or this build, has it not.
const Kernels* Find(const char* name);

}  // namespace toolformer::simd

#endif  // TOOLFORMER_SRC_MODEL_CPU_SIMD_H_
