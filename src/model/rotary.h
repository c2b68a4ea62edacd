// Rotary position embeddings: the settings of every kind of scaling, and the frequencies that they give.
#ifndef TOOLFORMER_SRC_MODEL_ROTARY_H_
#define TOOLFORMER_SRC_MODEL_ROTARY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

enum class RotaryScaling {
  kNone,
  kLinear,    // positions divided by `factor`
  kDynamic,   // NTK: the base grows with sequences longer than `original_context`
  kLlama3,    // long wavelengths divided by `factor`, short ones kept
  kYarn,      // Peng et al. 2023, "YaRN"
  kLongRope,  // Ding et al. 2024, "LongRoPE": divisors found by search, one list for short and one for long sequences
};

// "default", "linear", ...: the names of config.json. kUnimplemented names `where` and lists what is supported.
absl::StatusOr<RotaryScaling> ParseRotaryScaling(const std::string& where, std::string_view name);
std::string_view RotaryScalingName(RotaryScaling scaling);

// On which side of RotarySpec::original_context a sequence is.
enum class LengthKind { kShort, kLong };

// angle(position, j) = position * frequencies[j], for pairs (j, j + dims/2) of the first `dims` dimensions of a head.
struct RotarySpec {
  double theta = 10000.0;
  int64_t dims = 0;  // 0: the whole head
  RotaryScaling scaling = RotaryScaling::kNone;
  double factor = 1.0;
  double original_context = 0.0;                      // tokens the frequencies were trained with
  double low_factor = 1.0, high_factor = 4.0;         // kLlama3
  double beta_fast = 32.0, beta_slow = 1.0;           // kYarn
  bool truncate = true;                               // kYarn: whole dimensions as bounds of its ramp
  std::vector<double> short_divisors, long_divisors;  // kLongRope: dims / 2 each
  double magnitude = 1.0;                             // of every cosine and sine

  // Whether frequencies depend on the length of the sequence.
  bool depends_on_length() const { return scaling == RotaryScaling::kDynamic || scaling == RotaryScaling::kLongRope; }
  // Whether all keys of a sequence change when it outgrows `original_context`. (Dynamic scaling changes later keys
  // only, as the implementations that defined it do.)
  bool changes_with_length() const { return scaling == RotaryScaling::kLongRope && short_divisors != long_divisors; }
  LengthKind KindOf(int64_t length) const {
    return static_cast<double>(length) > original_context ? LengthKind::kLong : LengthKind::kShort;
  }
};

absl::Status CheckRotary(const std::string& where, const RotarySpec& spec);

// A token's place in its sequence, and how long that sequence is with all the tokens of the batch.
struct TokenPlace {
  int64_t position, length;
};

// dims / 2 frequencies for a sequence of `length` tokens.
std::vector<double> RotaryFrequencies(const RotarySpec& spec, int64_t length);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_ROTARY_H_
