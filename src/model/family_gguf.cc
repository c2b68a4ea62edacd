// Metadata and names of GGUF files, which all families share.
#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/status.h"
#include "src/model/family.h"

namespace toolformer {
namespace {

constexpr NameRule kGgufNames[] = {
    {Role::kEmbedding, "token_embd"},
    {Role::kEmbeddingNorm, "token_embd_norm"},
    {Role::kPositionEmbedding, "position_embd"},
    {Role::kFinalNorm, "output_norm"},
    {Role::kOutput, "output"},
    {Role::kAttentionNorm, "blk.{}.attn_norm"},
    {Role::kQuery, "blk.{}.attn_q"},
    {Role::kKey, "blk.{}.attn_k"},
    {Role::kValue, "blk.{}.attn_v"},
    {Role::kQueryKeyValue, "blk.{}.attn_qkv"},
    {Role::kQueryNorm, "blk.{}.attn_q_norm"},
    {Role::kKeyNorm, "blk.{}.attn_k_norm"},
    {Role::kAttentionOut, "blk.{}.attn_output"},
    {Role::kPostAttentionNorm, "blk.{}.post_attention_norm"},
    {Role::kMlpNorm, "blk.{}.ffn_norm"},
    {Role::kGate, "blk.{}.ffn_gate"},
    {Role::kUp, "blk.{}.ffn_up"},
    {Role::kDown, "blk.{}.ffn_down"},
    {Role::kPostMlpNorm, "blk.{}.post_ffw_norm"},
};

// Divisors that the file holds as tensors: one list (Llama 3.1), or one for short and one for long sequences (Phi-3).
absl::Status ReadDivisors(const ConfigReader& config, RotarySpec* rotary) {
  TF_ASSIGN_OR_RETURN(const auto only, config.TensorValues("rope_freqs.weight"));
  TF_ASSIGN_OR_RETURN(const auto of_short, config.TensorValues("rope_factors_short.weight"));
  TF_ASSIGN_OR_RETURN(const auto of_long, config.TensorValues("rope_factors_long.weight"));
  if (!only && !(of_short && of_long)) return absl::OkStatus();
  rotary->scaling = RotaryScaling::kLongRope;
  rotary->short_divisors = only ? *only : *of_short;
  rotary->long_divisors = only ? *only : *of_long;
  TF_ASSIGN_OR_RETURN(rotary->magnitude, config.RealOr("rope.scaling.attn_factor", 1.0));
  return absl::OkStatus();
}

absl::StatusOr<RotarySpec> ReadRotary(const ConfigReader& config, double default_theta, TransformerSpec* spec) {
  RotarySpec rotary;
  TF_ASSIGN_OR_RETURN(rotary.theta, config.RealOr("rope.freq_base", default_theta));
  TF_ASSIGN_OR_RETURN(rotary.dims, config.IntegerOr("rope.dimension_count", 0));
  TF_ASSIGN_OR_RETURN(std::string type, config.StringOr("rope.scaling.type", "none"));
  TF_ASSIGN_OR_RETURN(rotary.factor, config.RealOr("rope.scaling.factor", 1.0));
  TF_ASSIGN_OR_RETURN(const int64_t original,
                      config.IntegerOr("rope.scaling.original_context_length", spec->context_length));
  rotary.original_context = static_cast<double>(original);
  TF_RETURN_IF_ERROR(ReadDivisors(config, &rotary));
  if (rotary.scaling == RotaryScaling::kLongRope || type == "none") return rotary;
  if (type != "linear" && type != "yarn") {
    return Unimplemented(
        "{}: rotary scaling '{}' is not supported in GGUF files; supported: none, linear, yarn and "
        "tensors of divisors",
        config.where(), type);
  }
  TF_ASSIGN_OR_RETURN(rotary.scaling, ParseRotaryScaling(config.where(), type));
  if (rotary.scaling == RotaryScaling::kYarn) {
    TF_ASSIGN_OR_RETURN(const double magnitude, config.RealOr("rope.scaling.attn_factor", 1.0));
    rotary.magnitude = magnitude * (rotary.factor <= 1 ? 1.0 : 1 + 0.1 * std::log(rotary.factor));
    TF_ASSIGN_OR_RETURN(rotary.beta_fast, config.RealOr("rope.scaling.yarn_beta_fast", 32.0));
    TF_ASSIGN_OR_RETURN(rotary.beta_slow, config.RealOr("rope.scaling.yarn_beta_slow", 1.0));
  }
  return rotary;
}

absl::Status ReadNumbers(const ConfigReader& config, TransformerSpec* spec) {
  TF_ASSIGN_OR_RETURN(spec->layers, config.RequiredInteger("block_count"));
  TF_ASSIGN_OR_RETURN(spec->hidden, config.RequiredInteger("embedding_length"));
  TF_ASSIGN_OR_RETURN(spec->heads, config.RequiredInteger("attention.head_count"));
  TF_ASSIGN_OR_RETURN(spec->kv_heads, config.IntegerOr("attention.head_count_kv", 0));
  TF_ASSIGN_OR_RETURN(spec->head_dim, config.IntegerOr("attention.key_length", 0));
  TF_ASSIGN_OR_RETURN(spec->mlp_hidden, config.RequiredInteger("feed_forward_length"));
  TF_ASSIGN_OR_RETURN(spec->vocab_size, config.IntegerOr("vocab_size", 0));  // 0: the rows of the embedding
  TF_ASSIGN_OR_RETURN(spec->context_length, config.RequiredInteger("context_length"));
  TF_ASSIGN_OR_RETURN(spec->norm_epsilon,
                      config.RequiredReal(spec->norm == NormKind::kRms ? "attention.layer_norm_rms_epsilon"
                                                                       : "attention.layer_norm_epsilon"));
  TF_ASSIGN_OR_RETURN(spec->attention_soft_cap, config.RealOr("attn_logit_softcapping", 0.0));
  TF_ASSIGN_OR_RETURN(spec->logit_soft_cap, config.RealOr("final_logit_softcapping", 0.0));
  spec->tied_output = !config.HasTensor("output.weight");
  spec->output_bias = config.HasTensor("output.bias");
  spec->qkv_bias = config.HasTensor("blk.0.attn_q.bias") || config.HasTensor("blk.0.attn_qkv.bias");
  spec->attention_out_bias = config.HasTensor("blk.0.attn_output.bias");
  spec->mlp_bias = config.HasTensor("blk.0.ffn_up.bias");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TransformerSpec> ReadGgufSpec(const Family& family, const ConfigReader& config) {
  TransformerSpec spec = family.base;
  spec.family = family.name;
  TF_RETURN_IF_ERROR(ReadNumbers(config, &spec));
  if (spec.position == PositionKind::kRotary) {
    TF_ASSIGN_OR_RETURN(RotarySpec rotary, ReadRotary(config, family.rotary.front().default_theta, &spec));
    spec.rotary.push_back(std::move(rotary));
    // A second table is that of the layers that slide; it is never scaled.
    for (size_t i = 1; i < family.rotary.size(); ++i) {
      RotarySpec local;
      TF_ASSIGN_OR_RETURN(local.theta, config.RealOr("rope.freq_base_swa", family.rotary[i].default_theta));
      spec.rotary.push_back(local);
    }
  }
  TF_ASSIGN_OR_RETURN(const int64_t window, config.IntegerOr("attention.sliding_window", 0));
  for (int64_t i = 0; i < std::min<int64_t>(spec.layers, 1024); ++i) {
    const bool slides = family.slides != nullptr && family.slides(i);
    spec.layer.push_back({slides ? window : 0, slides && spec.rotary.size() > 1 ? 1 : 0});
  }
  if (family.gguf.finish != nullptr) TF_RETURN_IF_ERROR(family.gguf.finish(config, &spec));
  if (family.derive != nullptr) family.derive(&spec);
  return spec;
}

absl::StatusOr<FamilyFile> FindGgufFamily(const std::string& where, std::string_view architecture) {
  std::string supported;
  for (const Family& family : Families()) {
    if (family.gguf.architecture.empty()) continue;
    if (family.gguf.architecture == architecture) {
      TensorLayout layout;
      layout.rotary_neighbours = family.gguf.rotary_neighbours;
      return FamilyFile{&family, kGgufNames, layout};
    }
    supported += (supported.empty() ? "" : ", ") + std::string(family.gguf.architecture);
  }
  return Unimplemented("{}: architecture '{}' is not supported; supported in GGUF files: {}", where, architecture,
                       supported);
}

}  // namespace toolformer
