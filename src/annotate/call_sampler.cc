#include "toolformer/call_sampler.h"

#include <ATen/ops/full.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "src/annotate/call_rows.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/model/token_sampler.h"

namespace toolformer {
namespace {

// Tokens of a text whose logits are held at once; bounds memory where the vocabulary is large.
constexpr int64_t kLogitsChunk = 64;

// The prompted text as a cache: P(x), x.
struct PromptedText {
  std::unique_ptr<KvCache> cache;
  int64_t head = 0;                   // tokens before x, start token included
  std::vector<double> probabilities;  // p_i
};

absl::StatusOr<PromptedText> ReadPromptedText(const LanguageModel& model, const CallPieces& pieces,
                                              const std::string& prompt, std::span<const int32_t> x) {
  std::vector<int32_t> ids = {model.tokenizer().start_id()};
  const std::vector<int32_t> prompt_ids = model.tokenizer().Encode(prompt);
  ids.insert(ids.end(), prompt_ids.begin(), prompt_ids.end());
  PromptedText read;
  read.head = static_cast<int64_t>(ids.size());
  ids.insert(ids.end(), x.begin(), x.end());
  read.cache = model.NewCache();

  const auto total = static_cast<int64_t>(ids.size());
  int64_t done = 0;
  // The first pass ends with the head's last token, which predicts x_1; the last token of all predicts nothing we ask.
  for (int64_t end = read.head; done < total; end = std::min(total, end + kLogitsChunk)) {
    std::vector<int64_t> wanted;
    for (int64_t t = std::max(done, read.head - 1); t < std::min(end, total - 1); ++t) wanted.push_back(t - done);
    const ForwardRow row{std::span(ids).subspan(done, end - done), read.cache.get(), wanted};
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, model.Forward({&row, 1}));
    if (!wanted.empty()) {
      TF_ASSIGN_OR_RETURN(const std::vector<double> p, SummedProbabilities(logits, pieces.opening_ids()));
      read.probabilities.insert(read.probabilities.end(), p.begin(), p.end());
    }
    done = end;
  }
  return read;
}

// Positions inside a code point cannot take a call: the text would no longer be UTF-8.
std::vector<bool> AtCodePoints(const Tokenizer& tokenizer, std::span<const int32_t> x) {
  std::vector<bool> at(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const std::string_view bytes = tokenizer.TokenBytes(x[i]);
    at[i] = bytes.empty() || (static_cast<uint8_t>(bytes[0]) & 0xc0) != 0x80;
  }
  return at;
}

// 0 for tokens that may stand in an input of the tool or close its call, -inf for others; undefined: no restriction.
at::Tensor AllowedTokens(const Tool& tool, const LanguageModel& model) {
  if (tool.input_characters.empty()) return {};
  std::array<bool, 256> allowed_byte{};
  for (const char c : tool.input_characters + ")]") allowed_byte[static_cast<uint8_t>(c)] = true;
  at::Tensor mask = at::full({model.vocab_size()}, -std::numeric_limits<float>::infinity(), at::kFloat);
  float* values = mask.data_ptr<float>();
  for (int32_t id = 0; id < model.tokenizer().vocab_size(); ++id) {
    const std::string_view bytes = model.tokenizer().TokenBytes(id);
    const auto is_allowed = [&](char c) { return allowed_byte[static_cast<uint8_t>(c)]; };
    if (!bytes.empty() && std::all_of(bytes.begin(), bytes.end(), is_allowed)) values[id] = 0.0f;
  }
  return mask;
}

// Adds a finished sample to the candidates of its position.
void Count(const CallRow& row, const Tool& tool, SampledCalls* sampled) {
  SamplingCounts& counts = sampled->counts;
  ++counts.samples;
  if (row.outcome == CallRowOutcome::kNotACall) {
    ++counts.not_a_call;
  } else if (row.outcome == CallRowOutcome::kNotClosed) {
    ++counts.not_closed;
  } else if (row.call.tool != tool.name) {
    ++counts.other_tool;
  } else {
    const auto known =
        std::find_if(sampled->candidates.begin(), sampled->candidates.end(),
                     [&](const CandidateCall& c) { return c.position == row.position.index && c.call == row.call; });
    if (known != sampled->candidates.end()) {
      ++known->times_sampled;
      ++counts.duplicates;
    } else {
      sampled->candidates.push_back({row.position.index, row.position.probability, row.call, 1});
      ++counts.candidates;
    }
  }
}

absl::Status CheckOptions(const CallSamplerOptions& options) {
  if (!(options.temperature > 0.0)) return InvalidArgument("temperature {} is not positive", options.temperature);
  if (options.max_call_tokens < 1)
    return InvalidArgument("max_call_tokens {} is not positive", options.max_call_tokens);
  if (options.max_batch_rows < 1) return InvalidArgument("max_batch_rows {} is not positive", options.max_batch_rows);
  return absl::OkStatus();
}

}  // namespace

CallSampler::CallSampler(const LanguageModel& model, CallSamplerOptions options)
    : model_(model), options_(options), pieces_(model.tokenizer()) {}

absl::StatusOr<std::vector<double>> CallSampler::OpeningProbabilities(const Tool& tool, std::string_view text,
                                                                      std::span<const int32_t> x) const {
  if (x.empty()) return InvalidArgument("the text has no tokens");
  TF_ASSIGN_OR_RETURN(PromptedText read, ReadPromptedText(model_, pieces_, SamplingPrompt(tool, text), x));
  return std::move(read.probabilities);
}

absl::StatusOr<SampledCalls> CallSampler::Sample(const Tool& tool, const AnnotationParameters& parameters,
                                                 std::string_view text, std::span<const int32_t> x,
                                                 uint64_t document_seed, const Interrupt& interrupt) const {
  TF_RETURN_IF_ERROR(CheckOptions(options_));
  TF_RETURN_IF_ERROR(interrupt.Check());
  if (x.empty()) return InvalidArgument("the text has no tokens");
  TF_ASSIGN_OR_RETURN(PromptedText read, ReadPromptedText(model_, pieces_, SamplingPrompt(tool, text), x));
  const std::vector<bool> at_code_point = AtCodePoints(model_.tokenizer(), x);
  for (size_t i = 0; i < x.size(); ++i) {
    if (!at_code_point[i]) read.probabilities[i] = -1.0;
  }
  SampledCalls sampled;
  sampled.positions = SelectPositions(read.probabilities, parameters.tau_s, parameters.k);

  if (!tool.takes_input && options_.constrain_syntax) {
    // Nothing is left to sample.
    for (const Position& position : sampled.positions) {
      sampled.candidates.push_back({position.index, position.probability, {tool.name, ""}, parameters.m});
      sampled.counts.samples += parameters.m;
      sampled.counts.duplicates += parameters.m - 1;
      ++sampled.counts.candidates;
    }
    return sampled;
  }

  CallRowSettings settings;
  settings.temperature = options_.temperature;
  settings.max_tokens = options_.max_call_tokens;
  if (options_.constrain_syntax) {
    settings.forced = tool.name + "(";
    settings.allowed = AllowedTokens(tool, model_);
  }
  CallRows rows(model_, settings);
  std::vector<CallRow> finished;
  const auto rows_a_batch = std::max<int64_t>(1, options_.max_batch_rows / parameters.m);
  for (size_t first = 0; first < sampled.positions.size(); first += rows_a_batch) {
    for (size_t p = first; p < std::min(sampled.positions.size(), first + rows_a_batch); ++p) {
      const Position& position = sampled.positions[p];
      std::unique_ptr<KvCache> cache = read.cache->Fork();
      TF_RETURN_IF_ERROR(cache->Truncate(read.head + position.index));
      const std::vector<int32_t>& opening =
          position.index == 0 ? pieces_.opening_at_start() : pieces_.opening_in_text();
      std::vector<uint64_t> seeds;
      for (int64_t s = 0; s < parameters.m; ++s) {
        seeds.push_back(CombineSeeds({options_.seed, document_seed, HashBytes(tool.name),
                                      static_cast<uint64_t>(position.index), static_cast<uint64_t>(s)}));
      }
      rows.Add(position, std::move(cache), opening, seeds);
    }
    TF_ASSIGN_OR_RETURN(std::vector<CallRow> batch, rows.Run(interrupt));
    std::move(batch.begin(), batch.end(), std::back_inserter(finished));
  }
  for (const CallRow& row : finished) Count(row, tool, &sampled);
  return sampled;
}

std::vector<Position> SelectPositions(std::span<const double> probabilities, double tau_s, int64_t k) {
  std::vector<Position> positions;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] > tau_s) positions.push_back({static_cast<int64_t>(i), probabilities[i]});
  }
  std::stable_sort(positions.begin(), positions.end(),
                   [](const Position& a, const Position& b) { return a.probability > b.probability; });
  positions.resize(std::min(positions.size(), static_cast<size_t>(std::max<int64_t>(k, 0))));
  std::sort(positions.begin(), positions.end(), [](const Position& a, const Position& b) { return a.index < b.index; });
  return positions;
}

}  // namespace toolformer
