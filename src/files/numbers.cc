// Types of one number an element.
#include "src/files/quant_bits.h"
#include "src/files/quantization.h"

namespace toolformer {
namespace {

template <typename T>
void ConvertNumbers(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(Load<T>(blocks + sizeof(T) * i));
}

}  // namespace

void ConvertF32(const uint8_t* blocks, size_t count, float* out) { std::memcpy(out, blocks, count * sizeof(float)); }

void ConvertF64(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<double>(blocks, count, out); }

void ConvertF16(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = LoadF16(blocks + 2 * i);
}

void ConvertBf16(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = std::bit_cast<float>(static_cast<uint32_t>(Load<uint16_t>(blocks + 2 * i)) << 16);
  }
}

void RoundToBf16(std::span<const float> values, uint16_t* out) {
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]);
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1);
    out[i] = static_cast<uint16_t>((is_nan ? bits | 0x400000u : rounded) >> 16);
  }
}

void ConvertI8(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<int8_t>(blocks, count, out); }
void ConvertI16(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<int16_t>(blocks, count, out); }
void ConvertI32(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<int32_t>(blocks, count, out); }
void ConvertI64(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<int64_t>(blocks, count, out); }
void ConvertU8(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<uint8_t>(blocks, count, out); }
void ConvertU16(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<uint16_t>(blocks, count, out); }
void ConvertU32(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<uint32_t>(blocks, count, out); }
void ConvertU64(const uint8_t* blocks, size_t count, float* out) { ConvertNumbers<uint64_t>(blocks, count, out); }
void ConvertBool(const uint8_t* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = blocks[i] != 0 ? 1.0f : 0.0f;
}

}  // namespace toolformer
