// What distinguishes one decoder-only transformer from another.
#ifndef TOOLFORMER_SRC_MODEL_SPEC_H_
#define TOOLFORMER_SRC_MODEL_SPEC_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "src/model/rotary.h"

namespace toolformer {

enum class NormKind { kRms, kLayer };

// Where the norms of a block stand; f is its attention or its MLP.
enum class NormPlace {
  kBefore,          // x + f(norm(x))
  kAfterSum,        // norm(x + f(x))
  kBranch,          // x + norm(f(x))
  kSandwich,        // x + norm(f(norm(x)))
  kNormedResidual,  // n + f(n), n = norm(x)
};

enum class QueryKeyNorm {
  kNone,
  kHead,      // each head by itself
  kAllHeads,  // the whole projection
};

enum class PositionKind { kRotary, kLearned, kAlibi };
enum class Activation { kSilu, kGeluTanh, kGelu, kRelu };

inline constexpr int64_t kNoRotary = -1;

// How a layer sees the past.
struct LayerSpec {
  int64_t window = 0;         // keys a query may see, itself included; 0: all
  int64_t rotary_table = 0;   // index into TransformerSpec::rotary, or kNoRotary
  double score_factor = 1.0;  // besides TransformerSpec::attention_scale
};

// Zeros of the sizes marked "0:" are filled in by CompleteSpec.
struct TransformerSpec {
  std::string family;
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;    // 0: as many as heads
  int64_t head_dim = 0;    // 0: hidden / heads
  int64_t mlp_hidden = 0;  // 0: 4 hidden
  int64_t vocab_size = 0;
  int64_t context_length = 0;

  NormKind norm = NormKind::kRms;
  NormPlace norm_place = NormPlace::kBefore;
  double norm_epsilon = 1e-5;
  bool final_norm = true;
  bool norm_parameters = true;     // norms have weights (and biases)
  bool parallel_residual = false;  // x + attention(norm(x)) + mlp(norm(x))
  QueryKeyNorm query_key_norm = QueryKeyNorm::kNone;

  PositionKind position = PositionKind::kRotary;
  int64_t position_offset = 0;  // of the first row of a learned position table that is used
  std::vector<RotarySpec> rotary;
  std::vector<LayerSpec> layer;  // one each; empty: all alike

  double attention_scale = 0.0;     // 0: 1 / sqrt(head_dim)
  double attention_soft_cap = 0.0;  // scores become cap tanh(score / cap); 0: not
  double logit_soft_cap = 0.0;

  double embedding_scale = 1.0;
  int64_t embedding_width = 0;  // 0: hidden; else projections lead from it and back to it
  bool embedding_norm = false;
  bool tied_output = false;
  bool output_bias = false;

  Activation activation = Activation::kSilu;
  bool gated_mlp = true;
  bool qkv_bias = false;
  bool attention_out_bias = false;
  bool mlp_bias = false;
};

// Fills in what follows from the rest. `where` names the file. Checks that the numbers fit together and are within what
// this library serves.
absl::Status CompleteSpec(const std::string& where, TransformerSpec* spec);

// Slopes of the attention biases of ALiBi (Press, Smith, Lewis, 2022), one a head; empty for models without them.
std::vector<float> AlibiSlopes(const TransformerSpec& spec);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_SPEC_H_
