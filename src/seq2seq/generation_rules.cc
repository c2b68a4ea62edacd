#include "src/seq2seq/generation_rules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "src/base/status.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr int64_t kMostBeams = 256;
constexpr int64_t kMostTokens = 1 << 20;

class RulesReader {
 public:
  RulesReader(const json& config, const std::string& where, int64_t vocab_size)
      : config_(config), where_(where), vocab_size_(vocab_size) {}

  void Integer(const char* name, int64_t* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)) {
      return Fail(name, "an integer");
    }
    *out = value.get<int64_t>();
  }
  void Real(const char* name, double* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    if (!value.is_number()) return Fail(name, "a number");
    *out = value.get<double>();
  }
  void Flag(const char* name, bool* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    if (!value.is_boolean()) return Fail(name, "true or false");
    *out = value.get<bool>();
  }
  void Stopping(const char* name, EarlyStopping* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    if (value.is_boolean()) {
      *out = value.get<bool>() ? EarlyStopping::kFirstComplete : EarlyStopping::kHeuristic;
    } else if (value == "never") {
      *out = EarlyStopping::kNever;
    } else {
      Fail(name, "true, false or \"never\"");
    }
  }
  void Id(const char* name, std::optional<int32_t>* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    std::vector<int32_t> ids;
    AddId(name, value, &ids);
    if (!ids.empty()) *out = ids.front();
  }
  // One id or a list of them.
  void Ids(const char* name, std::vector<int32_t>* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    if (!value.is_array()) return AddId(name, value, out);
    for (const json& id : value) AddId(name, id, out);
  }
  void IdLists(const char* name, std::vector<std::vector<int32_t>>* out) {
    const json& value = Find(name);
    if (value.is_null()) return;
    if (!value.is_array()) return Fail(name, "a list of lists of ids");
    for (const json& list : value) {
      if (!list.is_array() || list.empty()) return Fail(name, "a list of lists of ids");
      std::vector<int32_t> ids;
      for (const json& id : list) AddId(name, id, &ids);
      out->push_back(std::move(ids));
    }
  }
  const absl::Status& status() const { return status_; }

 private:
  const json& Find(const char* name) const {
    static const json kNull;
    const auto found = config_.find(name);
    return found == config_.end() ? kNull : *found;
  }
  void AddId(const char* name, const json& value, std::vector<int32_t>* out) {
    if (!value.is_number_integer() || value < 0 || value >= vocab_size_) return Fail(name, "a token of the vocabulary");
    out->push_back(value.get<int32_t>());
  }
  void Fail(const char* name, std::string_view wanted) {
    if (status_.ok()) status_ = InvalidArgument("{}: field '{}' is not {}", where_, name, wanted);
  }

  const json& config_;
  const std::string& where_;
  const int64_t vocab_size_;
  absl::Status status_;
};

absl::Status Check(const GenerationRules& rules, const std::string& where) {
  const auto fail = [&where](const char* name, const auto& value, std::string_view range) {
    return InvalidArgument("{}{} is {}; {}", where, name, value, range);
  };
  if (rules.beams < 1 || rules.beams > kMostBeams) return fail("num_beams", rules.beams, "1 to 256");
  if (!std::isfinite(rules.length_penalty) || std::abs(rules.length_penalty) > 100.0) {
    return fail("length_penalty", rules.length_penalty, "-100 to 100");
  }
  if (rules.max_length < 0 || rules.max_length > kMostTokens) return fail("max_length", rules.max_length, "0 to 2^20");
  if (rules.min_length < 0 || rules.min_length > kMostTokens) return fail("min_length", rules.min_length, "0 to 2^20");
  if (rules.no_repeat_ngram < 0 || rules.no_repeat_ngram > kMostTokens) {
    return fail("no_repeat_ngram_size", rules.no_repeat_ngram, "0 to 2^20");
  }
  if (!(rules.repetition_penalty > 0.0) || !std::isfinite(rules.repetition_penalty)) {
    return fail("repetition_penalty", rules.repetition_penalty, "a positive number");
  }
  return absl::OkStatus();
}

bool EndsWith(std::span<const int32_t> sequence, std::span<const int32_t> end) {
  return sequence.size() >= end.size() && std::equal(end.begin(), end.end(), sequence.end() - std::ssize(end));
}

bool IsEnd(const GenerationRules& rules, int32_t id) {
  return std::find(rules.end_ids.begin(), rules.end_ids.end(), id) != rules.end_ids.end();
}

void PenalizeRepetition(double penalty, std::span<const int32_t> sequence, std::span<float> scores) {
  std::vector<int32_t> seen(sequence.begin(), sequence.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  const auto factor = static_cast<float>(penalty);
  for (const int32_t id : seen) {
    float& score = scores[static_cast<size_t>(id)];
    score = score < 0 ? score * factor : score / factor;
  }
}

void ForbidRepeatedNgrams(int64_t size, std::span<const int32_t> sequence, std::span<float> scores) {
  const auto n = static_cast<size_t>(size);
  if (sequence.size() < n) return;
  const std::span<const int32_t> suffix = sequence.subspan(sequence.size() - (n - 1));
  for (size_t i = 0; i + n <= sequence.size(); ++i) {
    if (std::equal(suffix.begin(), suffix.end(), sequence.begin() + static_cast<int64_t>(i))) {
      scores[static_cast<size_t>(sequence[i + n - 1])] = kNever;
    }
  }
}

void Force(int32_t id, std::span<float> scores) {
  std::fill(scores.begin(), scores.end(), kNever);
  scores[static_cast<size_t>(id)] = 0.0f;
}

void Renormalize(std::span<float> scores) {
  const float most = *std::max_element(scores.begin(), scores.end());
  if (!std::isfinite(most)) return;
  double sum = 0.0;
  for (const float score : scores) sum += std::exp(static_cast<double>(score) - static_cast<double>(most));
  const auto shift = static_cast<float>(static_cast<double>(most) + std::log(sum));
  for (float& score : scores) score -= shift;
}

}  // namespace

absl::StatusOr<GenerationRules> ReadGenerationRules(const json& config, const std::string& where, int64_t vocab_size) {
  GenerationRules rules;
  RulesReader reader(config, where, vocab_size);
  reader.Integer("num_beams", &rules.beams);
  reader.Real("length_penalty", &rules.length_penalty);
  reader.Stopping("early_stopping", &rules.early_stopping);
  reader.Integer("max_length", &rules.max_length);
  int64_t max_new = 0;
  reader.Integer("max_new_tokens", &max_new);
  if (max_new > 0 && max_new < kMostTokens) rules.max_length = max_new + 1;
  reader.Integer("min_length", &rules.min_length);
  reader.Integer("no_repeat_ngram_size", &rules.no_repeat_ngram);
  reader.Real("repetition_penalty", &rules.repetition_penalty);
  reader.IdLists("bad_words_ids", &rules.bad_words);
  reader.Ids("suppress_tokens", &rules.suppressed);
  reader.Id("forced_bos_token_id", &rules.forced_first);
  reader.Id("forced_eos_token_id", &rules.forced_last);
  reader.Ids("eos_token_id", &rules.end_ids);
  reader.Flag("renormalize_logits", &rules.renormalize);
  TF_RETURN_IF_ERROR(reader.status());
  TF_RETURN_IF_ERROR(Check(rules, where + ": "));
  // A sequence that ends must be able to.
  std::erase_if(rules.bad_words,
                [&](const std::vector<int32_t>& ids) { return ids.size() == 1 && IsEnd(rules, ids[0]); });
  return rules;
}

absl::StatusOr<GenerationRules> WithOptions(GenerationRules rules, const GenerationOptions& options,
                                            int64_t vocab_size) {
  if (options.beams) rules.beams = *options.beams;
  if (options.length_penalty) rules.length_penalty = *options.length_penalty;
  if (options.early_stopping) rules.early_stopping = *options.early_stopping;
  if (options.max_new_tokens) {
    if (*options.max_new_tokens < 1 || *options.max_new_tokens >= kMostTokens) {
      return InvalidArgument("max_new_tokens is {}; 1 to 2^20", *options.max_new_tokens);
    }
    rules.max_length = *options.max_new_tokens + 1;
  }
  if (options.min_new_tokens) {
    if (*options.min_new_tokens < 0 || *options.min_new_tokens >= kMostTokens) {
      return InvalidArgument("min_new_tokens is {}; 0 to 2^20", *options.min_new_tokens);
    }
    rules.min_length = *options.min_new_tokens == 0 ? 0 : *options.min_new_tokens + 1;
  }
  if (options.no_repeat_ngram_size) rules.no_repeat_ngram = *options.no_repeat_ngram_size;
  if (options.repetition_penalty) rules.repetition_penalty = *options.repetition_penalty;
  if (options.forced_first_id) {
    if (*options.forced_first_id < 0 || *options.forced_first_id >= vocab_size) {
      return InvalidArgument("forced_first_id {} is not within 0 to {}", *options.forced_first_id, vocab_size - 1);
    }
    rules.forced_first = options.forced_first_id;
  }
  TF_RETURN_IF_ERROR(Check(rules, ""));
  return rules;
}

void ApplyRules(const GenerationRules& rules, std::span<const int32_t> sequence, std::span<float> scores) {
  const auto length = std::ssize(sequence);
  if (rules.repetition_penalty != 1.0) PenalizeRepetition(rules.repetition_penalty, sequence, scores);
  if (rules.no_repeat_ngram > 0) ForbidRepeatedNgrams(rules.no_repeat_ngram, sequence, scores);
  for (const std::vector<int32_t>& bad : rules.bad_words) {
    const std::span<const int32_t> before(bad.data(), bad.size() - 1);
    if (EndsWith(sequence, before)) scores[static_cast<size_t>(bad.back())] = kNever;
  }
  if (length < rules.min_length) {
    for (const int32_t id : rules.end_ids) scores[static_cast<size_t>(id)] = kNever;
  }
  if (rules.forced_first && length == 1) Force(*rules.forced_first, scores);
  if (rules.forced_last && length == rules.max_length - 1) Force(*rules.forced_last, scores);
  for (const int32_t id : rules.suppressed) scores[static_cast<size_t>(id)] = kNever;
  if (rules.renormalize) Renormalize(scores);
}

}  // namespace toolformer
