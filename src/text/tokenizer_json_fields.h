// Members of the objects of a tokenizer.json.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_FIELDS_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_FIELDS_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/tokenizer_regex.h"

namespace toolformer {

// The member, or null where there is none.
const nlohmann::json& JsonMember(const nlohmann::json& object, const char* name);

// A member of `object`: absent or null gives `otherwise`; another type is kInvalidArgument.
absl::StatusOr<bool> JsonFlag(const nlohmann::json& object, const char* name, const std::string& where,
                              const bool& otherwise);
absl::StatusOr<std::string> JsonString(const nlohmann::json& object, const char* name, const std::string& where,
                                       const std::string& otherwise);
// At most 2^53; kInvalidArgument for what is negative, larger or no integer.
absl::StatusOr<uint64_t> JsonCount(const nlohmann::json& object, const char* name, const std::string& where,
                                   uint64_t otherwise);

// The member "type", which must be there.
absl::StatusOr<std::string> JsonType(const nlohmann::json& object, const std::string& where);

// The steps of `root` in order, with where each stands: itself, or the members of the arrays `member` of Sequences in
// it. Null is no steps.
using JsonStep = std::pair<const nlohmann::json*, std::string>;
absl::StatusOr<std::vector<JsonStep>> FlattenJsonSteps(const nlohmann::json& root, const char* member,
                                                       const std::string& where);

// The member "pattern" of a step: {"String": ..} or {"Regex": ..}.
struct JsonPattern {
  std::shared_ptr<const Regex> regex;
  std::string literal;
  bool is_literal = false;
};
absl::StatusOr<JsonPattern> ParseJsonPattern(const nlohmann::json& step, const std::string& where);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_FIELDS_H_
