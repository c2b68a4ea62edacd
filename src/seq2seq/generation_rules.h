// What decides, beside a model's logits, which token comes next: the settings of generation_config.json.
#ifndef TOOLFORMER_SRC_SEQ2SEQ_GENERATION_RULES_H_
#define TOOLFORMER_SRC_SEQ2SEQ_GENERATION_RULES_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/seq2seq_model.h"

namespace toolformer {

struct GenerationRules {  // NOLINT(bugprone-exception-escape)
  int64_t beams = 1;
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::kHeuristic;
  int64_t max_length = 0;  // tokens, those the decoder starts with included; 0: nothing says
  int64_t min_length = 0;
  int64_t no_repeat_ngram = 0;
  double repetition_penalty = 1.0;
  std::vector<std::vector<int32_t>> bad_words;
  std::vector<int32_t> suppressed;
  std::optional<int32_t> forced_first, forced_last;
  std::vector<int32_t> end_ids;
  bool renormalize = false;
};

// The fields of generation_config.json, or of config.json where there is none; `where` names the file. Ids must lie
// below `vocab_size`. kInvalidArgument names a field with an absurd value. Settings of random sampling are ignored:
// generation here never draws.
absl::StatusOr<GenerationRules> ReadGenerationRules(const nlohmann::json& config, const std::string& where,
                                                    int64_t vocab_size);

// The rules with what `options` say instead. kInvalidArgument for what is outside its range.
absl::StatusOr<GenerationRules> WithOptions(GenerationRules rules, const GenerationOptions& options,
                                            int64_t vocab_size);

// Changes `scores` [vocabulary], logits or log-probabilities of the token after `sequence`, as the processors of
// transformers do, in their order.
void ApplyRules(const GenerationRules& rules, std::span<const int32_t> sequence, std::span<float> scores);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEQ2SEQ_GENERATION_RULES_H_
