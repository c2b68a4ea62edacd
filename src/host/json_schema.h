// JSON Schema, as far as it describes the arguments of tools, with bounded work whoever wrote schema and value.
#ifndef TOOLFORMER_SRC_HOST_JSON_SCHEMA_H_
#define TOOLFORMER_SRC_HOST_JSON_SCHEMA_H_

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "src/host/pattern.h"

namespace toolformer {

// Draft 2020-12 (and what drafts 4 to 2019-09 share with it): type, enum, const; properties, required,
// patternProperties, additionalProperties, propertyNames, minProperties, maxProperties, dependentRequired; items,
// prefixItems, contains, minItems, maxItems, uniqueItems; minimum, maximum, exclusiveMinimum, exclusiveMaximum,
// multipleOf; minLength, maxLength, pattern; allOf, anyOf, oneOf, not, if/then/else; $ref within the schema. Other
// keywords, format among them, say nothing: whoever gets the value checks it too. Const and concurrent.
class JsonSchema {
 public:
  // kInvalidArgument where the schema is none, naming the place; kUnimplemented for a $ref that leads out of it.
  static absl::StatusOr<JsonSchema> Parse(nlohmann::json schema);

  // Ok, or kInvalidArgument with the place in the value and what is wrong with it: "'time' is missing", "'count' is not
  // an integer". kResourceExhausted where judging takes too many steps.
  absl::Status Validate(const nlohmann::json& value) const;

  const nlohmann::json& root() const { return *schema_; }

  // `schema` itself, or what its $ref refers to; null for one that leads in a circle.
  const nlohmann::json* Resolve(const nlohmann::json& schema) const;

 private:
  class Checker;
  friend class Validation;
  std::shared_ptr<const nlohmann::json> schema_;
  std::map<std::string, std::shared_ptr<const Pattern>> patterns_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_JSON_SCHEMA_H_
