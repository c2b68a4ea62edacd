// How a model family says what its transformer is and how its tensors are called. See docs/adding-a-model.md.
#ifndef TOOLFORMER_SRC_MODEL_FAMILY_H_
#define TOOLFORMER_SRC_MODEL_FAMILY_H_

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/config_reader.h"
#include "src/model/spec.h"

namespace toolformer {

// A number or flag of config.json that is said otherwise in the spec.
struct Converted {
  enum class Kind { kFlag, kNumber };
  double (*get)(const TransformerSpec& spec);
  void (*set)(double value, TransformerSpec* spec);
  Kind kind = Kind::kFlag;
};

// A number or flag of config.json and the member of the spec that it is; the same table reads and writes. null in the
// file is zero in the spec, which stands for "none" or "as usual".
struct Field {
  std::string_view name;
  std::variant<int64_t TransformerSpec::*, double TransformerSpec::*, bool TransformerSpec::*, Converted> member;
  std::optional<double> fallback = std::nullopt;  // where the file does not say; none: the field is required
  std::string_view alias = "";                    // a second name, read where the first is absent
};

// For query_pre_attn_scalar: the square root of which divides the scores.
inline constexpr Converted kScoreDivisor = {
    [](const TransformerSpec& spec) { return 1.0 / (spec.attention_scale * spec.attention_scale); },
    [](double value, TransformerSpec* spec) { spec->attention_scale = value > 0 ? 1.0 / std::sqrt(value) : 0.0; },
    Converted::Kind::kNumber};

// Roles of tensors in the one transformer.
enum class Role {
  kEmbedding,
  kEmbeddingIn,   // from the embedding's width to the hidden size
  kEmbeddingOut,  // and back
  kEmbeddingNorm,
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
  kUp,  // of a gated MLP without kGate: gate and up in one tensor
  kDown,
  kPostMlpNorm,
};

// The file's name of a role, without ".weight" and ".bias"; "{}" stands for the layer.
struct NameRule {
  Role role;
  std::string_view name;
};

enum class FusedOrder {
  kStacked,  // rows of all queries, all keys, all values
  kByHead,   // for each head its query, key and value
};

// Ways in which a file's tensors differ from ours.
struct TensorLayout {
  bool transposed_linears = false;  // stored [in, out]
  bool rotary_neighbours = false;   // rotary pairs are neighbours (2j, 2j + 1) and not half the dimensions apart
  FusedOrder fused = FusedOrder::kStacked;
  double norm_weight_offset = 0.0;   // what to add to a stored norm weight
  std::string_view optional_prefix;  // may be missing from the names in the file
};

// Where config.json keeps the settings of a rotary table: the object of transformers 5 and the older fields.
struct RotaryFields {
  std::string_view place = "rope_parameters";
  std::string_view theta = "rope_theta";
  double default_theta = 10000.0;
  std::string_view fraction = "partial_rotary_factor";  // of the head that is rotated
  double default_fraction = 1.0;
  std::string_view scaling = "rope_scaling";  // empty: this table was never scaled
};

// A flag that changes the computation in a way that is not supported: the only value that is.
struct RequiredFlag {
  std::string_view name;
  bool value;
};

struct GgufFamily {
  std::string_view architecture;  // empty: there are no GGUF files of the family
  bool rotary_neighbours = false;
  // What the metadata does not say or says in a way of its own; may be null.
  absl::Status (*finish)(const ConfigReader& config, TransformerSpec* spec) = nullptr;
};

struct Family {
  std::string_view name;
  std::vector<std::string_view> architectures;  // of config.json; the first is written
  std::string_view model_type;                  // of config.json

  TransformerSpec base;  // what all its models have in common
  std::vector<Field> fields;
  std::string_view activation_field;  // empty: base.activation always
  std::string_view default_activation;
  std::vector<RequiredFlag> required_flags;
  std::vector<RotaryFields> rotary;  // one a table; where base.position is kRotary
  // Layers that see no further than the field sliding_window, where layer_types does not say which; null: none.
  bool (*slides)(int64_t layer) = nullptr;
  // What a table cannot say; may be null. `config` is config.json.
  absl::Status (*finish)(const ConfigReader& config, TransformerSpec* spec) = nullptr;
  // What follows from the other numbers, whatever file they came from; may be null.
  void (*derive)(TransformerSpec* spec) = nullptr;

  std::vector<NameRule> names;
  TensorLayout layout;
  GgufFamily gguf;
};

// Every family: the files in src/model/families/.
std::span<const Family> Families();

// One kind of file of a family.
struct FamilyFile {
  const Family* family = nullptr;
  std::span<const NameRule> names;
  TensorLayout layout;
};

// kUnimplemented lists the architectures that are supported.
absl::StatusOr<FamilyFile> FindHuggingFaceFamily(const std::string& where, const nlohmann::json& config);
absl::StatusOr<FamilyFile> FindGgufFamily(const std::string& where, std::string_view architecture);

// The spec of a checkpoint, without CompleteSpec.
absl::StatusOr<TransformerSpec> ReadHuggingFaceSpec(const Family& family, const ConfigReader& config);
absl::StatusOr<TransformerSpec> ReadGgufSpec(const Family& family, const ConfigReader& config);

// A config.json from which ReadHuggingFaceSpec, and transformers, get the same spec: of any that ReadGgufSpec gives.
nlohmann::json WriteHuggingFaceConfig(const Family& family, const TransformerSpec& spec);

// The fields of Llama, which most families of its kind share; `more` is appended, and replaces fields of its names.
std::vector<Field> LlamaFields(const std::vector<Field>& more);
// The names of Llama's tensors; `more` is appended, and replaces the names of its roles.
std::vector<NameRule> LlamaNames(const std::vector<NameRule>& more);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_FAMILY_H_
