// Arithmetic on sizes that a file states: nothing wraps silently.
#ifndef TOOLFORMER_SRC_BASE_CHECKED_H_
#define TOOLFORMER_SRC_BASE_CHECKED_H_

#include <cstdint>
#include <optional>

namespace toolformer {

inline std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b) {
  uint64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline std::optional<uint64_t> CheckedMul(uint64_t a, uint64_t b) {
  uint64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_CHECKED_H_
