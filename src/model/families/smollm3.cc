// SmolLM3: Llama in which every fourth layer has no position embedding. Hugging Face 2025.
#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

absl::Status LeaveOutRotary(int64_t interval, TransformerSpec* spec) {
  for (size_t i = 0; i < spec->layer.size(); ++i) {
    if (interval > 0 && (i + 1) % interval == 0) spec->layer[i].rotary_table = kNoRotary;
  }
  return absl::OkStatus();
}

absl::Status FinishSmolLm3(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(const auto rotated, config.Reals("no_rope_layers"));  // 1: has one
  TF_ASSIGN_OR_RETURN(const int64_t interval, config.IntegerOr("no_rope_layer_interval", 4));
  if (!rotated) TF_RETURN_IF_ERROR(LeaveOutRotary(interval, spec));
  if (rotated && rotated->size() < spec->layer.size()) {
    return InvalidArgument("{}: field 'no_rope_layers' has {} entries for {} layers", config.where(), rotated->size(),
                           spec->layers);
  }
  for (size_t i = 0; rotated && i < spec->layer.size(); ++i) {
    if ((*rotated)[i] == 0) spec->layer[i].rotary_table = kNoRotary;
  }
  // Where the file does not say which layers slide, it is those without positions.
  TF_ASSIGN_OR_RETURN(const bool slides, config.BooleanOr("use_sliding_window", false));
  TF_ASSIGN_OR_RETURN(const int64_t window, config.IntegerOr("sliding_window", 0));
  for (LayerSpec& layer : spec->layer) {
    if (slides && layer.rotary_table == kNoRotary && !config.Has("layer_types")) layer.window = window;
  }
  return absl::OkStatus();
}

}  // namespace

Family Smollm3Family() {
  using Spec = TransformerSpec;
  Family family;
  family.name = "smollm3";
  family.architectures = {"SmolLM3ForCausalLM"};
  family.model_type = "smollm3";
  family.fields = LlamaFields({{"tie_word_embeddings", &Spec::tied_output, true},
                               {"attention_bias", &Spec::qkv_bias, false},
                               {"attention_bias", &Spec::attention_out_bias, false},
                               {"mlp_bias", &Spec::mlp_bias, false}});
  family.activation_field = "hidden_act";
  family.default_activation = "silu";
  family.rotary = {{.default_theta = 2e6}};
  family.finish = FinishSmolLm3;
  family.names = LlamaNames({});
  family.gguf = {.architecture = "smollm3", .rotary_neighbours = true, .finish = [](const ConfigReader&, Spec* spec) {
                   return LeaveOutRotary(4, spec);
                 }};
  return family;
}

}  // namespace toolformer
