// Probabilities and samples against plain double precision.
#include "src/model/token_sampler.h"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/base/random.h"
#include "tests/check.h"

namespace toolformer::token_sampler_test {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Rows of logits within `spread` of 0.
at::Tensor RandomLogits(int64_t rows, int64_t columns, double spread) {
  at::Tensor logits = at::zeros({rows, columns}, at::kFloat);
  RandomStream random(static_cast<uint64_t>(columns));
  float* values = logits.data_ptr<float>();
  for (int64_t i = 0; i < rows * columns; ++i) {
    values[i] = static_cast<float>((2.0 * random.Uniform() - 1.0) * spread);
  }
  return logits;
}

std::vector<double> Reference(const at::Tensor& logits, int64_t row, double temperature) {
  const float* values = logits.const_data_ptr<float>() + row * logits.size(1);
  const double most = *std::max_element(values, values + logits.size(1));
  std::vector<double> p(logits.size(1));
  double sum = 0.0;
  for (size_t c = 0; c < p.size(); ++c) sum += p[c] = std::exp((values[c] - most) / temperature);
  for (double& each : p) each /= sum;
  return p;
}

TEST_CASE("log-probabilities equal double precision, whatever the width and the spread") {
  for (const int64_t columns : {1, 3, 15, 16, 17, 127, 128, 129, 1000, 49153}) {
    for (const double spread : {0.0, 1.0, 20.0, 1000.0}) {
      CAPTURE(columns);
      CAPTURE(spread);
      const at::Tensor logits = RandomLogits(3, columns, spread);
      const std::vector<int32_t> ids = {0, static_cast<int32_t>(columns / 2), static_cast<int32_t>(columns - 1)};
      const auto log_p = LogProbabilities(logits, ids);
      REQUIRE(log_p.ok());
      for (int64_t r = 0; r < 3; ++r) {
        const float* row = logits.const_data_ptr<float>() + r * columns;
        const double most = *std::max_element(row, row + columns);
        double sum = 0.0;
        for (int64_t c = 0; c < columns; ++c) sum += std::exp(row[c] - most);
        const double expected = row[ids[r]] - most - std::log(sum);
        CHECK(std::abs((*log_p)[r] - expected) < 5e-7);
      }
    }
  }
}

TEST_CASE("summed probabilities equal double precision; -inf counts as nothing") {
  at::Tensor logits = RandomLogits(4, 5000, 10.0);
  logits.data_ptr<float>()[5000 + 17] = kMinusInfinity;
  const std::vector<int32_t> ids = {17, 4999};
  const auto sums = SummedProbabilities(logits, ids);
  REQUIRE(sums.ok());
  for (int64_t r = 0; r < 4; ++r) {
    const std::vector<double> p = Reference(logits, r, 1.0);
    CHECK((*sums)[r] == doctest::Approx(p[17] + p[4999]).epsilon(1e-6));
  }
}

TEST_CASE("a token is drawn where the cumulative distribution passes the uniform") {
  for (const int64_t columns : {1, 2, 130, 3000}) {
    for (const double temperature : {0.5, 1.0, 2.0}) {
      CAPTURE(columns);
      CAPTURE(temperature);
      const at::Tensor logits = RandomLogits(2, columns, 5.0);
      const std::vector<double> p = Reference(logits, 1, temperature);
      RandomStream random(7);
      std::vector<Draw> draws;
      std::vector<double> uniforms;
      for (int i = 0; i < 500; ++i) draws.push_back({1, random.Uniform()});
      draws.push_back({1, 0.0});
      draws.push_back({1, 1.0 - 0x1.0p-53});
      const auto drawn = DrawColumns(logits, temperature, draws);
      REQUIRE(drawn.ok());
      for (size_t d = 0; d < draws.size(); ++d) {
        double below = 0.0;
        for (int32_t c = 0; c < (*drawn)[d]; ++c) below += p[c];
        CHECK(below <= draws[d].uniform + 1e-6);
        CHECK(below + p[(*drawn)[d]] >= draws[d].uniform - 1e-6);
        const double pair[] = {0.5, draws[d].uniform};
        const auto token = SampleTokens(logits, temperature, pair, {});
        REQUIRE(token.ok());
        CHECK((*token)[1] == (*drawn)[d]);
      }
    }
  }
}

TEST_CASE("columns without probability are never drawn, at neither end") {
  at::Tensor logits = at::full({1, 1000}, kMinusInfinity, at::kFloat);
  for (int64_t c = 300; c < 310; ++c) logits.data_ptr<float>()[c] = 1.0f;
  const Draw draws[] = {{0, 0.0}, {0, 0.55}, {0, 1.0 - 0x1.0p-53}};
  CHECK(DrawColumns(logits, 1.0, draws).value() == std::vector<int32_t>{300, 305, 309});
}

TEST_CASE("a mask leaves the distribution of what it allows") {
  const at::Tensor logits = RandomLogits(1, 1000, 3.0);
  at::Tensor mask = at::full({1000}, kMinusInfinity, at::kFloat);
  std::vector<int64_t> allowed;
  at::Tensor picked = at::zeros({1, 10}, at::kFloat);
  for (int64_t i = 0; i < 10; ++i) {
    allowed.push_back(97 * i + 5);
    mask.data_ptr<float>()[allowed.back()] = 0.0f;
    picked.data_ptr<float>()[i] = logits.const_data_ptr<float>()[allowed.back()];
  }
  for (int i = 0; i < 200; ++i) {
    const double uniform = (i + 0.5) / 200;
    const auto masked = SampleTokens(logits, 1.0, {&uniform, 1}, mask);
    const Draw draw{0, uniform};
    const auto column = DrawColumns(picked, 1.0, {&draw, 1});
    REQUIRE(masked.ok());
    REQUIRE(column.ok());
    CHECK((*masked)[0] == allowed[(*column)[0]]);
  }
  const double half = 0.5;
  CHECK(SampleTokens(logits, 1.0, {&half, 1}, at::full({1000}, kMinusInfinity, at::kFloat)).value()[0] == -1);
}

TEST_CASE("a row's numbers depend neither on the other rows nor on the threads") {
  const at::Tensor logits = RandomLogits(37, 20000, 8.0);
  std::vector<int32_t> ids;
  std::vector<Draw> draws;
  for (int64_t r = 0; r < 37; ++r) {
    ids.push_back(static_cast<int32_t>(r * 500));
    draws.push_back({r, 0.3});
  }
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  const auto log_p = LogProbabilities(logits, ids);
  const auto drawn = DrawColumns(logits, 1.0, draws);
  at::set_num_threads(1);
  const auto alone = LogProbabilities(logits, ids);
  CHECK(*log_p == *alone);
  for (int64_t r = 0; r < 37; ++r) {
    const at::Tensor row = logits.narrow(0, r, 1);
    const Draw draw{0, 0.3};
    CHECK((*LogProbabilities(row, {&ids[r], 1}))[0] == (*log_p)[r]);
    CHECK((*DrawColumns(row, 1.0, {&draw, 1}))[0] == (*drawn)[r]);
  }
  at::set_num_threads(threads);
}

TEST_CASE("rows that are not finite are errors, wherever the bad number stands") {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity}) {
    for (const int64_t at : {0, 1, 127, 128, 400, 999}) {
      CAPTURE(bad);
      CAPTURE(at);
      at::Tensor logits = RandomLogits(2, 1000, 1.0);
      logits.data_ptr<float>()[1000 + at] = bad;
      const int32_t ids[] = {0, 0};
      const double uniforms[] = {0.5, 0.5};
      const Draw draws[] = {{0, 0.5}, {1, 0.5}};
      CHECK(absl::IsInternal(LogProbabilities(logits, ids).status()));
      CHECK(absl::IsInternal(SummedProbabilities(logits, ids).status()));
      CHECK(absl::IsInternal(SampleTokens(logits, 1.0, uniforms, {}).status()));
      CHECK(absl::IsInternal(DrawColumns(logits, 1.0, draws).status()));
      CHECK(DrawColumns(logits, 1.0, {draws, 1}).ok());
      CHECK(absl::IsInternal(MostLikely({logits.const_data_ptr<float>() + 1000, 1000}).status()));
      // NaN behind columns that are all -inf.
      at::Tensor low = at::full({1, 1000}, kMinusInfinity, at::kFloat);
      low.data_ptr<float>()[at] = bad;
      CHECK(absl::IsInternal(DrawColumns(low, 1.0, {draws, 1}).status()));
    }
  }
  const at::Tensor nothing = at::full({1, 300}, kMinusInfinity, at::kFloat);
  const int32_t id = 0;
  const double half = 0.5;
  const Draw draw{0, 0.5};
  CHECK(absl::IsInternal(LogProbabilities(nothing, {&id, 1}).status()));
  CHECK(absl::IsInternal(SampleTokens(nothing, 1.0, {&half, 1}, {}).status()));
  CHECK(DrawColumns(nothing, 1.0, {&draw, 1}).value()[0] == -1);
  CHECK(absl::IsInternal(MostLikely({nothing.const_data_ptr<float>(), 300}).status()));
  CHECK(absl::IsInternal(MostLikely({}).status()));
}

TEST_CASE("the most likely token is the first of the largest") {
  std::vector<float> logits(1001, -1.0f);
  logits[400] = logits[401] = logits[1000] = 2.0f;
  CHECK(MostLikely(logits).value() == 400);
  logits[1000] = 2.5f;
  CHECK(MostLikely(logits).value() == 1000);
  const std::vector<int32_t> ids = {400, 7};
  CHECK_FALSE(AnyAmongTop(logits, ids, 1));
  CHECK(AnyAmongTop(logits, ids, 2));
}

TEST_CASE("a summed probability is exact above the floor, and never claimed to be above it otherwise") {
  const std::vector<int32_t> ids = {3, 500};
  for (const double spread : {0.01, 3.0, 30.0}) {
    const at::Tensor logits = RandomLogits(1, 1013, spread);
    const std::span<const float> row(logits.const_data_ptr<float>(), 1013);
    const std::vector<double> p = Reference(logits, 0, 1.0);
    const double exact = p[3] + p[500];
    for (const double floor : {-1.0, 0.0, exact / 2, exact * 0.999, exact * 1.001, 0.5, 2.0}) {
      CAPTURE(floor);
      const double found = *SummedProbabilityAbove(row, ids, floor);
      if (floor < exact) {
        CHECK(found == doctest::Approx(exact).epsilon(1e-5));
      } else {
        CHECK(found <= floor);
      }
    }
  }
  std::vector<float> row = {0.0f, std::nanf(""), 1.0f};
  const std::vector<int32_t> id = {2};
  CHECK(absl::IsInternal(SummedProbabilityAbove(row, id, -1.0).status()));
  row[1] = kMinusInfinity;
  CHECK(*SummedProbabilityAbove(row, id, -1.0) == doctest::Approx(1.0 / (1.0 + std::exp(-1.0))));
}

}  // namespace
}  // namespace toolformer::token_sampler_test
