// Expected numbers: SplitMix64 and FNV-1a as published, the rest by a Python program written from the definitions.
#include "src/base/random.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <string>

namespace toolformer::random_test {
namespace {

TEST_CASE("RandomStream is SplitMix64") {
  RandomStream stream(1234567);
  CHECK_EQ(stream.Next(), 6457827717110365317ull);
  CHECK_EQ(stream.Next(), 3203168211198807973ull);
  CHECK_EQ(stream.Next(), 9817491932198370423ull);
}

TEST_CASE("Uniform: the upper 53 bits, in [0, 1), even") {
  RandomStream stream(1234567);
  CHECK_EQ(stream.Uniform(), 3153236189995295.0 / 9007199254740992.0);
  size_t bins[10] = {};
  bool inside = true;
  for (int i = 0; i < 100000; ++i) {
    const double value = stream.Uniform();
    inside = inside && value >= 0 && value < 1;
    if (inside) ++bins[static_cast<size_t>(value * 10)];
  }
  CHECK(inside);
  for (const size_t count : bins) {  // six standard deviations
    CHECK_GT(count, 9430);
    CHECK_LT(count, 10570);
  }
}

TEST_CASE("HashBytes is FNV-1a, mixed") {
  CHECK_EQ(HashBytes(""), 0xf52a15e9a9b5e89bull);
  CHECK_EQ(HashBytes("foobar"), 0x404da9e3b74078c2ull);
  CHECK_EQ(HashBytes("a"), MixBits(0xaf63dc4c8601ec8cull));
  CHECK_NE(HashBytes(std::string_view("\0", 1)), HashBytes(""));
  CHECK_NE(HashBytes("\xff"), HashBytes("\x7f"));
}

TEST_CASE("CombineSeeds: order and number count") {
  CHECK_EQ(CombineSeeds({1, 2}), 0xd882cdb6904a6b55ull);
  CHECK_EQ(CombineSeeds({2, 1}), 0x531cbdedc79eceb9ull);
  std::set<uint64_t> seeds = {CombineSeeds({}), CombineSeeds({0}), CombineSeeds({0, 0}), CombineSeeds({0, 0, 0})};
  for (uint64_t a = 0; a < 30; ++a) {
    for (uint64_t b = 1; b < 30; ++b) seeds.insert(CombineSeeds({a, b}));
  }
  CHECK_EQ(seeds.size(), 4 + 30 * 29);
}

TEST_CASE("MixBits loses nothing") {
  CHECK_EQ(MixBits(0), 0);
  std::set<uint64_t> mixed;
  for (uint64_t i = 0; i < 64; ++i) mixed.insert(MixBits(uint64_t{1} << i));
  CHECK_EQ(mixed.size(), 64);
}

}  // namespace
}  // namespace toolformer::random_test
