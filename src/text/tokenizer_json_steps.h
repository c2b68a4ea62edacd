// The normalizer and pre_tokenizer objects of a tokenizer.json.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_STEPS_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_STEPS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/tokenizer_pipeline.h"

namespace toolformer {

// Null parses to no steps. Errors begin with `where`, a file and a field: kUnimplemented names the type that is not
// supported and those that are.
absl::StatusOr<std::vector<NormalizerStep>> ParseNormalizer(const nlohmann::json& root, const std::string& where);

struct PreTokenizer {
  std::vector<PreTokenizerStep> steps;
  bool byte_level = false;  // the vocabulary spells bytes
};
absl::StatusOr<PreTokenizer> ParsePreTokenizer(const nlohmann::json& root, const std::string& where);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_STEPS_H_
