#include "src/seq2seq/seq2seq_spec.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/status.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {
namespace {

constexpr int64_t kMostLayers = 1000;
constexpr int64_t kMostWidth = 1 << 20;

struct ActivationName {
  std::string_view name;
  Activation activation;
};
constexpr ActivationName kActivations[] = {
    {"relu", Activation::kRelu}, {"gelu", Activation::kGelu},  {"gelu_new", Activation::kGeluTanh},
    {"silu", Activation::kSilu}, {"swish", Activation::kSilu}, {"gelu_pytorch_tanh", Activation::kGeluTanh}};

absl::StatusOr<Activation> FindActivation(const ConfigReader& config, const char* field, std::string_view name) {
  std::string known;
  for (const ActivationName& candidate : kActivations) {
    if (candidate.name == name) return candidate.activation;
    known += known.empty() ? candidate.name : ", " + std::string(candidate.name);
  }
  return Unimplemented("{}: field '{}' is '{}'; supported are {}", config.where(), field, name, known);
}

absl::Status ReadStack(const ConfigReader& config, const std::string& prefix, StackSpec* stack) {
  TF_ASSIGN_OR_RETURN(stack->layers, config.RequiredInteger(prefix + "_layers"));
  TF_ASSIGN_OR_RETURN(stack->heads, config.RequiredInteger(prefix + "_attention_heads"));
  TF_ASSIGN_OR_RETURN(stack->mlp_hidden, config.RequiredInteger(prefix + "_ffn_dim"));
  return absl::OkStatus();
}

absl::Status ReadTokens(const ConfigReader& config, int64_t start, int64_t pad, Seq2SeqSpec* spec) {
  TF_ASSIGN_OR_RETURN(spec->vocab_size, config.RequiredInteger("vocab_size"));
  TF_ASSIGN_OR_RETURN(pad, config.IntegerOr("pad_token_id", pad));
  TF_ASSIGN_OR_RETURN(start, config.IntegerOr("decoder_start_token_id", start));
  spec->source_vocab_size = spec->vocab_size;
  const int64_t most = kMaxVocabularySize;
  if (spec->vocab_size < 1 || spec->vocab_size > most) {
    return InvalidArgument("{}: field 'vocab_size' is {}, not within 1 to {}", config.where(), spec->vocab_size, most);
  }
  if (pad < 0 || pad >= most) return InvalidArgument("{}: field 'pad_token_id' is {}", config.where(), pad);
  if (start < 0 || start >= most) {
    return InvalidArgument("{}: field 'decoder_start_token_id' is {}", config.where(), start);
  }
  spec->pad_id = static_cast<int32_t>(pad);
  spec->decoder_start_id = static_cast<int32_t>(start);
  return absl::OkStatus();
}

// What M2M-100 and Marian, both from fairseq's and Marian's transformer of 2017, share.
absl::Status ReadSinusoidal(const ConfigReader& config, Seq2SeqSpec* spec) {
  TF_RETURN_IF_ERROR(ReadStack(config, "encoder", &spec->encoder));
  TF_RETURN_IF_ERROR(ReadStack(config, "decoder", &spec->decoder));
  TF_ASSIGN_OR_RETURN(spec->hidden, config.RequiredInteger("d_model"));
  TF_ASSIGN_OR_RETURN(spec->context_length, config.IntegerOr("max_position_embeddings", 1024));
  TF_ASSIGN_OR_RETURN(const bool scaled, config.BooleanOr("scale_embedding", false));
  if (scaled) spec->embedding_scale = std::sqrt(static_cast<double>(spec->hidden));
  TF_ASSIGN_OR_RETURN(spec->tied_output, config.BooleanOr("tie_word_embeddings", true));
  TF_ASSIGN_OR_RETURN(const std::string activation, config.StringOr("activation_function", "gelu"));
  TF_ASSIGN_OR_RETURN(spec->activation, FindActivation(config, "activation_function", activation));
  for (StackSpec* stack : {&spec->encoder, &spec->decoder}) {
    if (stack->heads < 1 || spec->hidden < 1 || spec->hidden % stack->heads != 0) {
      return InvalidArgument("{}: d_model {} is not divided by {} attention heads", config.where(), spec->hidden,
                             stack->heads);
    }
    stack->head_dim = spec->hidden / stack->heads;
    stack->attention_scale = 1.0 / std::sqrt(static_cast<double>(stack->head_dim));
  }
  return absl::OkStatus();
}

absl::Status ReadM2m100(const ConfigReader& config, Seq2SeqSpec* spec) {
  TF_RETURN_IF_ERROR(ReadTokens(config, 2, 1, spec));
  TF_RETURN_IF_ERROR(ReadSinusoidal(config, spec));
  return absl::OkStatus();
}

absl::Status ReadMarian(const ConfigReader& config, Seq2SeqSpec* spec) {
  TF_ASSIGN_OR_RETURN(const int64_t vocab_size, config.RequiredInteger("vocab_size"));
  // Marian starts its translations with the padding token, the last of its vocabulary.
  TF_RETURN_IF_ERROR(ReadTokens(config, vocab_size - 1, vocab_size - 1, spec));
  TF_RETURN_IF_ERROR(ReadSinusoidal(config, spec));
  TF_ASSIGN_OR_RETURN(const bool shared, config.BooleanOr("share_encoder_decoder_embeddings", true));
  TF_ASSIGN_OR_RETURN(spec->vocab_size, config.IntegerOr("decoder_vocab_size", vocab_size));
  spec->separate_vocabularies = !shared;
  if (shared && spec->vocab_size != vocab_size) {
    return InvalidArgument("{}: decoder_vocab_size is {} and vocab_size {}, and the embeddings are shared",
                           config.where(), spec->vocab_size, vocab_size);
  }
  for (const char* name : {"normalize_before", "normalize_embedding", "add_final_layer_norm"}) {
    TF_ASSIGN_OR_RETURN(const bool set, config.BooleanOr(name, false));
    if (set) return Unimplemented("{}: field '{}' is true; supported is false", config.where(), name);
  }
  TF_ASSIGN_OR_RETURN(const bool fixed, config.BooleanOr("static_position_embeddings", true));
  if (!fixed) {
    return Unimplemented("{}: field 'static_position_embeddings' is false; supported is true", config.where());
  }
  spec->norm_place = NormPlace::kAfterSum;
  spec->final_norms = false;
  spec->output_bias = true;
  return absl::OkStatus();
}

absl::Status ReadT5(const ConfigReader& config, Seq2SeqSpec* spec) {
  TF_RETURN_IF_ERROR(ReadTokens(config, 0, 0, spec));
  StackSpec& stack = spec->encoder;
  TF_ASSIGN_OR_RETURN(stack.layers, config.RequiredInteger("num_layers"));
  TF_ASSIGN_OR_RETURN(stack.heads, config.RequiredInteger("num_heads"));
  TF_ASSIGN_OR_RETURN(stack.mlp_hidden, config.RequiredInteger("d_ff"));
  TF_ASSIGN_OR_RETURN(stack.head_dim, config.RequiredInteger("d_kv"));
  spec->decoder = stack;
  TF_ASSIGN_OR_RETURN(spec->decoder.layers, config.IntegerOr("num_decoder_layers", stack.layers));
  TF_ASSIGN_OR_RETURN(spec->hidden, config.RequiredInteger("d_model"));
  TF_ASSIGN_OR_RETURN(spec->buckets, config.IntegerOr("relative_attention_num_buckets", 32));
  TF_ASSIGN_OR_RETURN(spec->max_distance, config.IntegerOr("relative_attention_max_distance", 128));
  TF_ASSIGN_OR_RETURN(spec->norm_epsilon, config.RealOr("layer_norm_epsilon", 1e-6));
  TF_ASSIGN_OR_RETURN(const bool tied, config.BooleanOr("tie_word_embeddings", true));
  // Version 1.1 has output weights of its own and does not scale what they are multiplied with. transformers before 5
  // say both by tie_word_embeddings; since then a field of its own says the second, and the weights the first.
  TF_ASSIGN_OR_RETURN(const bool scaled, config.BooleanOr("scale_decoder_outputs", tied));
  TF_ASSIGN_OR_RETURN(std::string activation, config.StringOr("feed_forward_proj", "relu"));
  constexpr std::string_view kGated = "gated-";
  spec->gated_mlp = activation.starts_with(kGated);
  if (spec->gated_mlp) activation.erase(0, kGated.size());
  // What the releases of T5 1.1 call gelu is its approximation by tanh.
  if (spec->gated_mlp && activation == "gelu") activation = "gelu_new";
  TF_ASSIGN_OR_RETURN(spec->activation, FindActivation(config, "feed_forward_proj", activation));
  if (spec->buckets < 4 || spec->buckets > 65536 || spec->buckets % 4 != 0 || spec->max_distance <= spec->buckets / 2 ||
      spec->max_distance > kMostWidth) {
    return InvalidArgument("{}: {} buckets of relative positions up to a distance of {}", config.where(), spec->buckets,
                           spec->max_distance);
  }
  spec->norm = NormKind::kRms;
  spec->position = Seq2SeqPosition::kRelativeBias;
  spec->biases = false;
  const bool has_output = config.HasTensor("lm_head.weight");
  spec->tied_output = config.Has("scale_decoder_outputs") ? !has_output : tied || !has_output;
  if (scaled) spec->output_scale = 1.0 / std::sqrt(static_cast<double>(spec->hidden));
  return absl::OkStatus();
}

absl::Status CheckSizes(const std::string& where, const Seq2SeqSpec& spec) {
  const std::pair<const char*, int64_t> layers[] = {{"encoder layers", spec.encoder.layers},
                                                    {"decoder layers", spec.decoder.layers}};
  for (const auto& [name, value] : layers) {
    if (value < 1 || value > kMostLayers)
      return InvalidArgument("{}: {} {}; at most {}", where, value, name, kMostLayers);
  }
  for (const StackSpec& stack : {spec.encoder, spec.decoder}) {
    const std::pair<const char*, int64_t> widths[] = {{"hidden units", spec.hidden},
                                                      {"heads", stack.heads},
                                                      {"units of a head", stack.head_dim},
                                                      {"hidden units of the MLP", stack.mlp_hidden}};
    for (const auto& [name, value] : widths) {
      if (value < 1 || value > kMostWidth) return InvalidArgument("{}: {} {}; 1 to {}", where, value, name, kMostWidth);
    }
    if (stack.head_dim * stack.heads > kMostWidth) {
      return InvalidArgument("{}: {} heads of {} units", where, stack.heads, stack.head_dim);
    }
  }
  if (spec.position == Seq2SeqPosition::kSinusoid && (spec.context_length < 1 || spec.context_length > kMostWidth)) {
    return InvalidArgument("{}: max_position_embeddings is {}", where, spec.context_length);
  }
  if (spec.hidden % 2 != 0 || spec.hidden < 4)
    return Unimplemented("{}: d_model {} is odd or below 4", where, spec.hidden);
  if (spec.decoder_start_id >= spec.vocab_size) {
    return InvalidArgument("{}: decoder_start_token_id {} is not below the vocabulary's {}", where,
                           spec.decoder_start_id, spec.vocab_size);
  }
  if (!(spec.norm_epsilon > 0.0 && spec.norm_epsilon < 1.0)) {
    return InvalidArgument("{}: the norms' epsilon is {}", where, spec.norm_epsilon);
  }
  return absl::OkStatus();
}

std::vector<std::string> With(std::initializer_list<std::string_view> names) {
  return std::vector<std::string>(names.begin(), names.end());
}

Seq2SeqNames FairseqNames(const Seq2SeqSpec& spec) {
  Seq2SeqNames names;
  for (auto* stack : {&names.encoder, &names.decoder}) {
    const std::string side = stack == &names.encoder ? "model.encoder." : "model.decoder.";
    stack->self = side + "layers.{}.self_attn.";
    stack->cross = side + "layers.{}.encoder_attn.";
    stack->query = "q_proj";
    stack->key = "k_proj";
    stack->value = "v_proj";
    stack->out = "out_proj";
    stack->self_norm = side + "layers.{}.self_attn_layer_norm";
    stack->cross_norm = side + "layers.{}.encoder_attn_layer_norm";
    stack->mlp_norm = side + "layers.{}.final_layer_norm";
    stack->up = side + "layers.{}.fc1";
    stack->down = side + "layers.{}.fc2";
    stack->final_norm = side + "layer_norm";
  }
  // A file stores one tensor that serves several places under any of their names.
  if (spec.separate_vocabularies) {
    names.encoder.embedding = With({"model.encoder.embed_tokens.weight"});
    names.decoder.embedding = With({"model.decoder.embed_tokens.weight", "lm_head.weight"});
  } else {
    names.encoder.embedding = With({"model.shared.weight", "model.encoder.embed_tokens.weight",
                                    "model.decoder.embed_tokens.weight", "lm_head.weight"});
    names.decoder.embedding = names.encoder.embedding;
  }
  names.output = With({"lm_head.weight"});
  names.output_bias = "final_logits_bias";
  return names;
}

Seq2SeqNames T5Names() {
  Seq2SeqNames names;
  for (auto* stack : {&names.encoder, &names.decoder}) {
    const bool decodes = stack == &names.decoder;
    const std::string side = decodes ? "decoder." : "encoder.";
    std::string mlp = side;
    mlp += decodes ? "block.{}.layer.2." : "block.{}.layer.1.";
    stack->self = side + "block.{}.layer.0.SelfAttention.";
    stack->cross = side + "block.{}.layer.1.EncDecAttention.";
    stack->query = "q";
    stack->key = "k";
    stack->value = "v";
    stack->out = "o";
    stack->self_norm = side + "block.{}.layer.0.layer_norm";
    stack->cross_norm = side + "block.{}.layer.1.layer_norm";
    stack->mlp_norm = mlp + "layer_norm";
    stack->gate = mlp + "DenseReluDense.wi_0";
    stack->up = mlp + "DenseReluDense.wi_1";
    stack->down = mlp + "DenseReluDense.wo";
    stack->final_norm = side + "final_layer_norm";
    stack->relative_bias = side + "block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    stack->embedding = With({"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"});
  }
  names.output = With({"lm_head.weight"});
  return names;
}

}  // namespace

absl::StatusOr<Seq2SeqSpec> ReadSeq2SeqSpec(const ConfigReader& config) {
  struct Reader {
    std::string_view model_type, family;
    absl::Status (*read)(const ConfigReader& config, Seq2SeqSpec* spec);
  };
  constexpr Reader kReaders[] = {{"m2m_100", "m2m_100", ReadM2m100},
                                 {"marian", "marian", ReadMarian},
                                 {"t5", "t5", ReadT5},
                                 {"mt5", "t5", ReadT5}};
  TF_ASSIGN_OR_RETURN(const std::string model_type, config.StringOr("model_type", ""));
  for (const Reader& reader : kReaders) {
    if (reader.model_type != model_type) continue;
    Seq2SeqSpec spec;
    spec.family = reader.family;
    TF_RETURN_IF_ERROR(reader.read(config, &spec));
    TF_RETURN_IF_ERROR(CheckSizes(config.where(), spec));
    return spec;
  }
  return Unimplemented(
      "{}: model_type is '{}'; supported encoder-decoders are m2m_100 (M2M-100 and NLLB), marian (OPUS-MT), t5 and mt5",
      config.where(), model_type);
}

Seq2SeqNames NamesOf(const Seq2SeqSpec& spec) {
  if (spec.family != "t5") return FairseqNames(spec);
  Seq2SeqNames names = T5Names();
  if (spec.gated_mlp) return names;
  for (auto* stack : {&names.encoder, &names.decoder}) {
    stack->gate.clear();
    stack->up.resize(stack->up.size() - 2);  // "wi"
  }
  return names;
}

std::vector<float> SinusoidRow(const Seq2SeqSpec& spec, int64_t position) {
  const int64_t half = spec.hidden / 2;
  std::vector<float> row(static_cast<size_t>(spec.hidden));
  for (int64_t i = 0; i < half; ++i) {
    if (spec.family == "marian") {
      const double step = 2.0 * static_cast<double>(i) / static_cast<double>(spec.hidden);
      const double angle = static_cast<double>(position) / std::pow(10000.0, step);
      row[i] = static_cast<float>(std::sin(angle));
      row[half + i] = static_cast<float>(std::cos(angle));
    } else {
      // fairseq numbers positions from behind the padding token's id, and rounds frequency and angle to float32.
      const auto rate = static_cast<float>(-std::log(10000.0) / static_cast<double>(half - 1));
      const auto frequency = static_cast<float>(std::exp(static_cast<double>(static_cast<float>(i) * rate)));
      const float angle = static_cast<float>(position + spec.pad_id + 1) * frequency;
      row[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
      row[half + i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    }
  }
  return row;
}

int64_t RelativeBucket(const Seq2SeqSpec& spec, int64_t distance, Direction direction) {
  int64_t buckets = spec.buckets, first = 0;
  if (direction == Direction::kBothWays) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = std::max<int64_t>(0, -distance);
  }
  const int64_t exact = buckets / 2;
  if (distance < exact) return first + distance;
  // In the steps and the precision in which the models were trained: neighbours of a bound fall as they did then.
  const float ratio = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(spec.max_distance) / static_cast<double>(exact)));
  const auto bucket = exact + static_cast<int64_t>(ratio * static_cast<float>(buckets - exact));
  return first + std::min(bucket, buckets - 1);
}

}  // namespace toolformer
