// Quantised types of 256 elements a block whose values lie on a line: those called K, and the ternary ones.
#include "src/files/quant_bits.h"
#include "src/files/quantization.h"

namespace toolformer {
namespace {

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

void ConvertQ2_K(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 84, out += kSuperBlock) {
    const float d = LoadF16(blocks + 80), d_minimum = LoadF16(blocks + 82);
    for (size_t part = 0; part < 16; ++part) {  // 16 elements with one scale and minimum
      const uint8_t* quants = blocks + 16 + 32 * (part / 8) + 16 * (part % 2);
      const size_t shift = part / 2 % 4 * 2;
      const float scale = d * static_cast<float>(blocks[part] & 15);
      const float minimum = d_minimum * static_cast<float>(blocks[part] >> 4);
      for (size_t i = 0; i < 16; ++i) {
        out[16 * part + i] = scale * static_cast<float>(quants[i] >> shift & 3) - minimum;
      }
    }
  }
}

void ConvertQ3_K(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 110, out += kSuperBlock) {
    const uint8_t* scales = blocks + 96;
    const float d = LoadF16(blocks + 108);
    for (size_t part = 0; part < 16; ++part) {
      const size_t begin = 16 * (part % 2);
      const uint8_t* low = blocks + 32 + 32 * (part / 8) + begin;
      const uint8_t* high = blocks + begin;  // bit part / 2
      const size_t shift = part / 2 % 4 * 2;
      const int stored = Nibble(scales[part % 8], part / 8) | (scales[8 + part % 4] >> (part / 4 * 2) & 3) << 4;
      const float scale = d * static_cast<float>(stored - 32);
      for (size_t i = 0; i < 16; ++i) {
        const int quant = (low[i] >> shift & 3) - ((high[i] >> (part / 2) & 1) != 0 ? 0 : 4);
        out[16 * part + i] = scale * static_cast<float>(quant);
      }
    }
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

void ConvertTq1_0(const uint8_t* blocks, size_t count, float* out) {
  constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};
  // Five (at last four) digits of base three in a byte, as a fraction of 256: multiplying by three brings the next up.
  const auto digit = [&](uint8_t byte, size_t place) {
    return (static_cast<uint8_t>(byte * kPowers[place]) * 3 >> 8) - 1;
  };
  for (; count > 0; --count, blocks += 54, out += kSuperBlock) {
    const float d = LoadF16(blocks + 52);
    for (size_t i = 0; i < 160; ++i) out[i] = d * static_cast<float>(digit(blocks[i % 32], i / 32));
    for (size_t i = 0; i < 80; ++i) out[160 + i] = d * static_cast<float>(digit(blocks[32 + i % 16], i / 16));
    for (size_t i = 0; i < 16; ++i) out[240 + i] = d * static_cast<float>(digit(blocks[48 + i % 4], i / 4));
  }
}

void ConvertTq2_0(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 66, out += kSuperBlock) {
    const float d = LoadF16(blocks + 64);
    for (size_t i = 0; i < kSuperBlock; ++i) {
      const int quant = blocks[32 * (i / 128) + i % 32] >> (i / 32 % 4 * 2) & 3;
      out[i] = d * static_cast<float>(quant - 1);
    }
  }
}

}  // namespace toolformer
