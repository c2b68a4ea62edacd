#include "src/model/family.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

template <typename T, typename Key>
std::vector<T> Replaced(std::vector<T> usual, const std::vector<T>& more, Key T::*key) {
  std::erase_if(usual, [&](const T& old) {
    return std::any_of(more.begin(), more.end(), [&](const T& changed) { return changed.*key == old.*key; });
  });
  usual.insert(usual.end(), more.begin(), more.end());
  return usual;
}

}  // namespace

absl::StatusOr<FamilyFile> FindHuggingFaceFamily(const std::string& where, const nlohmann::json& config) {
  const auto file = [](const Family& family) { return FamilyFile{&family, family.names, family.layout}; };
  const auto architectures = config.find("architectures"), model_type = config.find("model_type");
  const bool listed = architectures != config.end() && !architectures->is_null();
  if (listed && (!architectures->is_array() || architectures->empty() || !architectures->front().is_string())) {
    return InvalidArgument("{}: field 'architectures' is not a list of names", where);
  }
  if (!listed && (model_type == config.end() || !model_type->is_string())) {
    return InvalidArgument("{}: field 'architectures' is missing", where);
  }
  const std::string wanted = listed ? architectures->front().get<std::string>() : model_type->get<std::string>();
  std::string supported;
  for (const Family& family : Families()) {
    for (const std::string_view architecture : family.architectures) {
      if (listed && wanted == architecture) return file(family);
      supported += (supported.empty() ? "" : ", ") + std::string(architecture);
    }
    if (!listed && wanted == family.model_type) return file(family);
  }
  return Unimplemented("{}: architecture '{}' is not supported; supported: {}", where, wanted, supported);
}

std::vector<Field> LlamaFields(const std::vector<Field>& more) {
  using Spec = TransformerSpec;
  std::vector<Field> fields = {
      {"num_hidden_layers", &Spec::layers},
      {"hidden_size", &Spec::hidden},
      {"num_attention_heads", &Spec::heads},
      {"num_key_value_heads", &Spec::kv_heads, 0},
      {"head_dim", &Spec::head_dim, 0},
      {"intermediate_size", &Spec::mlp_hidden},
      {"vocab_size", &Spec::vocab_size},
      {"max_position_embeddings", &Spec::context_length, 2048},
      {"rms_norm_eps", &Spec::norm_epsilon, 1e-6},
      {"tie_word_embeddings", &Spec::tied_output, false},
  };
  return Replaced(std::move(fields), more, &Field::name);
}

std::vector<NameRule> LlamaNames(const std::vector<NameRule>& more) {
  std::vector<NameRule> names = {
      {Role::kEmbedding, "model.embed_tokens"},
      {Role::kFinalNorm, "model.norm"},
      {Role::kOutput, "lm_head"},
      {Role::kAttentionNorm, "model.layers.{}.input_layernorm"},
      {Role::kQuery, "model.layers.{}.self_attn.q_proj"},
      {Role::kKey, "model.layers.{}.self_attn.k_proj"},
      {Role::kValue, "model.layers.{}.self_attn.v_proj"},
      {Role::kAttentionOut, "model.layers.{}.self_attn.o_proj"},
      {Role::kMlpNorm, "model.layers.{}.post_attention_layernorm"},
      {Role::kGate, "model.layers.{}.mlp.gate_proj"},
      {Role::kUp, "model.layers.{}.mlp.up_proj"},
      {Role::kDown, "model.layers.{}.mlp.down_proj"},
  };
  return Replaced(std::move(names), more, &NameRule::role);
}

}  // namespace toolformer
