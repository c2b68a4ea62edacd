// OLMo 2: norms on each branch's output, and on all queries and keys of a token together. Walsh et al. 2024.
#include "src/model/family.h"

namespace toolformer {

Family Olmo2Family() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "olmo2";
  family.architectures = {"Olmo2ForCausalLM"};
  family.model_type = "olmo2";
  family.base.norm_place = NormPlace::kBranch;
  family.base.query_key_norm = QueryKeyNorm::kAllHeads;
  family.fields = LlamaFields({{"rms_norm_eps", &Spec::norm_epsilon, 1e-5},
                               {"attention_bias", &Spec::qkv_bias, false},
                               {"attention_bias", &Spec::attention_out_bias, false}});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{}};
  family.names = LlamaNames({{Role::kPostAttentionNorm, "model.layers.{}.post_attention_layernorm"},
                             {Role::kPostMlpNorm, "model.layers.{}.post_feedforward_layernorm"},
                             {Role::kQueryNorm, "model.layers.{}.self_attn.q_norm"},
                             {Role::kKeyNorm, "model.layers.{}.self_attn.k_norm"}});
  family.gguf.architecture = "olmo2";
  return family;
}

}  // namespace toolformer
