#include "src/files/quantization.h"

#include <bit>
#include <cstring>

namespace toolformer {
namespace {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and read as they are");

constexpr size_t kBlock = 32;        // elements of Q4_0 ... Q8_0
constexpr size_t kSuperBlock = 256;  // elements of Q4_K ... Q6_K

template <typename T>
T Load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// Without branches, and without arithmetic on f32 subnormals: the host may have them flushed to zero.
inline float F16ToF32(uint16_t half) {
  constexpr uint32_t kExponent = 0x7c00u << 13;
  constexpr uint32_t kRebias = (127u - 15u) << 23;
  const uint32_t shifted = (half & 0x7fffu) << 13;
  const uint32_t exponent = shifted & kExponent;
  const uint32_t normal = shifted + kRebias + (exponent == kExponent ? kRebias : 0u);  // infinity and NaN: 255
  // m * 2^-24 as (1 + m/1024) * 2^-14 - 2^-14.
  const float subnormal =
      std::bit_cast<float>(shifted + kRebias + (1u << 23)) - std::bit_cast<float>(kRebias + (1u << 23));
  const uint32_t magnitude = exponent == 0 ? std::bit_cast<uint32_t>(subnormal) : normal;
  return std::bit_cast<float>(magnitude | (half & 0x8000u) << 16);
}

inline float LoadF16(const uint8_t* bytes) { return F16ToF32(Load<uint16_t>(bytes)); }

// The eight 6-bit scales and minima of Q4_K and Q5_K, packed in 12 bytes.
struct SubScales {
  float scale[8], minimum[8];
};
SubScales UnpackSubScales(const uint8_t* block) {
  const float d = LoadF16(block);
  const float d_minimum = LoadF16(block + 2);
  const uint8_t* packed = block + 4;
  SubScales result;
  for (size_t i = 0; i < 4; ++i) {
    result.scale[i] = d * static_cast<float>(packed[i] & 63);
    result.minimum[i] = d_minimum * static_cast<float>(packed[i + 4] & 63);
    result.scale[i + 4] = d * static_cast<float>((packed[i + 8] & 15) | (packed[i] >> 6) << 4);
    result.minimum[i + 4] = d_minimum * static_cast<float>((packed[i + 8] >> 4) | (packed[i + 4] >> 6) << 4);
  }
  return result;
}

}  // namespace

void ConvertF32(const uint8_t* blocks, size_t count, float* out) { std::memcpy(out, blocks, count * sizeof(float)); }

void ConvertF64(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(Load<double>(blocks + 8 * i));
}

void ConvertF16(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = LoadF16(blocks + 2 * i);
}

void ConvertBf16(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = std::bit_cast<float>(static_cast<uint32_t>(Load<uint16_t>(blocks + 2 * i)) << 16);
  }
}

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

void ConvertQ4_K(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 144, out += kSuperBlock) {
    const SubScales sub = UnpackSubScales(blocks);
    for (size_t pair = 0; pair < 4; ++pair) {
      const uint8_t* quants = blocks + 16 + 32 * pair;
      float* target = out + 64 * pair;
      const float low_scale = sub.scale[2 * pair], high_scale = sub.scale[2 * pair + 1];
      const float low_minimum = sub.minimum[2 * pair], high_minimum = sub.minimum[2 * pair + 1];
      for (size_t i = 0; i < 32; ++i) target[i] = low_scale * static_cast<float>(quants[i] & 15) - low_minimum;
      for (size_t i = 0; i < 32; ++i) target[i + 32] = high_scale * static_cast<float>(quants[i] >> 4) - high_minimum;
    }
  }
}

void ConvertQ5_K(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 176, out += kSuperBlock) {
    const SubScales sub = UnpackSubScales(blocks);
    const uint8_t* fifth_bits = blocks + 16;  // bit b of byte i: element i of sub-block b
    for (size_t part = 0; part < 8; ++part) {
      const uint8_t* quants = blocks + 48 + 32 * (part / 2);
      const int shift = part % 2 == 0 ? 0 : 4;
      const float scale = sub.scale[part], minimum = sub.minimum[part];
      for (size_t i = 0; i < 32; ++i) {
        const int quant = (quants[i] >> shift & 15) | (fifth_bits[i] >> part & 1) << 4;
        out[32 * part + i] = scale * static_cast<float>(quant) - minimum;
      }
    }
  }
}

void ConvertQ6_K(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 210, out += kSuperBlock) {
    const uint8_t* scales = blocks + 192;
    const float d = LoadF16(blocks + 208);
    for (size_t part = 0; part < 16; ++part) {  // 16 elements with one scale
      const size_t half = part / 8, quarter = part / 2 % 4, begin = 16 * (part % 2);
      const uint8_t* low = blocks + 64 * half + 32 * (quarter % 2) + begin;
      const uint8_t* high = blocks + 128 + 32 * half + begin;
      const int low_shift = quarter < 2 ? 0 : 4;
      const int high_shift = static_cast<int>(2 * quarter);
      const float scale = d * static_cast<float>(static_cast<int8_t>(scales[part]));
      for (size_t i = 0; i < 16; ++i) {
        const int quant = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
        out[16 * part + i] = scale * static_cast<float>(quant - 32);
      }
    }
  }
}

}  // namespace toolformer
