#include "src/files/quantization.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace toolformer::quantization_test {
namespace {

// By the definition of the format: sign, 5 bits of exponent, 10 of fraction.
float HalfByDefinition(uint32_t half) {
  const int exponent = static_cast<int>(half >> 10 & 31);
  const double fraction = half & 1023;
  double value;
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(1024 + fraction, exponent - 25);
  }
  return static_cast<float>(half & 0x8000 ? -value : value);
}

TEST_CASE("f16: all 65536 of them, at an odd address") {
  std::vector<uint8_t> bytes(1 + 2 * 65536);
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto half = static_cast<uint16_t>(i);
    std::memcpy(bytes.data() + 1 + 2 * i, &half, 2);
  }
  std::vector<float> values(65536);
  ConvertF16(bytes.data() + 1, values.size(), values.data());
  int wrong = 0;
  for (uint32_t i = 0; i < 65536; ++i) {
    const float wanted = HalfByDefinition(i);
    const bool equal = std::isnan(wanted) ? std::isnan(values[i])
                                          : std::bit_cast<uint32_t>(values[i]) == std::bit_cast<uint32_t>(wanted);
    if (!equal) ++wrong;
  }
  CHECK_EQ(wrong, 0);
}

TEST_CASE("bf16: all 65536 of them are the upper halves of f32") {
  std::vector<uint16_t> stored(65536);
  for (uint32_t i = 0; i < 65536; ++i) stored[i] = static_cast<uint16_t>(i);
  std::vector<float> values(65536);
  ConvertBf16(reinterpret_cast<const uint8_t*>(stored.data()), values.size(), values.data());
  std::vector<uint16_t> halves(2 * 65536);
  std::memcpy(halves.data(), values.data(), 4 * values.size());
  int wrong = 0;
  for (uint32_t i = 0; i < 65536; ++i) {
    if (halves[2 * i] != 0 || halves[2 * i + 1] != i) ++wrong;
  }
  CHECK_EQ(wrong, 0);
}

TEST_CASE("f64 is rounded to the nearest f32") {
  const double stored[] = {1.0 / 3, 1e300, -1e-300, 16777217};
  float values[4];
  ConvertF64(reinterpret_cast<const uint8_t*>(stored), 4, values);
  CHECK_EQ(values[0], 0x1.555556p-2f);
  CHECK_EQ(values[1], std::numeric_limits<float>::infinity());
  CHECK_EQ(values[2], 0.0f);
  CHECK_EQ(values[3], 16777216.0f);
}

TEST_CASE("rounding to bf16: nearest, ties to even; a NaN stays a quiet NaN of its sign") {
  const std::pair<uint32_t, uint16_t> rows[] = {
      {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82}, {0x3f817fff, 0x3f81},
      {0xbf808000, 0xbf80}, {0xbf818000, 0xbf82}, {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x00008000, 0x0000},
      {0x00008001, 0x0001}, {0x00018000, 0x0002}, {0x7f7f7fff, 0x7f7f}, {0x7f7f8000, 0x7f80}, {0x7f800000, 0x7f80},
      {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xff80ffff, 0xffc0}, {0x7fffffff, 0x7fff}, {0xffc00000, 0xffc0},
  };
  for (const auto& [bits, wanted] : rows) {
    const float value = std::bit_cast<float>(bits);
    uint16_t rounded;
    RoundToBf16({&value, 1}, &rounded);
    CAPTURE(bits);
    CHECK_EQ(rounded, wanted);
  }
}

}  // namespace
}  // namespace toolformer::quantization_test
