// Quantised types whose values come from lists: of sixteen numbers (IQ4), or of grids of four or eight numbers each.
#include "src/files/quant_bits.h"
#include "src/files/quant_grids.h"
#include "src/files/quantization.h"

namespace toolformer {
namespace {

constexpr int8_t kNonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr float kGrid2Values[4] = {8, 25, 43, 0};  // the fourth does not occur
constexpr float kGrid3XxsValues[8] = {4, 12, 20, 28, 36, 44, 52, 62};

// Seven signs are stored; the eighth makes the number of minuses even.
uint8_t EightSigns(uint32_t seven) {
  return static_cast<uint8_t>(seven | static_cast<uint32_t>(std::popcount(seven) & 1) << 7);
}

float Signed(float value, uint8_t signs, size_t bit) { return value * ((signs >> bit & 1) != 0 ? -1.0f : 1.0f); }

void Put2(float scale, uint16_t row, uint8_t signs, float* out) {
  for (size_t i = 0; i < 8; ++i) out[i] = Signed(scale * kGrid2Values[row >> (2 * i) & 3], signs, i);
}

// Two rows of four.
void Put3Xxs(float scale, const uint8_t* rows, uint8_t signs, float* out) {
  for (size_t i = 0; i < 8; ++i) {
    out[i] = Signed(scale * kGrid3XxsValues[kGridIq3Xxs[rows[i / 4]] >> (4 * (i % 4)) & 7], signs, i);
  }
}

// Eight of -1, 0 and 1, shifted by an eighth.
void Put1(float scale, uint16_t row, bool down, float* out) {
  const float delta = down ? -0.125f : 0.125f;
  for (size_t i = 0; i < 8; ++i) out[i] = scale * (static_cast<float>((row >> (2 * i) & 3) - 1) + delta);
}

float QuarterScale(float d, int scale) { return d * (0.5f + static_cast<float>(scale)) * 0.25f; }

}  // namespace

void ConvertIq2Xxs(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 66, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    for (size_t part = 0; part < 8; ++part) {  // 32 elements with one scale
      const uint8_t* rows = blocks + 2 + 8 * part;
      const uint32_t rest = Load<uint32_t>(rows + 4);
      const float scale = QuarterScale(d, static_cast<int>(rest >> 28));
      for (size_t i = 0; i < 4; ++i) {
        Put2(scale, kGridIq2Xxs[rows[i]], EightSigns(rest >> (7 * i) & 127), out + 32 * part + 8 * i);
      }
    }
  }
}

void ConvertIq2Xs(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 74, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    for (size_t i = 0; i < 32; ++i) {
      const uint16_t stored = Load<uint16_t>(blocks + 2 + 2 * i);
      const float scale = QuarterScale(d, Nibble(blocks[66 + i / 4], i / 2 % 2));
      Put2(scale, kGridIq2Xs[stored & 511], EightSigns(stored >> 9), out + 8 * i);
    }
  }
}

void ConvertIq2S(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 82, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    const uint8_t *rows = blocks + 2, *signs = blocks + 34, *high = blocks + 66, *scales = blocks + 74;
    for (size_t i = 0; i < 32; ++i) {
      const size_t row = rows[i] | (high[i / 4] >> (2 * (i % 4)) & 3u) << 8;
      Put2(QuarterScale(d, Nibble(scales[i / 4], i / 2 % 2)), kGridIq2S[row], signs[i], out + 8 * i);
    }
  }
}

void ConvertIq3Xxs(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 98, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    for (size_t part = 0; part < 8; ++part) {
      const uint32_t rest = Load<uint32_t>(blocks + 66 + 4 * part);
      const float scale = d * (0.5f + static_cast<float>(rest >> 28)) * 0.5f;
      for (size_t i = 0; i < 4; ++i) {
        Put3Xxs(scale, blocks + 2 + 8 * part + 2 * i, EightSigns(rest >> (7 * i) & 127), out + 32 * part + 8 * i);
      }
    }
  }
}

void ConvertIq3S(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 110, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    const uint8_t *rows = blocks + 2, *high = blocks + 66, *signs = blocks + 74, *scales = blocks + 106;
    for (size_t i = 0; i < 64; ++i) {  // four elements each
      const float scale = d * static_cast<float>(1 + 2 * Nibble(scales[i / 16], i / 8 % 2));
      const uint16_t row = kGridIq3S[rows[i] | (high[i / 8] >> (i % 8) & 1u) << 8];
      for (size_t e = 0; e < 4; ++e) {
        const float value = static_cast<float>((row >> (4 * e) & 7) * 2 + 1);
        out[4 * i + e] = Signed(scale * value, signs[i / 2], 4 * (i % 2) + e);
      }
    }
  }
}

void ConvertIq1S(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 50, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    for (size_t part = 0; part < 8; ++part) {
      const uint32_t rest = Load<uint16_t>(blocks + 34 + 2 * part);
      const float scale = d * static_cast<float>(2 * (rest >> 12 & 7) + 1);
      for (size_t i = 0; i < 4; ++i) {
        const size_t row = blocks[2 + 4 * part + i] | (rest >> (3 * i) & 7) << 8;
        Put1(scale, kGridIq1[row], (rest & 0x8000) != 0, out + 32 * part + 8 * i);
      }
    }
  }
}

void ConvertIq1M(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 56, out += kSuperBlock) {
    const uint8_t *rows = blocks, *high = blocks + 32, *scales = blocks + 48;
    uint32_t half = 0;  // the scale of all is in the upper four bits of the four words
    for (size_t i = 0; i < 4; ++i) half |= (Load<uint16_t>(scales + 2 * i) & 0xf000u) >> (12 - 4 * i);
    const float d = F16ToF32(static_cast<uint16_t>(half));
    for (size_t i = 0; i < 32; ++i) {
      const size_t part = i / 2;  // 16 elements with one scale
      const uint32_t stored = Load<uint16_t>(scales + 2 * (part / 4)) >> (3 * (part % 4)) & 7u;
      const auto bits = static_cast<uint32_t>(Nibble(high[i / 2], i % 2));
      Put1(d * static_cast<float>(2 * stored + 1), kGridIq1[rows[i] | (bits & 7) << 8], (bits & 8) != 0, out + 8 * i);
    }
  }
}

void ConvertIq4Nl(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 18, out += 32) {
    const float d = LoadF16(blocks);
    for (size_t i = 0; i < 32; ++i) out[i] = d * static_cast<float>(kNonlinear[Nibble(blocks[2 + i % 16], i / 16)]);
  }
}

void ConvertIq4Xs(const uint8_t* blocks, size_t count, float* out) {
  for (; count > 0; --count, blocks += 136, out += kSuperBlock) {
    const float d = LoadF16(blocks);
    const uint32_t high = Load<uint16_t>(blocks + 2);
    for (size_t part = 0; part < 8; ++part) {
      const int stored = Nibble(blocks[4 + part / 2], part % 2) | static_cast<int>(high >> (2 * part) & 3) << 4;
      const float scale = d * static_cast<float>(stored - 32);
      const uint8_t* quants = blocks + 8 + 16 * part;
      for (size_t i = 0; i < 32; ++i) {
        out[32 * part + i] = scale * static_cast<float>(kNonlinear[Nibble(quants[i % 16], i / 16)]);
      }
    }
  }
}

}  // namespace toolformer
