// The normalizer, pre_tokenizer and decoder objects of a tokenizer.json.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_STEPS_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_STEPS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
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

// What a piece adds to a text that it is not the first of.
class Decoder {
 public:
  static absl::StatusOr<Decoder> Parse(const nlohmann::json& root, const std::string& where);
  bool byte_level() const { return byte_level_; }
  std::string Decode(std::string_view piece) const;

 private:
  struct Step {
    enum class Kind { kReplace, kByteFallback };
    Kind kind;
    std::string from, to;
  };
  std::vector<Step> steps_;
  bool byte_level_ = false;
};

// A member of `object`: absent or null gives `otherwise`; another type is kInvalidArgument.
absl::StatusOr<bool> JsonFlag(const nlohmann::json& object, const char* name, const std::string& where,
                              const bool& otherwise);
absl::StatusOr<std::string> JsonString(const nlohmann::json& object, const char* name, const std::string& where,
                                       const std::string& otherwise);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_STEPS_H_
