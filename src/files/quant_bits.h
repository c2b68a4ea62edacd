// How the converters of quantization.h load what a block stores.
#ifndef TOOLFORMER_SRC_FILES_QUANT_BITS_H_
#define TOOLFORMER_SRC_FILES_QUANT_BITS_H_

#include <bit>
#include <cstdint>
#include <cstring>

namespace toolformer {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and read as they are");

inline constexpr size_t kSuperBlock = 256;  // elements of the types whose scales are quantised too

template <typename T>
inline T Load(const uint8_t* bytes) {
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

// The lower or the upper half of a byte.
inline int Nibble(uint8_t byte, size_t which) { return which == 0 ? byte & 15 : byte >> 4; }

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_QUANT_BITS_H_
