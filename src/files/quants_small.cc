// Quantised types of 32 elements a block, with one scale and perhaps a minimum, and those of 4-bit floats.
#include "src/files/quant_bits.h"
#include "src/files/quantization.h"

namespace toolformer {
namespace {

constexpr size_t kBlock = 32;

// What the sixteen 4-bit floats (sign, 2 bits of exponent, 1 of fraction) mean, doubled.
constexpr int8_t kFloat4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// A power of two, 2^(byte - 128): half of what the format says, since kFloat4 doubles.
float HalfOfE8M0(uint8_t byte) {
  return std::bit_cast<float>(byte < 2 ? 0x00200000u << byte : static_cast<uint32_t>(byte - 1) << 23);
}

// Half of a float of 4 bits of exponent and 3 of fraction, whose sign is not looked at.
float HalfOfE4M3(uint8_t byte) {
  if (byte == 0x7f) return 0;
  const int exponent = byte >> 3 & 15;
  const auto fraction = static_cast<float>(byte & 7);
  if (exponent == 0) return fraction * 0x1p-10f;
  return (1.0f + fraction / 8.0f) * std::bit_cast<float>(static_cast<uint32_t>(exponent - 8 + 127) << 23);
}

}  // namespace

void ConvertQ4_0(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 18, out += kBlock) {
    const float d = LoadF16(blocks);
    const uint8_t* quants = blocks + 2;
    for (size_t i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>((quants[i] & 15) - 8);
      out[i + 16] = d * static_cast<float>((quants[i] >> 4) - 8);
    }
  }
}

void ConvertQ4_1(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 20, out += kBlock) {
    const float d = LoadF16(blocks);
    const float minimum = LoadF16(blocks + 2);
    const uint8_t* quants = blocks + 4;
    for (size_t i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>(quants[i] & 15) + minimum;
      out[i + 16] = d * static_cast<float>(quants[i] >> 4) + minimum;
    }
  }
}

void ConvertQ5_0(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 22, out += kBlock) {
    const float d = LoadF16(blocks);
    const uint32_t fifth_bits = Load<uint32_t>(blocks + 2);
    const uint8_t* quants = blocks + 6;
    for (uint32_t i = 0; i < 16; ++i) {
      const int low = static_cast<int>((quants[i] & 15u) | (fifth_bits >> i & 1) << 4);
      const int high = static_cast<int>((quants[i] >> 4) | (fifth_bits >> (i + 16) & 1) << 4);
      out[i] = d * static_cast<float>(low - 16);
      out[i + 16] = d * static_cast<float>(high - 16);
    }
  }
}

void ConvertQ5_1(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 24, out += kBlock) {
    const float d = LoadF16(blocks);
    const float minimum = LoadF16(blocks + 2);
    const uint32_t fifth_bits = Load<uint32_t>(blocks + 4);
    const uint8_t* quants = blocks + 8;
    for (uint32_t i = 0; i < 16; ++i) {
      const int low = static_cast<int>((quants[i] & 15u) | (fifth_bits >> i & 1) << 4);
      const int high = static_cast<int>((quants[i] >> 4) | (fifth_bits >> (i + 16) & 1) << 4);
      out[i] = d * static_cast<float>(low) + minimum;
      out[i + 16] = d * static_cast<float>(high) + minimum;
    }
  }
}

void ConvertQ8_0(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 34, out += kBlock) {
    const float d = LoadF16(blocks);
    const uint8_t* quants = blocks + 2;
    for (size_t i = 0; i < kBlock; ++i) out[i] = static_cast<float>(static_cast<int8_t>(quants[i])) * d;
  }
}

void ConvertMxfp4(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 17, out += kBlock) {
    const float d = HalfOfE8M0(blocks[0]);
    for (size_t i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(kFloat4[Nibble(blocks[1 + i % 16], i / 16)]);
  }
}

void ConvertNvfp4(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 36, out += 64) {
    for (size_t part = 0; part < 4; ++part) {  // 16 elements with one scale
      const float d = HalfOfE4M3(blocks[part]);
      const uint8_t* quants = blocks + 4 + 8 * part;
      for (size_t i = 0; i < 16; ++i) {
        out[16 * part + i] = d * static_cast<float>(kFloat4[Nibble(quants[i % 8], i / 8)]);
      }
    }
  }
}

}  // namespace toolformer
