// The CPU's own kernels, for every instruction set that this machine has, against plain sums in float64.
#include <ATen/ops/empty.h>
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "src/model/cpu/packed_linear.h"
#include "src/model/cpu/simd.h"

namespace toolformer::cpu_kernels_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<const simd::Kernels*> Variants() {
  std::vector<const simd::Kernels*> variants;
  for (const char* name : {"generic", "avx2", "avx512"}) {
    if (const simd::Kernels* found = simd::Find(name); found != nullptr) {
      variants.push_back(found);
    } else {
      MESSAGE("this machine has no " << std::string(name));
    }
  }
  return variants;
}

std::vector<float> Random(size_t count, uint32_t seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

at::Tensor TensorOf(const std::vector<float>& values, at::IntArrayRef shape) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  REQUIRE(tensor.numel() == static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor;
}

double Activated(double x, simd::Activation activation) {
  switch (activation) {
    case simd::Activation::kNone:
      return x;
    case simd::Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case simd::Activation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case simd::Activation::kGelu:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case simd::Activation::kRelu:
      return std::max(x, 0.0);
  }
  return x;
}

struct LinearCase {
  int64_t rows, outputs, k;
  bool biased, gated, add;
  simd::Activation activation;
};

// activation(x weight^T + bias), in float64.
std::vector<double> Expected(const LinearCase& c, const std::vector<float>& x, const std::vector<float>& weight,
                             const std::vector<float>& bias) {
  std::vector<double> products(c.rows * c.outputs);
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t o = 0; o < c.outputs; ++o) {
      double sum = c.biased ? bias[o] : 0.0;
      for (int64_t i = 0; i < c.k; ++i) sum += static_cast<double>(x[r * c.k + i]) * weight[o * c.k + i];
      products[r * c.outputs + o] = sum;
    }
  }
  const int64_t columns = c.gated ? c.outputs / 2 : c.outputs;
  std::vector<double> out(c.rows * columns);
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t o = 0; o < columns; ++o) {
      double value = Activated(products[r * c.outputs + o], c.activation);
      if (c.gated) value *= products[r * c.outputs + columns + o];
      out[r * columns + o] = value + (c.add ? 1.0 : 0.0);  // to ones
    }
  }
  return out;
}

const std::vector<LinearCase> kLinearCases = {{1, 32, 64, false, false, false, simd::Activation::kNone},
                                              {14, 96, 48, true, false, false, simd::Activation::kSilu},
                                              {15, 70, 33, true, false, true, simd::Activation::kNone},
                                              {29, 1, 7, false, false, false, simd::Activation::kRelu},
                                              {40, 64, 130, true, true, false, simd::Activation::kSilu},
                                              {3, 42, 65, false, true, false, simd::Activation::kGelu},
                                              {130, 40, 20, true, false, false, simd::Activation::kGelu},
                                              {5, 33, 576, true, false, false, simd::Activation::kGeluTanh},
                                              {257, 34, 12, false, true, true, simd::Activation::kGeluTanh}};

TEST_CASE("packed linear maps equal plain sums") {
  for (const simd::Kernels* kernels : Variants()) {
    CAPTURE(std::string(kernels->name));
    for (size_t n = 0; n < kLinearCases.size(); ++n) {
      CAPTURE(n);
      const LinearCase& c = kLinearCases[n];
      const std::vector<float> x = Random(c.rows * c.k, 1), weight = Random(c.outputs * c.k, 2, 0.3f);
      const std::vector<float> bias = Random(c.outputs, 3);
      Linear linear{TensorOf(weight, {c.outputs, c.k}), {}};
      if (c.biased) linear.bias = TensorOf(bias, {c.outputs});
      const PackedLinear packed(linear, {kernels, PackedType::kFloat32, c.gated});
      const int64_t columns = c.gated ? c.outputs / 2 : c.outputs, stride = columns + 3;
      std::vector<float> out(c.rows * stride, 1.0f);
      packed.Apply({x.data(), c.rows, c.k, nullptr}, {out.data(), stride, c.add, c.activation});
      const std::vector<double> expected = Expected(c, x, weight, bias);
      double most = 0.0;
      for (int64_t r = 0; r < c.rows; ++r) {
        for (int64_t o = 0; o < columns; ++o) {
          const double wanted = expected[r * columns + o];
          most = std::max(most, std::abs(out[r * stride + o] - wanted) / (1.0 + std::abs(wanted)));
        }
        // What lies between the rows is not touched.
        for (int64_t o = columns; o < stride; ++o) CHECK(out[r * stride + o] == 1.0f);
      }
      CHECK(most < 2e-5);

      const Linear again = packed.Unpack();
      CHECK(std::equal(weight.begin(), weight.end(), again.weight.const_data_ptr<float>()));
      CHECK(again.bias.defined() == c.biased);
      if (c.biased) CHECK(std::equal(bias.begin(), bias.end(), again.bias.const_data_ptr<float>()));
    }
  }
}

TEST_CASE("a row of a product does not depend on the other rows, to the bit") {
  const int64_t k = 200, outputs = 70;
  const std::vector<float> x = Random(64 * k, 4);
  const Linear linear{TensorOf(Random(outputs * k, 5), {outputs, k}), {}};
  for (const simd::Kernels* kernels : Variants()) {
    for (const PackedType type : {PackedType::kFloat32, PackedType::kInt8}) {
      const PackedLinear packed(linear, {kernels, type, false});
      std::vector<float> whole(64 * outputs);
      packed.Apply({x.data(), 64, k, nullptr}, {whole.data(), outputs});
      for (const int64_t rows : {1, 2, 13, 15, 31}) {
        std::vector<float> part(rows * outputs);
        packed.Apply({x.data() + 20 * k, rows, k, nullptr}, {part.data(), outputs});
        CHECK(std::equal(part.begin(), part.end(), whole.begin() + 20 * outputs));
      }
      const std::vector<int32_t> ids = {0, 3, 31, 32, 64, 69};
      std::vector<float> picked(64 * ids.size());
      packed.Pick(ids).Apply({x.data(), 64, k, nullptr}, {picked.data(), std::ssize(ids)});
      for (size_t r = 0; r < 64; ++r) {
        for (size_t i = 0; i < ids.size(); ++i) CHECK(picked[r * ids.size() + i] == whole[r * outputs + ids[i]]);
      }
    }
  }
}

TEST_CASE("int8 products are exact where nothing is rounded") {
  // Whole numbers, each group of 64 with a 127 in it: the scales are 1.
  std::mt19937 random(6);
  const int64_t k = 150, outputs = 45, rows = 9;
  const auto whole_numbers = [&](int64_t count) {
    std::vector<float> values(count * k);
    for (int64_t i = 0; i < count * k; ++i) {
      values[i] = i % k % 64 == 5 ? 127.0f : static_cast<float>(static_cast<int>(random() % 255) - 127);
    }
    return values;
  };
  const std::vector<float> x = whole_numbers(rows), weight = whole_numbers(outputs);
  const LinearCase c{rows, outputs, k, false, false, false, simd::Activation::kNone};
  const std::vector<double> expected = Expected(c, x, weight, {});
  for (const simd::Kernels* kernels : Variants()) {
    CAPTURE(std::string(kernels->name));
    const PackedLinear packed({TensorOf(weight, {outputs, k}), {}}, {kernels, PackedType::kInt8, false});
    std::vector<float> out(rows * outputs);
    packed.Apply({x.data(), rows, k, nullptr}, {out.data(), outputs});
    for (size_t i = 0; i < out.size(); ++i) CHECK(out[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

TEST_CASE("norms equal their definition") {
  for (const simd::Kernels* kernels : Variants()) {
    for (const int64_t n : {1, 7, 16, 64, 100, 576}) {
      CAPTURE(n);
      const std::vector<float> x = Random(n, 7, 3.0f), weight = Random(n, 8), bias = Random(n, 9);
      for (const simd::NormKind kind : {simd::NormKind::kRms, simd::NormKind::kLayer}) {
        const bool layer = kind == simd::NormKind::kLayer;
        const simd::NormRow norm{weight.data(), layer ? bias.data() : nullptr, n, 1e-5f, kind};
        double mean = 0.0, square = 0.0;
        for (const float value : x) mean += layer ? value / static_cast<double>(n) : 0.0;
        for (const float value : x) square += (value - mean) * (value - mean) / static_cast<double>(n);
        std::vector<float> out(n, 5.0f), sum(n, 5.0f);
        kernels->normalize(norm, x.data(), out.data());
        kernels->normalize_add(norm, x.data(), sum.data());
        for (int64_t i = 0; i < n; ++i) {
          const double wanted = (x[i] - mean) / std::sqrt(square + 1e-5) * weight[i] + (layer ? bias[i] : 0.0);
          CHECK(out[i] == doctest::Approx(wanted).epsilon(1e-4));
          CHECK(sum[i] == doctest::Approx(wanted + 5.0).epsilon(1e-4));
        }
      }
    }
  }
}

TEST_CASE("sums of exponentials and maxima") {
  for (const simd::Kernels* kernels : Variants()) {
    for (const int64_t n : {1, 5, 31, 64, 1000, 49153}) {
      CAPTURE(n);
      const std::vector<float> x = Random(n, 10, 8.0f);
      const float most = *std::max_element(x.begin(), x.end());
      CHECK(kernels->most(x.data(), n) == most);
      double wanted = 0.0;
      for (const float value : x) wanted += std::exp(0.7 * (static_cast<double>(value) - most));
      CHECK(kernels->sum_exp(x.data(), n, most, 0.7f) == doctest::Approx(wanted).epsilon(1e-6));
    }
    std::vector<float> odd = {0.0f, -200.0f, -kInfinity};
    CHECK(kernels->sum_exp(odd.data(), 3, 0.0f, 1.0f) == 1.0);
    odd[1] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(kernels->sum_exp(odd.data(), 3, 0.0f, 1.0f)));
    std::vector<float> nan_in_vector(64, 0.0f);
    nan_in_vector[17] = odd[1];
    CHECK(std::isnan(kernels->sum_exp(nan_in_vector.data(), 64, 0.0f, 1.0f)));
  }
}

// Softmax attention of one query over keys [from, to), in float64.
std::vector<double> Attention(const float* query, const std::vector<float>& keys, const std::vector<float>& values,
                              std::pair<int64_t, int64_t> range, int64_t d,
                              const std::function<double(double, int64_t)>& score) {
  std::vector<double> out(d);
  double sum = 0.0;
  for (int64_t k = range.first; k < range.second; ++k) {
    double dot = 0.0;
    for (int64_t i = 0; i < d; ++i) dot += static_cast<double>(query[i]) * keys[k * d + i];
    const double weight = std::exp(score(dot, k));
    sum += weight;
    for (int64_t i = 0; i < d; ++i) out[i] += weight * values[k * d + i];
  }
  for (double& value : out) value /= sum;
  return out;
}

TEST_CASE("attention in blocks of keys equals softmax over all of them") {
  constexpr int64_t kKeys = 150, kRows = 31;
  for (const simd::Kernels* kernels : Variants()) {
    CAPTURE(std::string(kernels->name));
    for (const int64_t d : {8, 64, 80, 256}) {
      CAPTURE(d);
      const std::vector<float> queries = Random(kRows * d, 11, 0.5f), keys = Random(kKeys * d, 12);
      const std::vector<float> values = Random(kKeys * d, 13);
      std::vector<float> slopes;
      for (int64_t r = 0; r < kRows; ++r) slopes.push_back(0.01f * static_cast<float>(r));
      for (const bool odd : {false, true}) {
        simd::ScoreRule rule;
        rule.scale = 0.2f;
        if (odd) {
          rule.soft_cap = 3.0f;
          rule.slopes = slopes.data();
        }
        std::vector<float> packed(kRows * d), most(kRows, -kInfinity), sum(kRows);
        std::vector<float> state(kRows * simd::PaddedWidth(d)), scratch(simd::AttendScratch(d));
        const simd::Tiling tiling(kRows, kernels->tile_rows);
        for (int64_t t = 0; t < tiling.tiles; ++t) {
          kernels->transpose({queries.data() + tiling.First(t) * d, d, tiling.Rows(t), d},
                             packed.data() + tiling.First(t) * d, tiling.Rows(t));
        }
        // Row r sees keys [r, 5 r + 1), the last rows all of them.
        const auto range = [&](int64_t r) { return std::pair(r, std::min<int64_t>(kKeys, 5 * r + 1)); };
        for (int64_t first = 0; first < kKeys; first += simd::kKeyBlock) {
          const int64_t count = std::min(simd::kKeyBlock, kKeys - first);
          std::vector<int32_t> begin(kRows), end(kRows);
          for (int64_t r = 0; r < kRows; ++r) {
            begin[r] = static_cast<int32_t>(std::clamp<int64_t>(range(r).first - first, 0, count));
            end[r] = static_cast<int32_t>(std::clamp<int64_t>(range(r).second - first, 0, count));
          }
          kernels->attend(
              {packed.data(), kRows, d, most.data(), sum.data(), state.data(), scratch.data()},
              {keys.data() + first * d, values.data() + first * d, d, count, first, begin.data(), end.data()}, rule);
        }
        double difference = 0.0;
        for (int64_t r = 0; r < kRows; ++r) {
          const std::vector<double> wanted =
              Attention(queries.data() + r * d, keys, values, range(r), d, [&](double dot, int64_t k) {
                const double score = 0.2 * dot;
                return odd ? 3.0 * std::tanh(score / 3.0) + slopes[r] * static_cast<double>(k) : score;
              });
          for (int64_t i = 0; i < d; ++i) {
            difference = std::max(difference, std::abs(state[r * simd::PaddedWidth(d) + i] / sum[r] - wanted[i]));
          }
        }
        CHECK(difference < 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace toolformer::cpu_kernels_test
