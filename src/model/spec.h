// What distinguishes one decoder-only transformer from another, and how a model family says it.
#ifndef TOOLFORMER_SRC_MODEL_SPEC_H_
#define TOOLFORMER_SRC_MODEL_SPEC_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/config_reader.h"

namespace toolformer {

enum class NormKind { kRms, kLayer };
enum class PositionKind { kRotary, kLearned };
enum class Activation { kSilu, kGeluTanh };

// How a layer sees the past.
struct LayerSpec {
  int64_t window = 0;        // keys a query may see, itself included; 0: all
  int64_t rotary_table = 0;  // index into TransformerSpec::rotary
};

// Frequencies of a rotary embedding: angle(position, j) = position * inverse_frequencies[j].
struct RotarySpec {
  std::vector<double> inverse_frequencies;
};

struct TransformerSpec {
  std::string family;
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t mlp_hidden = 0;
  int64_t vocab_size = 0;
  int64_t context_length = 0;

  NormKind norm = NormKind::kRms;
  double norm_epsilon = 1e-5;
  double norm_weight_offset = 0.0;  // 1 where the file stores the weight's distance from 1
  bool sandwich_norms = false;      // norms after attention and MLP, before the residual
  bool query_key_norms = false;     // per head, before the rotary embedding

  PositionKind position = PositionKind::kRotary;
  std::vector<RotarySpec> rotary;
  std::vector<LayerSpec> layer;  // one each

  double attention_scale = 0.0;
  double embedding_scale = 1.0;
  Activation activation = Activation::kSilu;
  bool gated_mlp = true;
  bool tied_output = false;
  bool qkv_bias = false;
  bool attention_out_bias = false;
  bool mlp_bias = false;
};

// Roles of tensors in the one transformer. A name rule gives the file's name of a role, without ".weight" and ".bias";
// "{}" stands for the layer.
enum class Role {
  kEmbedding,
  kPositionEmbedding,
  kFinalNorm,
  kOutput,
  kAttentionNorm,
  kQuery,
  kKey,
  kValue,
  kQueryKeyValue,  // one tensor for the three
  kQueryNorm,
  kKeyNorm,
  kAttentionOut,
  kPostAttentionNorm,
  kMlpNorm,
  kGate,
  kUp,
  kDown,
  kPostMlpNorm,
};
struct NameRule {
  Role role;
  std::string_view name;
};

// Ways in which a file's tensors differ from ours.
struct TensorLayout {
  bool transposed_linears = false;          // stored [in, out]
  bool interleaved_query_key_rows = false;  // GGUF of the Llama family: rotary pairs are neighbours
  std::string_view optional_prefix;         // names may or may not start with it
};

// One kind of file of a family: how its architecture is called there, its spec and its tensor names.
struct FamilyFile {
  std::string_view architecture;
  absl::StatusOr<TransformerSpec> (*spec)(const ConfigReader& config);
  std::span<const NameRule> names;
  TensorLayout layout;
};

// Every supported architecture. To add a family: one file that defines its rows, and a line in families.cc.
std::span<const FamilyFile> HuggingFaceFamilies();
std::span<const FamilyFile> GgufFamilies();

// Checks that the numbers fit together and are within what this library serves; `where` names the file.
absl::Status CheckSpec(const TransformerSpec& spec, const std::string& where);

// Fills `layer` with equal layers and `rotary` with theta^(-2j/dim) frequencies.
void SetUniformRotary(TransformerSpec* spec, const std::vector<double>& inverse_frequencies);
std::vector<double> RotaryFrequencies(double theta, int64_t rotary_dim);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_SPEC_H_
