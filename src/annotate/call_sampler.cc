#include "toolformer/call_sampler.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "src/annotate/allowed_tokens.h"
#include "src/annotate/call_rows.h"
#include "src/annotate/prompted_text.h"
#include "src/base/random.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

// Positions inside a code point cannot take a call: the text would no longer be UTF-8.
std::vector<bool> AtCodePoints(const Tokenizer& tokenizer, std::span<const int32_t> x) {
  std::vector<bool> at(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const std::string_view bytes = tokenizer.TokenBytes(x[i]);
    at[i] = bytes.empty() || (static_cast<uint8_t>(bytes[0]) & 0xc0) != 0x80;
  }
  return at;
}

// Adds a finished sample to the candidates of its position.
void Count(const CallRow& row, const Position& position, const Tool& tool, SampledCalls* sampled) {
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
                     [&](const CandidateCall& c) { return c.position == position.index && c.call == row.call; });
    if (known != sampled->candidates.end()) {
      ++known->times_sampled;
      ++counts.duplicates;
    } else {
      sampled->candidates.push_back({position.index, position.probability, row.call, 1});
      ++counts.candidates;
    }
  }
}

absl::Status CheckOptions(const CallSamplerOptions& options) {
  if (!(options.temperature > 0.0)) return InvalidArgument("temperature {} is not positive", options.temperature);
  const std::pair<int64_t, const char*> counts[] = {
      {options.max_call_tokens, "max_call_tokens"}, {options.max_batch_rows, "max_batch_rows"},
      {options.max_open_texts, "max_open_texts"},   {options.max_open_tokens, "max_open_tokens"},
      {options.max_read_tokens, "max_read_tokens"}, {options.max_logits_bytes, "max_logits_bytes"}};
  for (const auto& [value, name] : counts) {
    if (value < 1) return InvalidArgument("{} {} is not positive", name, value);
  }
  return absl::OkStatus();
}

ReadingLimits LimitsOf(const LanguageModel& model, const CallSamplerOptions& options) {
  const int64_t row_bytes = model.vocab_size() * static_cast<int64_t>(sizeof(float));
  return {options.max_read_tokens, std::max<int64_t>(1, options.max_logits_bytes / row_bytes)};
}

// The texts of a call of Sample on their way from text to candidates.
class SamplingRun {
 public:
  struct Parts {
    const LanguageModel& model;
    const CallSamplerOptions& options;
    const CallPieces& pieces;
    const Tool& tool;
    const AnnotationParameters& parameters;
  };
  SamplingRun(const Parts& parts, std::span<const SamplingText> texts, const CallRowSettings& settings)
      : parts_(parts), texts_(texts), rows_(parts.model, settings) {
    results_.resize(texts.size(), absl::StatusOr<SampledCalls>(SampledCalls()));
  }

  absl::StatusOr<std::vector<absl::StatusOr<SampledCalls>>> Run(PromptHead* head, const Interrupt& interrupt) {
    while (next_ < texts_.size() || waiting_ || !rows_.empty()) {
      TF_RETURN_IF_ERROR(interrupt.Check());
      if (rows_.has_room()) TF_RETURN_IF_ERROR(OpenMore(head, interrupt));
      TF_ASSIGN_OR_RETURN(const CallRows::Ended ended, rows_.Step());
      for (const size_t text : ended.samples) {
        if (--open_.at(text).samples_left == 0) Close(text);
      }
      for (const size_t text : ended.too_long) {
        if (open_.erase(text) == 0) continue;
        results_[text] = OutOfRange("prompt, text and call exceed the context of {}", parts_.model.context_length());
      }
    }
    return std::move(results_);
  }

 private:
  // A text that is being read.
  struct Reading {
    size_t index = 0;
    int64_t tokens = 0;  // that its cache holds beside the prompt's
    PromptedText text;
  };
  // A text whose calls are being sampled.
  struct OpenedText {
    int64_t tokens = 0;
    int64_t samples_left = 0;
    std::vector<CallRow> samples;  // of each position in turn
  };

  // Reads as many texts as may be open besides those that are.
  absl::Status OpenMore(PromptHead* head, const Interrupt& interrupt) {
    int64_t tokens = 0;
    for (const auto& [index, text] : open_) tokens += text.tokens;
    std::vector<Reading> readings;
    while (std::ssize(open_) + std::ssize(readings) < parts_.options.max_open_texts && FindNext(head)) {
      if (tokens > 0 && tokens + waiting_->tokens > parts_.options.max_open_tokens) break;
      tokens += waiting_->tokens;
      readings.push_back(*std::move(waiting_));
      waiting_.reset();
    }
    std::vector<PromptedText*> unread;
    unread.reserve(readings.size());
    for (Reading& reading : readings) unread.push_back(&reading.text);
    TF_RETURN_IF_ERROR(ReadTexts(parts_.model, parts_.pieces.opening_ids(), LimitsOf(parts_.model, parts_.options),
                                 unread, interrupt));
    for (Reading& reading : readings) Begin(&reading);
    return absl::OkStatus();
  }

  // Makes the next text that can be read wait. False where there is none.
  bool FindNext(PromptHead* head) {
    for (; !waiting_ && next_ < texts_.size(); ++next_) {
      const SamplingText& text = texts_[next_];
      absl::StatusOr<PromptedText> opened =
          OpenText(parts_.model, head, SamplingPrompt(parts_.tool, text.text), text.x);
      if (opened.ok()) {
        const int64_t tokens = opened->tokens_to_read() - opened->cache->length();
        waiting_.emplace(Reading{next_, tokens, *std::move(opened)});
      } else {
        results_[next_] = opened.status();
      }
    }
    return waiting_.has_value();
  }

  // Chooses the positions of a text that has been read, and starts its samples.
  void Begin(Reading* reading) {
    const size_t index = reading->index;
    PromptedText* const read = &reading->text;
    const SamplingText& text = texts_[index];
    const std::vector<bool> at_code_point = AtCodePoints(parts_.model.tokenizer(), text.x);
    for (size_t i = 0; i < text.x.size(); ++i) {
      if (!at_code_point[i]) read->probabilities[i] = -1.0;
    }
    SampledCalls& sampled = *results_[index];
    const int64_t m = parts_.parameters.m;
    sampled.positions = SelectPositions(read->probabilities, parts_.parameters.tau_s, parts_.parameters.k);
    if (sampled.positions.empty() || m <= 0) return;
    if (!parts_.tool.takes_input && parts_.options.constrain_syntax) {
      // Nothing is left to sample.
      for (const Position& position : sampled.positions) {
        sampled.candidates.push_back({position.index, position.probability, {parts_.tool.name, ""}, m});
        sampled.counts.samples += m;
        sampled.counts.duplicates += m - 1;
        ++sampled.counts.candidates;
      }
      return;
    }
    OpenedText& opened = open_[index];
    opened.tokens = reading->tokens;
    opened.samples_left = std::ssize(sampled.positions) * m;
    opened.samples.resize(static_cast<size_t>(opened.samples_left));
    for (size_t p = 0; p < sampled.positions.size(); ++p) {
      const int64_t position = sampled.positions[p].index;
      CallStart start;
      start.text = index;
      start.cache = read->cache;
      start.length = read->head + position;
      start.opening = position == 0 ? parts_.pieces.opening_at_start() : parts_.pieces.opening_in_text();
      start.results = opened.samples.data() + static_cast<int64_t>(p) * m;
      for (int64_t s = 0; s < m; ++s) {
        start.seeds.push_back(CombineSeeds({parts_.options.seed, text.seed, HashBytes(parts_.tool.name),
                                            static_cast<uint64_t>(position), static_cast<uint64_t>(s)}));
      }
      rows_.Add(std::move(start));
    }
  }

  // All samples of a text are there.
  void Close(size_t index) {
    SampledCalls& sampled = *results_[index];
    const std::vector<CallRow>& samples = open_.at(index).samples;
    const size_t m = samples.size() / sampled.positions.size();
    for (size_t s = 0; s < samples.size(); ++s) Count(samples[s], sampled.positions[s / m], parts_.tool, &sampled);
    open_.erase(index);
  }

  const Parts parts_;
  const std::span<const SamplingText> texts_;
  std::vector<absl::StatusOr<SampledCalls>> results_;
  size_t next_ = 0;                 // text to be opened
  std::optional<Reading> waiting_;  // opened, for when there is room
  std::map<size_t, OpenedText> open_;
  CallRows rows_;
};

}  // namespace

CallSampler::CallSampler(const LanguageModel& model, CallSamplerOptions options)
    : model_(model),
      options_(options),
      pieces_(model.tokenizer()),
      prompts_(std::make_shared<KeptPrompts>(model, options.max_kept_prompts)),
      allowed_(std::make_shared<AllowedTokens>(model)) {}

absl::StatusOr<std::vector<double>> CallSampler::OpeningProbabilities(const Tool& tool, std::string_view text,
                                                                      std::span<const int32_t> x) const {
  TF_RETURN_IF_ERROR(CheckOptions(options_));
  TF_ASSIGN_OR_RETURN(const std::shared_ptr<PromptHead> head, prompts_->Head(tool));
  TF_ASSIGN_OR_RETURN(PromptedText read, OpenText(model_, head.get(), SamplingPrompt(tool, text), x));
  PromptedText* const texts[] = {&read};
  TF_RETURN_IF_ERROR(ReadTexts(model_, pieces_.opening_ids(), LimitsOf(model_, options_), texts, {}));
  return std::move(read.probabilities);
}

absl::StatusOr<SampledCalls> CallSampler::Sample(const Tool& tool, const AnnotationParameters& parameters,
                                                 std::string_view text, std::span<const int32_t> x,
                                                 uint64_t document_seed, const Interrupt& interrupt) const {
  const SamplingText alone{text, x, document_seed};
  TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<SampledCalls>> sampled,
                      Sample(tool, parameters, {&alone, 1}, interrupt));
  return std::move(sampled.front());
}

absl::StatusOr<std::vector<absl::StatusOr<SampledCalls>>> CallSampler::Sample(const Tool& tool,
                                                                              const AnnotationParameters& parameters,
                                                                              std::span<const SamplingText> texts,
                                                                              const Interrupt& interrupt) const {
  TF_RETURN_IF_ERROR(CheckOptions(options_));
  TF_RETURN_IF_ERROR(interrupt.Check());
  if (texts.empty()) return std::vector<absl::StatusOr<SampledCalls>>();
  TF_ASSIGN_OR_RETURN(const std::shared_ptr<PromptHead> head, prompts_->Head(tool));
  CallRowSettings settings;
  settings.temperature = options_.temperature;
  settings.max_tokens = options_.max_call_tokens;
  settings.max_rows = options_.max_batch_rows;
  settings.share_equal_rows = options_.share_equal_rows;
  settings.project_allowed_only = options_.project_allowed_only;
  if (options_.constrain_syntax) {
    settings.forced = tool.name + "(";
    settings.allowed = allowed_->For(tool);
  }
  SamplingRun run({model_, options_, pieces_, tool, parameters}, texts, settings);
  return run.Run(head.get(), interrupt);
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
