// Reproducible randomness: streams named by seeds, equal on every machine.
#ifndef TOOLFORMER_SRC_BASE_RANDOM_H_
#define TOOLFORMER_SRC_BASE_RANDOM_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace toolformer {

// Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), the finaliser of SplitMix64.
constexpr uint64_t MixBits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// One seed of several values; order counts.
constexpr uint64_t CombineSeeds(std::initializer_list<uint64_t> values) {
  uint64_t state = 0x9e3779b97f4a7c15ull;
  for (const uint64_t value : values) state = MixBits(state + 0x9e3779b97f4a7c15ull + MixBits(value));
  return state;
}

// FNV-1a, finalised. For seeds and fingerprints, not against an adversary.
constexpr uint64_t HashBytes(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return MixBits(hash);
}

// SplitMix64.
class RandomStream {
 public:
  explicit RandomStream(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return MixBits(state_ += 0x9e3779b97f4a7c15ull); }
  // In [0, 1), 53 bits.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_RANDOM_H_
