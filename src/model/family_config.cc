// config.json of Hugging Face folders: to a spec and back.
#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

struct ActivationName {
  std::string_view name;
  Activation activation;
};
constexpr ActivationName kActivations[] = {
    {"silu", Activation::kSilu},          {"swish", Activation::kSilu},
    {"gelu", Activation::kGelu},          {"gelu_new", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh}, {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"relu", Activation::kRelu},
};

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

absl::Status ReadField(const ConfigReader& config, Field field, TransformerSpec* spec) {
  if (!field.alias.empty() && !config.Has(field.name) && config.Has(field.alias)) field.name = field.alias;
  const auto missing = [&] { return InvalidArgument("{}: field '{}' is missing", config.where(), field.name); };
  const bool is_null = config.IsNull(field.name);
  return std::visit(Overload{
                        [&](int64_t TransformerSpec::*member) -> absl::Status {
                          TF_ASSIGN_OR_RETURN(const std::optional<int64_t> value, config.Integer(field.name));
                          if (!value && !is_null && !field.fallback) return missing();
                          spec->*member = value ? *value : is_null ? 0 : static_cast<int64_t>(*field.fallback);
                          return absl::OkStatus();
                        },
                        [&](double TransformerSpec::*member) -> absl::Status {
                          TF_ASSIGN_OR_RETURN(const std::optional<double> value, config.Real(field.name));
                          if (!value && !is_null && !field.fallback) return missing();
                          spec->*member = value ? *value : is_null ? 0.0 : *field.fallback;
                          return absl::OkStatus();
                        },
                        [&](bool TransformerSpec::*member) -> absl::Status {
                          TF_ASSIGN_OR_RETURN(const std::optional<bool> value, config.Boolean(field.name));
                          if (!value && !is_null && !field.fallback) return missing();
                          spec->*member = value ? *value : !is_null && *field.fallback != 0.0;
                          return absl::OkStatus();
                        },
                        [&](const Converted& converted) -> absl::Status {
                          TF_ASSIGN_OR_RETURN(const std::optional<double> value, config.Number(field.name));
                          if (!value && !is_null && !field.fallback) return missing();
                          converted.set(value ? *value : is_null ? 0.0 : *field.fallback, spec);
                          return absl::OkStatus();
                        },
                    },
                    field.member);
}

nlohmann::json WriteField(const Field& field, const TransformerSpec& spec) {
  const auto number = [](double value) { return value == 0.0 ? nlohmann::json() : nlohmann::json(value); };
  return std::visit(Overload{
                        [&](int64_t TransformerSpec::*member) { return nlohmann::json(spec.*member); },
                        [&](double TransformerSpec::*member) { return number(spec.*member); },
                        [&](bool TransformerSpec::*member) { return nlohmann::json(spec.*member); },
                        [&](const Converted& converted) {
                          const double value = converted.get(spec);
                          if (converted.kind == Converted::Kind::kFlag) return nlohmann::json(value != 0.0);
                          // Whole numbers as such: transformers insists, and a square of a root is off by a little.
                          const double whole = std::round(value);
                          return std::abs(value - whole) < 1e-6 ? nlohmann::json(static_cast<int64_t>(whole))
                                                                : number(value);
                        },
                    },
                    field.member);
}

absl::Status ReadActivation(const ConfigReader& config, const Family& family, TransformerSpec* spec) {
  if (family.activation_field.empty()) return absl::OkStatus();
  TF_ASSIGN_OR_RETURN(const std::string name,
                      config.StringOr(family.activation_field, std::string(family.default_activation)));
  std::string supported;
  for (const ActivationName& candidate : kActivations) {
    if (candidate.name == name) {
      spec->activation = candidate.activation;
      return absl::OkStatus();
    }
    supported += (supported.empty() ? "" : ", ") + std::string(candidate.name);
  }
  return Unimplemented("{}: activation '{}' (field '{}') is not supported; supported: {}", config.where(), name,
                       family.activation_field, supported);
}

// The settings of one scaling object; `place` is where it stands.
absl::Status ReadScaling(const ConfigReader& config, const std::string& place, int64_t context, RotarySpec* rotary) {
  const auto real = [&](std::string_view name, double fallback) {
    return config.RealOr(place + "/" + std::string(name), fallback);
  };
  TF_ASSIGN_OR_RETURN(const std::string old_type, config.StringOr(place + "/type", "default"));
  TF_ASSIGN_OR_RETURN(const std::string type, config.StringOr(place + "/rope_type", old_type));
  TF_ASSIGN_OR_RETURN(rotary->scaling, ParseRotaryScaling(config.where(), type));
  if (rotary->scaling == RotaryScaling::kNone) return absl::OkStatus();

  const auto trained = static_cast<double>(context);
  TF_ASSIGN_OR_RETURN(const double inside, real("original_max_position_embeddings", trained));
  TF_ASSIGN_OR_RETURN(rotary->original_context, config.RealOr("original_max_position_embeddings", inside));
  if (rotary->scaling == RotaryScaling::kDynamic) rotary->original_context = trained;
  TF_ASSIGN_OR_RETURN(const std::optional<double> factor, config.Real(place + "/factor"));
  if (!factor && rotary->scaling != RotaryScaling::kYarn && rotary->scaling != RotaryScaling::kLongRope) {
    return InvalidArgument("{}: field '{}/factor' is missing", config.where(), place);
  }
  rotary->factor = factor.value_or(trained / rotary->original_context);
  TF_ASSIGN_OR_RETURN(const std::optional<double> magnitude, config.Real(place + "/attention_factor"));
  if (rotary->scaling == RotaryScaling::kLlama3) {
    TF_ASSIGN_OR_RETURN(rotary->low_factor, config.RequiredReal(place + "/low_freq_factor"));
    TF_ASSIGN_OR_RETURN(rotary->high_factor, config.RequiredReal(place + "/high_freq_factor"));
  } else if (rotary->scaling == RotaryScaling::kYarn) {
    TF_ASSIGN_OR_RETURN(rotary->beta_fast, real("beta_fast", 32.0));
    TF_ASSIGN_OR_RETURN(rotary->beta_slow, real("beta_slow", 1.0));
    TF_ASSIGN_OR_RETURN(rotary->truncate, config.BooleanOr(place + "/truncate", true));
    TF_ASSIGN_OR_RETURN(const double scale, real("mscale", 0.0));
    TF_ASSIGN_OR_RETURN(const double scale_all, real("mscale_all_dim", 0.0));
    const double growth = rotary->factor <= 1 ? 0.0 : 0.1 * std::log(rotary->factor);
    const bool both = scale != 0 && scale_all != 0;
    rotary->magnitude = magnitude.value_or(both ? (scale * growth + 1) / (scale_all * growth + 1) : growth + 1);
  } else if (rotary->scaling == RotaryScaling::kLongRope) {
    TF_ASSIGN_OR_RETURN(const auto short_divisors, config.Reals(place + "/short_factor"));
    TF_ASSIGN_OR_RETURN(const auto long_divisors, config.Reals(place + "/long_factor"));
    if (!short_divisors || !long_divisors) {
      return InvalidArgument("{}: field '{}/{}' is missing", config.where(), place,
                             short_divisors ? "long_factor" : "short_factor");
    }
    rotary->short_divisors = *short_divisors;
    rotary->long_divisors = *long_divisors;
    const double usual =
        rotary->factor <= 1 ? 1.0 : std::sqrt(1 + std::log(rotary->factor) / std::log(rotary->original_context));
    rotary->magnitude = magnitude.value_or(usual);
  }
  return absl::OkStatus();
}

absl::StatusOr<RotarySpec> ReadRotary(const ConfigReader& config, const RotaryFields& fields,
                                      const TransformerSpec& spec) {
  RotarySpec rotary;
  const std::string place(fields.place);
  TF_ASSIGN_OR_RETURN(const std::optional<double> new_theta, config.Real(place + "/rope_theta"));
  TF_ASSIGN_OR_RETURN(const double old_theta, config.RealOr(fields.theta, fields.default_theta));
  TF_ASSIGN_OR_RETURN(const double old_fraction, config.RealOr(fields.fraction, fields.default_fraction));
  TF_ASSIGN_OR_RETURN(const double fraction, config.RealOr(place + "/partial_rotary_factor", old_fraction));
  rotary.theta = new_theta.value_or(old_theta);
  if (!(fraction > 0 && fraction <= 1)) {
    return InvalidArgument("{}: field '{}' is {}, not within 0 to 1", config.where(), fields.fraction, fraction);
  }
  const int64_t heads = std::max<int64_t>(spec.heads, 1);
  // Bounded so that it fits a real number; CompleteSpec refuses what is too large.
  const int64_t head_dim = std::min<int64_t>(spec.head_dim > 0 ? spec.head_dim : spec.hidden / heads, 1 << 20);
  rotary.dims = static_cast<int64_t>(static_cast<double>(head_dim) * fraction);
  if (new_theta || !fields.scaling.empty()) {
    TF_RETURN_IF_ERROR(
        ReadScaling(config, new_theta ? place : std::string(fields.scaling), spec.context_length, &rotary));
  }
  return rotary;
}

// Where config.json says how far attention reaches, and in which layers.
absl::Status ReadWindows(const ConfigReader& config, const Family& family, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(const bool used, config.BooleanOr("use_sliding_window", true));
  TF_ASSIGN_OR_RETURN(const int64_t stated, config.IntegerOr("sliding_window", 0));
  TF_ASSIGN_OR_RETURN(const auto types, config.Strings("layer_types"));
  TF_ASSIGN_OR_RETURN(const int64_t first, config.IntegerOr("max_window_layers", 0));
  TF_ASSIGN_OR_RETURN(const int64_t pattern, config.IntegerOr("sliding_window_pattern", 0));
  const int64_t window = used ? stated : 0;
  if (window < 0) return InvalidArgument("{}: field 'sliding_window' is {}, not positive", config.where(), window);
  if (types && static_cast<int64_t>(types->size()) != spec->layers) {
    return InvalidArgument("{}: field 'layer_types' has {} entries for {} layers", config.where(), types->size(),
                           spec->layers);
  }
  const int64_t layers = std::min<int64_t>(spec->layers, 1024);  // CompleteSpec refuses more
  for (int64_t i = 0; i < layers; ++i) {
    bool slides = family.slides != nullptr && i >= first && (pattern > 0 ? (i + 1) % pattern != 0 : family.slides(i));
    if (types) {
      const std::string& type = (*types)[i];
      if (type != "full_attention" && type != "sliding_attention") {
        return Unimplemented("{}: layer type '{}' is not supported; supported: full_attention, sliding_attention",
                             config.where(), type);
      }
      slides = type == "sliding_attention";
    }
    // The second table, where there is one, is that of the layers that slide.
    spec->layer.push_back({slides ? window : 0, slides && spec->rotary.size() > 1 ? 1 : 0});
  }
  return absl::OkStatus();
}

nlohmann::json WriteScaling(const RotarySpec& rotary) {
  if (rotary.scaling == RotaryScaling::kNone) return nullptr;
  nlohmann::json scaling = {{"rope_type", RotaryScalingName(rotary.scaling)}, {"factor", rotary.factor}};
  if (rotary.scaling > RotaryScaling::kDynamic) scaling["original_max_position_embeddings"] = rotary.original_context;
  switch (rotary.scaling) {
    case RotaryScaling::kLlama3:
      scaling["low_freq_factor"] = rotary.low_factor;
      scaling["high_freq_factor"] = rotary.high_factor;
      break;
    case RotaryScaling::kYarn:
      scaling["beta_fast"] = rotary.beta_fast;
      scaling["beta_slow"] = rotary.beta_slow;
      scaling["truncate"] = rotary.truncate;
      scaling["attention_factor"] = rotary.magnitude;
      break;
    case RotaryScaling::kLongRope:
      scaling["short_factor"] = rotary.short_divisors;
      scaling["long_factor"] = rotary.long_divisors;
      scaling["attention_factor"] = rotary.magnitude;
      break;
    default:
      break;
  }
  return scaling;
}

void WriteRotary(const Family& family, const TransformerSpec& spec, nlohmann::json* config) {
  for (size_t i = 0; i < spec.rotary.size() && i < family.rotary.size(); ++i) {
    const RotarySpec& rotary = spec.rotary[i];
    const RotaryFields& fields = family.rotary[i];
    (*config)[std::string(fields.theta)] = rotary.theta;
    if (rotary.dims != spec.head_dim) {
      (*config)[std::string(fields.fraction)] = static_cast<double>(rotary.dims) / static_cast<double>(spec.head_dim);
    }
    if (fields.scaling.empty()) continue;
    (*config)[std::string(fields.scaling)] = WriteScaling(rotary);
    // Phi-3 looks for it there only.
    if (rotary.scaling == RotaryScaling::kLongRope) {
      (*config)["original_max_position_embeddings"] = static_cast<int64_t>(rotary.original_context);
    }
  }
}

void WriteLayers(const TransformerSpec& spec, nlohmann::json* config) {
  int64_t window = 0;
  nlohmann::json types = nlohmann::json::array(), rotated = nlohmann::json::array();
  bool all_rotated = true;
  for (const LayerSpec& layer : spec.layer) {
    window = std::max(window, layer.window);
    types.push_back(layer.window > 0 ? "sliding_attention" : "full_attention");
    rotated.push_back(layer.rotary_table == kNoRotary ? 0 : 1);
    all_rotated = all_rotated && layer.rotary_table != kNoRotary;
  }
  if (window > 0) {
    (*config)["sliding_window"] = window;
    (*config)["use_sliding_window"] = true;
    (*config)["layer_types"] = types;
  }
  if (!all_rotated) (*config)["no_rope_layers"] = rotated;
}

}  // namespace

absl::StatusOr<TransformerSpec> ReadHuggingFaceSpec(const Family& family, const ConfigReader& config) {
  TransformerSpec spec = family.base;
  spec.family = family.name;
  for (const Field& field : family.fields) TF_RETURN_IF_ERROR(ReadField(config, field, &spec));
  for (const RequiredFlag& flag : family.required_flags) {
    TF_ASSIGN_OR_RETURN(const bool value, config.BooleanOr(flag.name, flag.value));
    if (value != flag.value) {
      return Unimplemented("{}: {} = {} is not supported in models of the family '{}'", config.where(), flag.name,
                           value, family.name);
    }
  }
  TF_RETURN_IF_ERROR(ReadActivation(config, family, &spec));
  if (spec.position == PositionKind::kRotary) {
    for (const RotaryFields& fields : family.rotary) {
      TF_ASSIGN_OR_RETURN(RotarySpec rotary, ReadRotary(config, fields, spec));
      spec.rotary.push_back(std::move(rotary));
    }
  }
  TF_RETURN_IF_ERROR(ReadWindows(config, family, &spec));
  if (family.finish != nullptr) TF_RETURN_IF_ERROR(family.finish(config, &spec));
  if (family.derive != nullptr) family.derive(&spec);
  return spec;
}

nlohmann::json WriteHuggingFaceConfig(const Family& family, const TransformerSpec& spec) {
  nlohmann::json config = {{"architectures", {family.architectures.front()}}, {"model_type", family.model_type}};
  TransformerSpec written = spec;
  if (!spec.rotary.empty() && spec.rotary.front().scaling == RotaryScaling::kDynamic) {
    written.context_length = static_cast<int64_t>(spec.rotary.front().original_context);
  }
  for (const Field& field : family.fields) config[std::string(field.name)] = WriteField(field, written);
  if (!family.activation_field.empty()) {
    const auto found = std::find_if(std::begin(kActivations), std::end(kActivations), [&](const ActivationName& a) {
      return a.activation == spec.activation && a.name != "gelu_new";
    });
    config[std::string(family.activation_field)] = found->name;
  }
  WriteRotary(family, spec, &config);
  WriteLayers(spec, &config);
  return config;
}

}  // namespace toolformer
