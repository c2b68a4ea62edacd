// The inner loops, for the instruction set that this file is compiled for. It is compiled several times; everything but
// the table of functions is local to a compilation, and no header with code of its own may be included: the linker
// would keep one copy of it, of whichever instruction set.
#include "src/model/cpu/simd.h"

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

namespace toolformer::simd {
namespace {

#if defined(__AVX512F__)
constexpr int64_t kLanes = 16, kTileRows = 14;
#elif defined(__AVX2__)
constexpr int64_t kLanes = 8, kTileRows = 6;
#else
constexpr int64_t kLanes = 4, kTileRows = 6;
#endif
constexpr int64_t kVectors = kPanel / kLanes;  // of a panel
// Vectors of a panel that a tile sums at once: two, so that a broadcast value serves two products.
constexpr int64_t kColumnVectors = 2;

using Vector = float __attribute__((vector_size(kLanes * 4)));
using Integers = int32_t __attribute__((vector_size(kLanes * 4)));
using Unaligned = float __attribute__((vector_size(kLanes * 4), aligned(4)));

inline Vector Load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void Store(float* p, Vector v) { *reinterpret_cast<Unaligned*>(p) = v; }
inline Vector All(float x) { return x - Vector{}; }
inline Vector Min(Vector a, Vector b) { return a < b ? a : b; }
inline Vector Max(Vector a, Vector b) { return a > b ? a : b; }
inline float Sum(Vector v) {
  float sum = 0.0f;
  for (int64_t i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
inline float Most(Vector v) {
  float most = v[0];
  for (int64_t i = 1; i < kLanes; ++i) most = v[i] > most ? v[i] : most;
  return most;
}

constexpr float kInfinity = __builtin_inff();
constexpr int64_t Smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Relative error under 2e-7; 0 under -87.3, where float32 has no normal numbers left; NaN stays.
inline Vector Exp(Vector x) {
  const Vector clamped = Min(Max(x, All(-87.3f)), All(88.7f));
  const Vector magic = All(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  const Vector n = (clamped * All(1.44269504f) + magic) - magic;
  const Vector r = (clamped - n * All(0.693359375f)) - n * All(-2.12194440e-4f);
  Vector p = All(1.9875691500e-4f);
  p = p * r + All(1.3981999507e-3f);
  p = p * r + All(8.3334519073e-3f);
  p = p * r + All(4.1665795894e-2f);
  p = p * r + All(1.6666665459e-1f);
  p = p * r + All(5.0000001201e-1f);
  p = p * r * r + r + All(1.0f);
  const Integers power = (__builtin_convertvector(n, Integers) + 127) << 23;
  const Vector value = p * __builtin_bit_cast(Vector, power);
  const Vector positive = x < All(-87.3f) ? Vector{} : value;
  return x == x ? positive : x;
}

inline Vector Tanh(Vector x) {
  const Vector e = Exp(Min(x + x, All(80.0f)));
  return All(1.0f) - All(2.0f) / (e + All(1.0f));
}

// Abramowitz and Stegun 7.1.26; absolute error under 2e-7.
inline Vector Erf(Vector x) {
  const Vector a = x < Vector{} ? -x : x;
  const Vector t = All(1.0f) / (All(1.0f) + All(0.3275911f) * a);
  Vector p = All(1.061405429f);
  p = p * t + All(-1.453152027f);
  p = p * t + All(1.421413741f);
  p = p * t + All(-0.284496736f);
  p = p * t + All(0.254829592f);
  const Vector y = All(1.0f) - p * t * Exp(-(a * a));
  return x < Vector{} ? -y : y;
}

inline Vector Activate(Vector x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      return x / (All(1.0f) + Exp(-x));
    case Activation::kGeluTanh:
      return All(0.5f) * x * (All(1.0f) + Tanh(All(0.7978845608f) * (x + All(0.044715f) * x * x * x)));
    case Activation::kGelu:
      return All(0.5f) * x * (All(1.0f) + Erf(x * All(0.7071067812f)));
    case Activation::kRelu:
      return Max(x, Vector{});
  }
  return x;
}

// Where the terms of a tile's sums stand.
struct TileOperands {
  const float* rows;
  int64_t row_stride;  // of rows that are not packed
  const float* panel;
  int64_t panel_stride;
  int64_t k;
  const char* next = nullptr;  // to be fetched meanwhile
  int64_t fetch_step = 0;
};

// out [kRows][kPanel] = rows x panel, or += it. Every element is one sum over k in ascending order.
template <int64_t kRows, bool kPacked, bool kAdd>
__attribute__((noinline)) void Tile(const TileOperands& in, float* out, int64_t out_stride) {
  for (int64_t first = 0; first < kVectors; first += kColumnVectors) {
    Vector sums[kRows][kColumnVectors];
    float* to = out + first * kLanes;
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t v = 0; v < kColumnVectors; ++v) {
        sums[r][v] = kAdd ? Load(to + r * out_stride + v * kLanes) : Vector{};
      }
    }
    const float* a = in.rows;
    const float* b = in.panel + first * kLanes;
    const int64_t row_stride = in.row_stride;
    const char* next = in.next;
    for (int64_t k = 0; k < in.k; ++k) {
      if constexpr (kPacked) {
        __builtin_prefetch(next, 0, 2);
        next += in.fetch_step;
      }
      const Vector b0 = Load(b), b1 = Load(b + kLanes);
#pragma GCC unroll 14
      for (int64_t r = 0; r < kRows; ++r) {
        const Vector x = All(kPacked ? a[r] : a[r * row_stride]);
        sums[r][0] += x * b0;
        sums[r][1] += x * b1;
      }
      a += kPacked ? kRows : 1;
      b += in.panel_stride;
    }
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t v = 0; v < kColumnVectors; ++v) Store(to + r * out_stride + v * kLanes, sums[r][v]);
    }
  }
}

template <bool kPacked, bool kAdd, int64_t kRows = kTileRows>
inline void RunTile(int64_t rows, const TileOperands& in, float* out, int64_t out_stride) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return Tile<kRows, kPacked, kAdd>(in, out, out_stride);
    RunTile<kPacked, kAdd, kRows - 1>(rows, in, out, out_stride);
  }
}

// Stores one row of a product, [kPanel], as the epilogue says.
void Finish(float* product, int64_t row, const Epilogue& e) {
  if (e.bias != nullptr) {
    for (int64_t v = 0; v < kPanel; v += kLanes) Store(product + v, Load(product + v) + Load(e.bias + v));
  }
  const int64_t width = e.gated ? kPanel / 2 : kPanel;
  if (e.activation != Activation::kNone) {
    for (int64_t v = 0; v < width; v += kLanes) {
      Vector x = Activate(Load(product + v), e.activation);
      if (e.gated) x *= Load(product + width + v);
      Store(product + v, x);
    }
  }
  float* out = e.out + row * e.out_stride;
  if (e.columns == width) {
    for (int64_t v = 0; v < width; v += kLanes) {
      Store(out + v, e.add ? Load(out + v) + Load(product + v) : Load(product + v));
    }
  } else {
    for (int64_t c = 0; c < e.columns; ++c) out[c] = e.add ? out[c] + product[c] : product[c];
  }
}

void Multiply(const TileProduct& product, const Epilogue& epilogue) {
  alignas(64) float tile[kTileRows * kPanel];
  const auto* next = reinterpret_cast<const char*>(product.next);
  RunTile<true, false>(product.tile_rows, {product.rows, 0, product.panel, kPanel, product.k, next, product.fetch_step},
                       tile, kPanel);
  for (int64_t r = 0; r < product.tile_rows; ++r) Finish(tile + r * kPanel, r, epilogue);
}

// out [kRows][kPanel]. The sum of a group is exact in int32; groups are added in ascending order.
template <int64_t kRows>
__attribute__((noinline)) void Int8Tile(const Int8Product& in, float* out) {
  const int64_t groups = in.k / kGroup;
#if defined(__AVX512VNNI__)
  const uint8_t* weights = in.panel;
  const float* scales = in.panel_scales;
  const int8_t* rows = in.rows;
  const int64_t row_stride = in.k;
  Vector totals[kRows][kVectors] = {};
  for (int64_t g = 0; g < groups; ++g, scales += kPanel) {
    __m512i sums[kRows][kVectors];
    for (int64_t r = 0; r < kRows; ++r) {
      sums[r][0] = sums[r][1] = _mm512_set1_epi32(-128 * in.row_sums[r * groups + g]);
    }
    for (int64_t k = 0; k < kGroup; k += 4, weights += 4 * kPanel, rows += 4) {
      const __m512i w0 = _mm512_loadu_si512(weights), w1 = _mm512_loadu_si512(weights + 64);
#pragma GCC unroll 6
      for (int64_t r = 0; r < kRows; ++r) {
        int32_t four;
        __builtin_memcpy(&four, rows + r * row_stride, 4);
        const __m512i x = _mm512_set1_epi32(four);
        sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], w0, x);
        sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], w1, x);
      }
    }
    for (int64_t v = 0; v < kVectors; ++v) {
      const Vector scale = Load(scales + v * kLanes);
      for (int64_t r = 0; r < kRows; ++r) {
        const Vector sum = __builtin_convertvector(__builtin_bit_cast(Integers, sums[r][v]), Vector);
        totals[r][v] += sum * (All(in.row_scales[r * groups + g]) * scale);
      }
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t v = 0; v < kVectors; ++v) Store(out + r * kPanel + v * kLanes, totals[r][v]);
  }
#else
  for (int64_t r = 0; r < kRows; ++r) {
    float* total = out + r * kPanel;
    for (int64_t c = 0; c < kPanel; ++c) total[c] = 0.0f;
    for (int64_t g = 0; g < groups; ++g) {
      int32_t sums[kPanel];
      for (int64_t c = 0; c < kPanel; ++c) sums[c] = -128 * in.row_sums[r * groups + g];
      for (int64_t k = g * kGroup; k < (g + 1) * kGroup; ++k) {
        // A number, not a character. NOLINTNEXTLINE(bugprone-signed-char-misuse)
        const int32_t x = in.rows[r * in.k + k];
        const uint8_t* w = in.panel + k / 4 * 4 * kPanel + k % 4;
        for (int64_t c = 0; c < kPanel; ++c) sums[c] += x * w[4 * c];
      }
      const float scale = in.row_scales[r * groups + g];
      const float* scales = in.panel_scales + g * kPanel;
      for (int64_t c = 0; c < kPanel; ++c) total[c] += static_cast<float>(sums[c]) * (scale * scales[c]);
    }
  }
#endif
}

template <int64_t kRows = kMaxInt8Rows>
inline void RunInt8Tile(const Int8Product& in, float* out) {
  if constexpr (kRows > 0) {
    if (in.tile_rows == kRows) return Int8Tile<kRows>(in, out);
    RunInt8Tile<kRows - 1>(in, out);
  }
}

void MultiplyInt8(const Int8Product& product, const Epilogue& epilogue) {
  alignas(64) float tile[kMaxInt8Rows * kPanel];
  RunInt8Tile(product, tile);
  for (int64_t r = 0; r < product.tile_rows; ++r) Finish(tile + r * kPanel, r, epilogue);
}

void Quantize(const float* row, int64_t columns, const QuantizedRow& out) {
  using Bytes = int8_t __attribute__((vector_size(kLanes)));
  for (int64_t g = 0; g * kGroup < columns; ++g) {
    const int64_t n = Smaller(kGroup, columns - g * kGroup);
    alignas(64) float x[kGroup] = {};
    __builtin_memcpy(x, row + g * kGroup, n * sizeof(float));
    Vector sizes = {};
    for (int64_t i = 0; i < kGroup; i += kLanes) {
      const Vector v = Load(x + i);
      sizes = Max(sizes, v < Vector{} ? -v : v);
    }
    const float most = Most(sizes);
    const Vector factor = All(most > 0.0f ? 127.0f / most : 0.0f);
    Integers sum = {};
    for (int64_t i = 0; i < kGroup; i += kLanes) {
      const Vector scaled = Load(x + i) * factor;
      const Integers q = __builtin_convertvector(scaled + (scaled < Vector{} ? All(-0.5f) : All(0.5f)), Integers);
      sum += q;
      const Bytes bytes = __builtin_convertvector(q, Bytes);
      __builtin_memcpy(out.values + g * kGroup + i, &bytes, sizeof(bytes));
    }
    int32_t total = 0;
    for (int64_t i = 0; i < kLanes; ++i) total += sum[i];
    out.scales[g] = most / 127.0f;
    out.sums[g] = total;
  }
}

template <bool kAdd>
void NormalizeTo(const NormRow& norm, const float* x, float* out) {
  const int64_t n = norm.columns, whole = n / kLanes * kLanes;
  float mean = 0.0f;
  if (norm.kind == NormKind::kLayer) {
    Vector sums = {};
    for (int64_t i = 0; i < whole; i += kLanes) sums += Load(x + i);
    mean = Sum(sums);
    for (int64_t i = whole; i < n; ++i) mean += x[i];
    mean /= static_cast<float>(n);
  }
  Vector squares = {};
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vector d = Load(x + i) - All(mean);
    squares += d * d;
  }
  float square = Sum(squares);
  for (int64_t i = whole; i < n; ++i) square += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / __builtin_sqrtf(square / static_cast<float>(n) + norm.epsilon);
  for (int64_t i = 0; i < whole; i += kLanes) {
    Vector y = (Load(x + i) - All(mean)) * All(scale) * Load(norm.weight + i);
    if (norm.bias != nullptr) y += Load(norm.bias + i);
    Store(out + i, kAdd ? Load(out + i) + y : y);
  }
  for (int64_t i = whole; i < n; ++i) {
    const float y = (x[i] - mean) * scale * norm.weight[i] + (norm.bias != nullptr ? norm.bias[i] : 0.0f);
    out[i] = kAdd ? out[i] + y : y;
  }
}

using Four = float __attribute__((vector_size(16)));
using FourUnaligned = float __attribute__((vector_size(16), aligned(4)));

// The 4 x 4 transpose of in [4][in_stride].
inline void Transpose4(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  const auto load = [](const float* p) -> Four { return *reinterpret_cast<const FourUnaligned*>(p); };
  const auto store = [](float* p, Four v) { *reinterpret_cast<FourUnaligned*>(p) = v; };
  const Four a = load(in), b = load(in + in_stride), c = load(in + 2 * in_stride), d = load(in + 3 * in_stride);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(out, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store(out + out_stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store(out + 2 * out_stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store(out + 3 * out_stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

// out [columns][out_stride] from in [rows][in_stride].
void Transpose(const DenseRows& in, float* out, int64_t out_stride) {
  const int64_t whole_rows = in.rows / 4 * 4, whole_columns = in.columns / 4 * 4;
  for (int64_t c = 0; c < whole_columns; c += 4) {
    for (int64_t r = 0; r < whole_rows; r += 4) {
      Transpose4(in.x + r * in.stride + c, in.stride, out + c * out_stride + r, out_stride);
    }
    for (int64_t r = whole_rows; r < in.rows; ++r) {
      for (int64_t i = 0; i < 4; ++i) out[(c + i) * out_stride + r] = in.x[r * in.stride + c + i];
    }
  }
  for (int64_t c = whole_columns; c < in.columns; ++c) {
    for (int64_t r = 0; r < in.rows; ++r) out[c * out_stride + r] = in.x[r * in.stride + c];
  }
}

void Rotate(float* head, const float* cosines, const float* sines, int64_t half) {
  float* second = head + half;
  int64_t j = 0;
  for (; j + kLanes <= half; j += kLanes) {
    const Vector a = Load(head + j), b = Load(second + j), c = Load(cosines + j), s = Load(sines + j);
    Store(head + j, a * c - b * s);
    Store(second + j, b * c + a * s);
  }
  for (; j < half; ++j) {
    const float a = head[j], b = second[j];
    head[j] = a * cosines[j] - b * sines[j];
    second[j] = b * cosines[j] + a * sines[j];
  }
}

// out [head_dim][kKeyBlock]; zero for keys that are missing to a whole panel.
void TransposeKeys(const KeyBlock& in, int64_t head_dim, float* out) {
  Transpose({in.keys, in.stride, in.keys_count, head_dim}, out, kKeyBlock);
  const int64_t padded = PaddedWidth(in.keys_count);
  for (int64_t d = 0; d < head_dim; ++d) {
    for (int64_t k = in.keys_count; k < padded; ++k) out[d * kKeyBlock + k] = 0.0f;
  }
}

// Turns a row of scores into weights exp(score - most), and brings the row's state to the new largest score.
void SoftmaxStep(const QueryBlock& queries, const KeyBlock& keys, const ScoreRule& rule, int64_t row, float* scores) {
  const int64_t begin = keys.visible_begin[row], end = keys.visible_end[row];
  const int64_t padded = PaddedWidth(keys.keys_count);
  if (begin >= end) {
    for (int64_t i = 0; i < padded; ++i) scores[i] = 0.0f;
    return;
  }
  Vector most = All(queries.most[row]);
  Integers place;
  for (int64_t i = 0; i < kLanes; ++i) place[i] = static_cast<int32_t>(i);
  const auto from = static_cast<int32_t>(begin), to = static_cast<int32_t>(end);
  for (int64_t i = 0; i < padded; i += kLanes) {
    Vector x = Load(scores + i) * All(rule.scale);
    const Integers at = place + static_cast<int32_t>(i);
    if (rule.soft_cap > 0.0f) x = All(rule.soft_cap) * Tanh(x / All(rule.soft_cap));
    if (rule.slopes != nullptr) {
      const Vector position = __builtin_convertvector(at + static_cast<int32_t>(keys.first_position), Vector);
      x += All(rule.slopes[row]) * position;
    }
    x = at >= from ? x : All(-kInfinity);
    x = at < to ? x : All(-kInfinity);
    Store(scores + i, x);
    // In this order a NaN is taken over, not lost.
    most = x <= most ? most : x;
  }
  float next = most[0];
  for (int64_t i = 1; i < kLanes; ++i) next = most[i] <= next ? next : most[i];
  const float before = queries.most[row];
  float shrink = 1.0f;
  if (next != before) {
    alignas(64) float factor[kLanes];
    Store(factor, Exp(All(before - next)));
    shrink = factor[0];
    queries.most[row] = next;
    const int64_t width = PaddedWidth(queries.head_dim);
    float* values = queries.values + row * width;
    for (int64_t i = 0; i < width; i += kLanes) Store(values + i, Load(values + i) * All(shrink));
  }
  Vector sum = {};
  for (int64_t i = 0; i < padded; i += kLanes) {
    const Vector weight = Exp(Load(scores + i) - All(next));
    Store(scores + i, weight);
    sum += weight;
  }
  queries.sum[row] = queries.sum[row] * shrink + Sum(sum);
}

void Attend(const QueryBlock& queries, const KeyBlock& keys, const ScoreRule& rule) {
  const int64_t d = queries.head_dim, width = PaddedWidth(d);
  float* transposed = queries.scratch;
  float* padded_values = transposed + kKeyBlock * d;
  float* scores = padded_values + kKeyBlock * width;
  TransposeKeys(keys, d, transposed);
  const float* values = keys.values;
  int64_t value_stride = keys.stride;
  if (width != d) {
    for (int64_t k = 0; k < keys.keys_count; ++k) {
      for (int64_t i = 0; i < width; ++i) padded_values[k * width + i] = i < d ? values[k * keys.stride + i] : 0.0f;
    }
    values = padded_values;
    value_stride = width;
  }
  const Tiling tiling(queries.rows, kTileRows);
  for (int64_t t = 0; t < tiling.tiles; ++t) {
    const int64_t first = tiling.First(t), rows = tiling.Rows(t);
    bool any = false;
    for (int64_t r = 0; r < rows; ++r) any |= keys.visible_begin[first + r] < keys.visible_end[first + r];
    if (!any) continue;
    for (int64_t k = 0; k < keys.keys_count; k += kPanel) {
      RunTile<true, false>(rows, {queries.queries + first * d, 0, transposed + k, kKeyBlock, d}, scores + k, kKeyBlock);
    }
    for (int64_t r = 0; r < rows; ++r) SoftmaxStep(queries, keys, rule, first + r, scores + r * kKeyBlock);
    for (int64_t v = 0; v < width; v += kPanel) {
      RunTile<false, true>(rows, {scores, kKeyBlock, values + v, value_stride, keys.keys_count},
                           queries.values + first * width + v, width);
    }
  }
}

float MostOf(const float* x, int64_t n) {
  Vector most = All(-kInfinity);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) most = Max(most, Load(x + i));
  float result = Most(most);
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

double SumExp(const float* x, int64_t n, float shift, float scale) {
  // Partial sums of a few hundred terms in float32, their sum in float64.
  constexpr int64_t kBlock = 64 * kLanes;
  double total = 0.0;
  int64_t i = 0;
  while (i + kLanes <= n) {
    Vector sum = {};
    for (const int64_t end = Smaller(n - kLanes + 1, i + kBlock); i < end; i += kLanes) {
      sum += Exp((Load(x + i) - All(shift)) * All(scale));
    }
    for (int64_t lane = 0; lane < kLanes; ++lane) total += static_cast<double>(sum[lane]);
  }
  for (; i < n; ++i) total += static_cast<double>(Exp(All((x[i] - shift) * scale))[0]);
  return total;
}

void ScaleExp(float* x, int64_t n, float shift, float factor) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(x + i, Exp(Load(x + i) - All(shift)) * All(factor));
  for (; i < n; ++i) x[i] = Exp(All(x[i] - shift))[0] * factor;
}

float Dot(const float* a, const float* b, int64_t n) {
  Vector sum = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum += Load(a + i) * Load(b + i);
  float result = Sum(sum);
  for (; i < n; ++i) result += a[i] * b[i];
  return result;
}

}  // namespace

#define TOOLFORMER_JOIN_(a, b) a##b
#define TOOLFORMER_JOIN(a, b) TOOLFORMER_JOIN_(a, b)
#define TOOLFORMER_TEXT_(x) #x
#define TOOLFORMER_TEXT(x) TOOLFORMER_TEXT_(x)

// kernels_avx512 and so on; simd.cc declares them.
extern const Kernels TOOLFORMER_JOIN(kernels_, TOOLFORMER_SIMD);
const Kernels TOOLFORMER_JOIN(kernels_, TOOLFORMER_SIMD) = {
    .name = TOOLFORMER_TEXT(TOOLFORMER_SIMD),
    .tile_rows = kTileRows,
    .multiply = Multiply,
    .multiply_int8 = MultiplyInt8,
    .quantize = Quantize,
    .transpose = Transpose,
    .normalize = NormalizeTo<false>,
    .normalize_add = NormalizeTo<true>,
    .rotate = Rotate,
    .attend = Attend,
    .most = MostOf,
    .sum_exp = SumExp,
    .scale_exp = ScaleExp,
    .dot = Dot,
};

}  // namespace toolformer::simd
