#include "toolformer/seq2seq_model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/model/config_reader.h"
#include "src/model/device.h"
#include "src/model/libtorch_guard.h"
#include "src/model/model_files.h"
#include "src/seq2seq/beam_search.h"
#include "src/seq2seq/checkpoint_weights.h"
#include "src/seq2seq/generation_rules.h"
#include "src/seq2seq/seq2seq_network.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxConfigBytes = 16 << 20;

absl::StatusOr<nlohmann::json> ReadConfig(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  absl::StatusOr<nlohmann::json> config = ParseJson(text);
  if (!config.ok()) return Annotate(config.status(), path);
  if (!config->is_object()) return InvalidArgument("{}: is not a JSON object", path);
  return config;
}

// Batches of at most `most` tokens, padding included: indices of the texts, those of like length together.
std::vector<std::vector<size_t>> Batches(std::span<const int64_t> lengths, int64_t most) {
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lengths[a] < lengths[b]; });
  std::vector<std::vector<size_t>> batches;
  for (const size_t index : order) {
    const bool fits = !batches.empty() && (std::ssize(batches.back()) + 1) * lengths[index] <= most;
    if (!fits) batches.emplace_back();
    batches.back().push_back(index);
  }
  return batches;
}

class Loaded : public Seq2SeqModel {
 public:
  struct Parts {
    Seq2SeqInfo info;
    std::shared_ptr<const Seq2SeqTokenizer> tokenizer;
    GenerationRules rules;
    int64_t max_batch_tokens = 0;
  };
  Loaded(Parts parts, Seq2SeqNetwork network) : parts_(std::move(parts)), network_(std::move(network)) {}

  const Seq2SeqInfo& info() const override { return parts_.info; }
  const Seq2SeqTokenizer& tokenizer() const override { return *parts_.tokenizer; }
  int32_t decoder_start_id() const override { return network_.spec().decoder_start_id; }
  int64_t context_length() const override { return network_.spec().context_length; }

  absl::StatusOr<std::vector<EncodedText>> Encode(std::span<const std::vector<int32_t>> texts,
                                                  const Interrupt& interrupt) const override;
  absl::StatusOr<at::Tensor> Logits(const EncodedText& encoded, std::span<const int32_t> ids) const override;
  absl::StatusOr<std::vector<GeneratedSequence>> Generate(std::span<const EncodedText> texts,
                                                          const GenerationOptions& options) const override;

 private:
  absl::Status CheckIds(std::span<const int32_t> ids, int64_t vocabulary) const;
  absl::Status CheckStates(const EncodedText& encoded) const;
  absl::StatusOr<std::vector<GeneratedSequence>> Decode(std::span<const at::Tensor> states,
                                                        const GenerationRules& rules, const Interrupt& interrupt) const;

  const Parts parts_;
  const Seq2SeqNetwork network_;
};

absl::Status Loaded::CheckIds(std::span<const int32_t> ids, int64_t vocabulary) const {
  if (ids.empty()) return InvalidArgument("a text has no tokens");
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocabulary) return InvalidArgument("token id {} is not within 0 to {}", id, vocabulary - 1);
  }
  if (context_length() > 0 && std::ssize(ids) > context_length()) {
    return OutOfRange("a text of {} tokens exceeds the context of {}", ids.size(), context_length());
  }
  return absl::OkStatus();
}

absl::Status Loaded::CheckStates(const EncodedText& encoded) const {
  const at::Tensor& states = encoded.states;
  if (!states.defined() || states.dim() != 2 || states.size(0) < 1 || states.size(1) != info().hidden ||
      states.scalar_type() != network_.settings().type || states.device() != network_.settings().device) {
    return InvalidArgument("the encoded text is not one of this model");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<EncodedText>> Loaded::Encode(std::span<const std::vector<int32_t>> texts,
                                                        const Interrupt& interrupt) const {
  std::vector<int64_t> lengths;
  for (const std::vector<int32_t>& text : texts) {
    TF_RETURN_IF_ERROR(CheckIds(text, network_.spec().source_vocab_size));
    lengths.push_back(std::ssize(text));
  }
  return GuardLibtorch([&]() -> absl::StatusOr<std::vector<EncodedText>> {
    const c10::InferenceMode inference;
    std::vector<EncodedText> encoded(texts.size());
    for (const std::vector<size_t>& batch : Batches(lengths, parts_.max_batch_tokens)) {
      TF_RETURN_IF_ERROR(interrupt.Check());
      std::vector<std::vector<int32_t>> rows;
      rows.reserve(batch.size());
      for (const size_t index : batch) rows.push_back(texts[index]);
      std::vector<at::Tensor> states = network_.Encode(rows);
      for (size_t i = 0; i < batch.size(); ++i) encoded[batch[i]].states = std::move(states[i]);
    }
    return encoded;
  });
}

absl::StatusOr<at::Tensor> Loaded::Logits(const EncodedText& encoded, std::span<const int32_t> ids) const {
  TF_RETURN_IF_ERROR(CheckStates(encoded));
  TF_RETURN_IF_ERROR(CheckIds(ids, network_.spec().vocab_size));
  return GuardLibtorch([&]() -> absl::StatusOr<at::Tensor> {
    const c10::InferenceMode inference;
    DecoderState state = network_.StartDecoding({&encoded.states, 1});
    return network_.Decode(ids, std::ssize(ids), &state);
  });
}

absl::StatusOr<std::vector<GeneratedSequence>> Loaded::Generate(std::span<const EncodedText> texts,
                                                                const GenerationOptions& options) const {
  TF_ASSIGN_OR_RETURN(GenerationRules rules, WithOptions(parts_.rules, options, network_.spec().vocab_size));
  if (rules.max_length == 0) rules.max_length = kDefaultNewTokens + 1;
  if (context_length() > 0) rules.max_length = std::min(rules.max_length, context_length());
  if (rules.max_length < 2) return InvalidArgument("at most {} tokens leave room for no answer", rules.max_length);
  std::vector<int64_t> lengths;
  for (const EncodedText& text : texts) {
    TF_RETURN_IF_ERROR(CheckStates(text));
    lengths.push_back(text.states.size(0));
  }
  return GuardLibtorch([&]() -> absl::StatusOr<std::vector<GeneratedSequence>> {
    const c10::InferenceMode inference;
    std::vector<GeneratedSequence> results(texts.size());
    for (const std::vector<size_t>& batch : Batches(lengths, parts_.max_batch_tokens)) {
      std::vector<at::Tensor> states;
      states.reserve(batch.size());
      for (const size_t index : batch) states.push_back(texts[index].states);
      TF_ASSIGN_OR_RETURN(std::vector<GeneratedSequence> decoded, Decode(states, rules, options.interrupt));
      for (size_t i = 0; i < batch.size(); ++i) results[batch[i]] = std::move(decoded[i]);
    }
    return results;
  });
}

absl::StatusOr<std::vector<GeneratedSequence>> Loaded::Decode(std::span<const at::Tensor> states,
                                                              const GenerationRules& rules,
                                                              const Interrupt& interrupt) const {
  const int32_t start = decoder_start_id();
  std::vector<BeamSearch> searches(states.size(), BeamSearch(rules, {&start, 1}));
  std::vector<size_t> open(states.size());
  std::iota(open.begin(), open.end(), size_t{0});
  DecoderState state = network_.StartDecoding(states);
  while (true) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    std::vector<int32_t> ids;
    for (const size_t text : open) {
      const std::vector<int32_t>& tokens = searches[text].tokens();
      ids.insert(ids.end(), tokens.begin(), tokens.end());
      ids.resize(ids.size() + static_cast<size_t>(state.rows_per_text) - tokens.size(), tokens.front());
    }
    at::Tensor scores = network_.Decode(ids, 1, &state);
    if (rules.beams > 1) scores = at::log_softmax(scores, -1);
    scores = scores.contiguous();
    const auto vocabulary = static_cast<size_t>(scores.size(1));
    std::vector<size_t> still_open;
    std::vector<int64_t> texts;  // of the state
    size_t most_rows = 0;
    for (size_t i = 0; i < open.size(); ++i) {
      BeamSearch& search = searches[open[i]];
      float* first = scores.data_ptr<float>() + i * static_cast<size_t>(state.rows_per_text) * vocabulary;
      search.Advance({first, search.rows() * vocabulary});
      if (search.done()) continue;
      still_open.push_back(open[i]);
      texts.push_back(static_cast<int64_t>(i));
      most_rows = std::max(most_rows, search.rows());
    }
    if (still_open.empty()) break;
    open = std::move(still_open);
    // As many rows of every text as the one with most has; what there are fewer of is fed twice and not looked at.
    std::vector<int64_t> rows;
    for (size_t i = 0; i < open.size(); ++i) {
      const std::vector<int64_t>& parents = searches[open[i]].parents();
      for (size_t r = 0; r < most_rows; ++r) {
        rows.push_back(texts[i] * state.rows_per_text + (r < parents.size() ? parents[r] : parents.front()));
      }
    }
    network_.Select(texts, rows, &state);
  }
  std::vector<GeneratedSequence> results;
  results.reserve(searches.size());
  for (const BeamSearch& search : searches) results.push_back(search.Result());
  return results;
}

absl::StatusOr<MatrixSettings> SettingsOf(const Seq2SeqOptions& options) {
  MatrixSettings settings;
  TF_ASSIGN_OR_RETURN(settings.device, OpenDevice(options.device));
  const bool cpu = settings.device.is_cpu();
  const WeightType type = options.type.value_or(cpu ? WeightType::kFloat32 : WeightType::kBFloat16);
  if (type == WeightType::kInt8 && (!cpu || options.kernels == Kernels::kLibtorch)) {
    return Unimplemented("int8 weights are for the CPU with the library's own kernels");
  }
  if (type == WeightType::kBFloat16) settings.type = at::kBFloat16;
  if (type == WeightType::kInt8) settings.packed_type = PackedType::kInt8;
  if (cpu && options.kernels == Kernels::kOwn && type != WeightType::kBFloat16) settings.kernels = &simd::Best();
  return settings;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Seq2SeqModel>> Seq2SeqModel::Load(const std::string& path,
                                                                 const Seq2SeqOptions& options) {
  if (options.max_batch_tokens < 1)
    return InvalidArgument("max_batch_tokens {} is not positive", options.max_batch_tokens);
  TF_ASSIGN_OR_RETURN(const MatrixSettings settings, SettingsOf(options));
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) {
    return NotFound("{}: is not a folder with an encoder-decoder model of Hugging Face", path);
  }
  const std::string config_path = path + "/config.json", generation_path = path + "/generation_config.json";
  TF_ASSIGN_OR_RETURN(nlohmann::json config, ReadConfig(config_path));
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> file, OpenSeq2SeqWeights(path));
  const std::unique_ptr<ConfigReader> reader = JsonConfigReader(config, config_path, *file);
  TF_ASSIGN_OR_RETURN(Seq2SeqSpec spec, ReadSeq2SeqSpec(*reader));
  const bool has_generation = std::filesystem::exists(generation_path, ignored);
  if (has_generation) {
    TF_ASSIGN_OR_RETURN(config, ReadConfig(generation_path));
  }
  Loaded::Parts parts;
  TF_ASSIGN_OR_RETURN(parts.rules,
                      ReadGenerationRules(config, has_generation ? generation_path : config_path, spec.vocab_size));
  const auto start = config.find("decoder_start_token_id");
  if (start != config.end() && start->is_number_integer() && *start >= 0 && *start < spec.vocab_size) {
    spec.decoder_start_id = start->get<int32_t>();
  }
  TF_ASSIGN_OR_RETURN(parts.tokenizer, LoadSeq2SeqTokenizer(path));
  return GuardLibtorch([&]() -> absl::StatusOr<std::unique_ptr<Seq2SeqModel>> {
    const c10::InferenceMode inference;
    TF_ASSIGN_OR_RETURN(Seq2SeqWeights weights,
                        LoadSeq2SeqWeights({*file, config_path, options.progress}, spec, settings));
    Seq2SeqInfo& info = parts.info;
    info.path = path;
    info.family = spec.family;
    info.encoder_layers = spec.encoder.layers;
    info.decoder_layers = spec.decoder.layers;
    info.hidden = spec.hidden;
    info.vocab_size = spec.vocab_size;
    info.parameters = weights.parameters;
    info.type = settings.type == at::kBFloat16              ? WeightType::kBFloat16
                : settings.packed_type == PackedType::kInt8 ? WeightType::kInt8
                                                            : WeightType::kFloat32;
    TF_ASSIGN_OR_RETURN(info.fingerprint, Fingerprint(*file));
    parts.max_batch_tokens = options.max_batch_tokens;
    return std::make_unique<Loaded>(std::move(parts), Seq2SeqNetwork(std::move(spec), std::move(weights), settings));
  });
}

absl::StatusOr<EncodedText> JoinEncodedTexts(std::span<const EncodedText> texts) {
  if (texts.empty()) return InvalidArgument("no texts to join");
  std::vector<at::Tensor> states;
  for (const EncodedText& text : texts) {
    const at::Tensor& first = texts.front().states;
    if (!text.states.defined() || text.states.dim() != 2 || text.states.size(1) != first.size(1) ||
        text.states.scalar_type() != first.scalar_type() || text.states.device() != first.device()) {
      return InvalidArgument("the texts to join are not of one model");
    }
    states.push_back(text.states);
  }
  return GuardLibtorch([&]() -> absl::StatusOr<EncodedText> {
    const c10::InferenceMode inference;
    return EncodedText{at::cat(states, 0)};
  });
}

}  // namespace toolformer
