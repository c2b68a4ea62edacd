#include "src/host/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/host/json_path.h"

namespace toolformer {

using nlohmann::json;

namespace {

constexpr size_t kMaxSchemaBytes = 256 << 10;
constexpr int kMaxReferences = 32;  // that follow one another
constexpr int kMaxDepth = 200;      // of schemas within schemas while judging, references included
constexpr int kMaxSteps = 100'000;

constexpr std::array<std::string_view, 7> kTypes = {"null",   "boolean", "object", "array",
                                                    "number", "string",  "integer"};

const json* Find(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

bool IsInteger(const json& value) {
  if (value.is_number_integer()) return true;
  return value.is_number_float() && std::isfinite(value.get<double>()) &&
         std::trunc(value.get<double>()) == value.get<double>();
}

bool HasType(const json& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number();
  return IsInteger(value);
}

// Equal values; 1 and 1.0 are, true and 1 are not.
bool IsEqual(const json& a, const json& b) { return a == b; }

size_t CodePoints(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(NextCodePoint(text).length);
    ++count;
  }
  return count;
}

bool IsMultiple(const json& value, const json& step) {
  if (value.is_number_unsigned() && step.is_number_unsigned()) return value.get<uint64_t>() % step.get<uint64_t>() == 0;
  if (value.is_number_integer() && step.is_number_unsigned() && step.get<uint64_t>() <= INT64_MAX) {
    return value.get<int64_t>() % step.get<int64_t>() == 0;
  }
  const double ratio = value.get<double>() / step.get<double>();
  // Decimals are not exact: 0.3 is a multiple of 0.1.
  return std::fabs(ratio - std::round(ratio)) <= 1e-9 * std::max(1.0, std::fabs(ratio));
}

std::string Article(std::string_view type) {
  return (type == "integer" || type == "object" || type == "array" ? "an " : "a ") + std::string(type);
}

// What a value looks like in a message.
std::string Excerpt(const json& value) {
  constexpr size_t kMost = 60;
  std::string text = PrintJson(value);
  if (text.size() > kMost) text = std::string(Utf8Prefix(text, kMost)) + "...";
  return text;
}

bool IsCount(const json& value) { return IsInteger(value) && value.get<double>() >= 0; }

}  // namespace

// Reads a schema: everything in it is of the right kind, patterns compile, references lead somewhere.
class JsonSchema::Checker {
 public:
  explicit Checker(JsonSchema* schema) : schema_(schema) {}

  // Depth is that of the JSON, which ParseJson bounds; schemas that a program made are bounded here.
  absl::Status Check(const json& node, const std::string& place, int depth) {
    if (depth > kMaxJsonDepth) return ResourceExhausted("schema{}: nests deeper than {} levels", place, kMaxJsonDepth);
    if (!seen_.insert(&node).second || node.is_boolean()) return absl::OkStatus();
    if (!node.is_object()) return Bad(place, "is neither an object nor true or false");
    TF_RETURN_IF_ERROR(CheckType(node, place));
    TF_RETURN_IF_ERROR(CheckNumbers(node, place));
    if (const json* values = Find(node, "enum"); values != nullptr && !values->is_array()) {
      return Bad(place + "/enum", "is not a list");
    }
    TF_RETURN_IF_ERROR(CheckNames(node, "required", place));
    if (const json* pattern = Find(node, "pattern")) {
      if (!pattern->is_string()) return Bad(place + "/pattern", "is not a string");
      TF_RETURN_IF_ERROR(AddPattern(pattern->get<std::string>(), place + "/pattern"));
    }
    if (const json* reference = Find(node, "$ref")) {
      if (!reference->is_string()) return Bad(place + "/$ref", "is not a string");
      if (reference->get<std::string>().substr(0, 1) != "#") {
        return Unimplemented("schema{}/$ref: only references within the schema (#/...) are followed", place);
      }
      const json* target = schema_->Resolve(node);
      if (target == nullptr) return Bad(place + "/$ref", "leads nowhere");
      TF_RETURN_IF_ERROR(Check(*target, place + "/$ref", depth + 1));
    }
    return CheckParts(node, place, depth);
  }

 private:
  static absl::Status Bad(const std::string& place, std::string_view problem) {
    return InvalidArgument("schema{} {}", place, problem);
  }

  static absl::Status CheckType(const json& node, const std::string& place) {
    const json* type = Find(node, "type");
    if (type == nullptr) return absl::OkStatus();
    const auto is_type = [](const json& name) {
      return name.is_string() && std::count(kTypes.begin(), kTypes.end(), name.get<std::string>()) == 1;
    };
    const bool good = type->is_array() ? std::all_of(type->begin(), type->end(), is_type) : is_type(*type);
    return good ? absl::OkStatus() : Bad(place + "/type", "is no type");
  }

  static absl::Status CheckNumbers(const json& node, const std::string& place) {
    for (const char* name : {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}) {
      const json* count = Find(node, name);
      if (count != nullptr && !IsCount(*count)) return Bad(place + "/" + name, "is not a count");
    }
    for (const char* name : {"minimum", "maximum", "multipleOf"}) {
      const json* number = Find(node, name);
      if (number != nullptr && !number->is_number()) return Bad(place + "/" + name, "is not a number");
    }
    const json* multiple = Find(node, "multipleOf");
    if (multiple != nullptr && !(multiple->get<double>() > 0)) return Bad(place + "/multipleOf", "is not above 0");
    return absl::OkStatus();
  }

  static absl::Status CheckNames(const json& node, const char* name, const std::string& place) {
    const json* names = Find(node, name);
    if (names == nullptr) return absl::OkStatus();
    const bool good =
        names->is_array() && std::all_of(names->begin(), names->end(), [](const json& n) { return n.is_string(); });
    return good ? absl::OkStatus() : Bad(place + "/" + name, "is not a list of names");
  }

  absl::Status AddPattern(const std::string& pattern, const std::string& place) {
    if (schema_->patterns_.count(pattern) > 0) return absl::OkStatus();
    auto compiled = Pattern::Compile(pattern);
    if (!compiled.ok()) return toolformer::Annotate(compiled.status(), "schema" + place);
    schema_->patterns_.emplace(pattern, *std::move(compiled));
    return absl::OkStatus();
  }

  absl::Status CheckParts(const json& node, const std::string& place, int depth) {
    for (const char* name :
         {"additionalProperties", "additionalItems", "propertyNames", "contains", "not", "if", "then", "else"}) {
      if (const json* part = Find(node, name)) TF_RETURN_IF_ERROR(Check(*part, place + "/" + name, depth + 1));
    }
    for (const char* name : {"properties", "patternProperties", "$defs", "definitions"}) {
      const json* parts = Find(node, name);
      if (parts == nullptr) continue;
      if (!parts->is_object()) return Bad(place + "/" + name, "is not an object");
      for (const auto& [key, part] : parts->items()) {
        const std::string at = place + "/" + name + "/" + key.substr(0, 64);
        if (std::string_view(name) == "patternProperties") TF_RETURN_IF_ERROR(AddPattern(key, at));
        TF_RETURN_IF_ERROR(Check(part, at, depth + 1));
      }
    }
    for (const char* name : {"allOf", "anyOf", "oneOf", "prefixItems"}) {
      const json* parts = Find(node, name);
      if (parts == nullptr) continue;
      if (!parts->is_array()) return Bad(place + "/" + name, "is not a list");
      for (const json& part : *parts) TF_RETURN_IF_ERROR(Check(part, place + "/" + name, depth + 1));
    }
    const json* items = Find(node, "items");
    if (items == nullptr) return absl::OkStatus();
    if (!items->is_array()) return Check(*items, place + "/items", depth + 1);
    for (const json& part : *items) TF_RETURN_IF_ERROR(Check(part, place + "/items", depth + 1));  // before 2020-12
    return absl::OkStatus();
  }

  JsonSchema* schema_;
  std::set<const json*> seen_;
};

// One value being judged.
class Validation {
 public:
  explicit Validation(const JsonSchema& schema) : schema_(schema) {}

  // What is wrong with `value` by `node`; empty where nothing is. After `failed()` it means nothing.
  std::string Judge(const json& node, const json& value, const std::string& place) {
    if (++steps_ > kMaxSteps || depth_ >= kMaxDepth) exhausted_ = true;
    if (exhausted_) return "cannot be judged";
    if (node.is_boolean()) return node.get<bool>() ? "" : Say(place, "is not wanted");
    ++depth_;
    std::string problem = JudgeNode(node, value, place);
    --depth_;
    return problem;
  }
  bool exhausted() const { return exhausted_; }

 private:
  using Judgement = std::string (Validation::*)(const json&, const json&, const std::string&);

  static std::string Say(const std::string& place, std::string_view problem) {
    return (place.empty() ? "the whole" : "'" + place + "'") + " " + std::string(problem);
  }
  static std::string Below(const std::string& place, const std::string& name) {
    return place.empty() ? name.substr(0, 64) : place + "." + name.substr(0, 64);
  }

  std::string JudgeNode(const json& node, const json& value, const std::string& place) {
    if (const json* reference = Find(node, "$ref")) {
      const json* target = reference->is_string() ? FindReference(reference->get<std::string>()) : nullptr;
      if (target == nullptr) return Say(place, "cannot be judged");
      if (std::string problem = Judge(*target, value, place); !problem.empty()) return problem;
    }
    if (std::string problem = JudgeType(node, value, place); !problem.empty()) return problem;
    for (const Judgement judge : {&Validation::JudgeNumber, &Validation::JudgeString, &Validation::JudgeArray,
                                  &Validation::JudgeObject, &Validation::JudgeCombined}) {
      if (std::string problem = (this->*judge)(node, value, place); !problem.empty()) return problem;
    }
    return "";
  }

  const json* FindReference(std::string_view reference) const {
    return FindPointer(schema_.root(), reference.substr(1));
  }

  static std::string JudgeType(const json& node, const json& value, const std::string& place) {
    if (const json* type = Find(node, "type")) {
      if (type->is_string() && !HasType(value, type->get<std::string>())) {
        return Say(place, "is not " + Article(type->get<std::string>()));
      }
      if (type->is_array() && std::none_of(type->begin(), type->end(),
                                           [&](const json& t) { return HasType(value, t.get<std::string>()); })) {
        return Say(place, "is of none of the types " + Excerpt(*type));
      }
    }
    if (const json* wanted = Find(node, "const"); wanted != nullptr && !IsEqual(*wanted, value)) {
      return Say(place, "is not " + Excerpt(*wanted));
    }
    if (const json* values = Find(node, "enum")) {
      if (std::none_of(values->begin(), values->end(), [&](const json& v) { return IsEqual(v, value); })) {
        return Say(place, "is none of " + Excerpt(*values));
      }
    }
    return "";
  }

  std::string JudgeNumber(const json& node, const json& value, const std::string& place) {
    if (!value.is_number()) return "";
    const auto number = value.get<long double>();
    const auto bound = [&](const char* name) -> const json* {
      const json* at = Find(node, name);
      return at != nullptr && at->is_number() ? at : nullptr;  // drafts 3 and 4 have exclusiveMinimum: true
    };
    const auto is_strict = [&](const char* name) { return node.contains(name) && node.at(name) == json(true); };
    if (const json* least = bound("minimum")) {
      const auto limit = least->get<long double>();
      if (number < limit || (is_strict("exclusiveMinimum") && number == limit)) {
        return Say(place, "is below " + Excerpt(*least));
      }
    }
    if (const json* most = bound("maximum")) {
      const auto limit = most->get<long double>();
      if (number > limit || (is_strict("exclusiveMaximum") && number == limit)) {
        return Say(place, "is above " + Excerpt(*most));
      }
    }
    if (const json* least = bound("exclusiveMinimum"); least != nullptr && number <= least->get<long double>()) {
      return Say(place, "is not above " + Excerpt(*least));
    }
    if (const json* most = bound("exclusiveMaximum"); most != nullptr && number >= most->get<long double>()) {
      return Say(place, "is not below " + Excerpt(*most));
    }
    const json* step = bound("multipleOf");
    if (step != nullptr && !IsMultiple(value, *step)) return Say(place, "is not a multiple of " + Excerpt(*step));
    return "";
  }

  std::string JudgeString(const json& node, const json& value, const std::string& place) {
    if (!value.is_string()) return "";
    const auto& text = value.get_ref<const std::string&>();
    const json *least = Find(node, "minLength"), *most = Find(node, "maxLength");
    if (least != nullptr || most != nullptr) {
      const auto length = static_cast<double>(CodePoints(text));
      if (least != nullptr && length < least->get<double>())
        return Say(place, "has fewer than " + Excerpt(*least) + " characters");
      if (most != nullptr && length > most->get<double>())
        return Say(place, "has more than " + Excerpt(*most) + " characters");
    }
    const json* pattern = Find(node, "pattern");
    if (pattern == nullptr || Matches(pattern->get<std::string>(), text)) return "";
    return Say(place, "does not match the pattern " + Excerpt(*pattern));
  }

  bool Matches(const std::string& pattern, const std::string& text) {
    const auto compiled = schema_.patterns_.find(pattern);
    steps_ += 100;  // a match costs more than any other step
    if (compiled == schema_.patterns_.end()) return true;
    const absl::StatusOr<bool> matches = compiled->second->Matches(text);
    if (!matches.ok()) exhausted_ = true;
    return matches.ok() && *matches;
  }

  std::string JudgeArray(const json& node, const json& value, const std::string& place) {
    if (!value.is_array()) return "";
    const auto size = static_cast<double>(value.size());
    if (const json* least = Find(node, "minItems"); least != nullptr && size < least->get<double>()) {
      return Say(place, "has fewer than " + Excerpt(*least) + " elements");
    }
    if (const json* most = Find(node, "maxItems"); most != nullptr && size > most->get<double>()) {
      return Say(place, "has more than " + Excerpt(*most) + " elements");
    }
    if (const json* unique = Find(node, "uniqueItems"); unique != nullptr && *unique == json(true)) {
      std::set<json> seen;
      for (const json& element : value) {
        ++steps_;
        if (!seen.insert(element).second) return Say(place, "has equal elements");
      }
    }
    const json *items = Find(node, "items"), *first = Find(node, "prefixItems");
    if (items != nullptr && items->is_array()) {  // before 2020-12
      first = items;
      items = Find(node, "additionalItems");
    }
    const size_t fixed = first == nullptr ? 0 : first->size();
    for (size_t i = 0; i < value.size(); ++i) {
      const json* schema = i < fixed ? &(*first)[i] : items;
      if (schema == nullptr) break;
      std::string problem = Judge(*schema, value[i], fmt::format("{}[{}]", place, i));
      if (!problem.empty()) return problem;
    }
    return JudgeContains(node, value, place);
  }

  std::string JudgeContains(const json& node, const json& value, const std::string& place) {
    const json* wanted = Find(node, "contains");
    if (wanted == nullptr) return "";
    double count = 0;
    for (const json& element : value) count += Judge(*wanted, element, place).empty() ? 1 : 0;
    const json *least = Find(node, "minContains"), *most = Find(node, "maxContains");
    const double fewest = least != nullptr && least->is_number() ? least->get<double>() : 1;
    if (count < fewest) return Say(place, "lacks an element of the kind that it must contain");
    if (most != nullptr && most->is_number() && count > most->get<double>()) {
      return Say(place, "contains too many elements of a kind");
    }
    return "";
  }

  std::string JudgeObject(const json& node, const json& value, const std::string& place) {
    if (!value.is_object()) return "";
    if (const json* required = Find(node, "required")) {
      for (const json& name : *required) {
        if (!value.contains(name.get<std::string>())) return Say(Below(place, name.get<std::string>()), "is missing");
      }
    }
    const auto size = static_cast<double>(value.size());
    if (const json* least = Find(node, "minProperties"); least != nullptr && size < least->get<double>()) {
      return Say(place, "has fewer than " + Excerpt(*least) + " members");
    }
    if (const json* most = Find(node, "maxProperties"); most != nullptr && size > most->get<double>()) {
      return Say(place, "has more than " + Excerpt(*most) + " members");
    }
    if (const json* needs = Find(node, "dependentRequired"); needs != nullptr && needs->is_object()) {
      for (const auto& [name, others] : needs->items()) {
        if (!value.contains(name) || !others.is_array()) continue;
        for (const json& other : others) {
          if (other.is_string() && !value.contains(other.get<std::string>())) {
            return Say(Below(place, other.get<std::string>()), "is missing, which '" + name.substr(0, 64) + "' needs");
          }
        }
      }
    }
    const json* names = Find(node, "propertyNames");
    for (const auto& [name, member] : value.items()) {
      if (names != nullptr && !Judge(*names, json(name), "").empty())
        return Say(Below(place, name), "is not a name allowed here");
      if (std::string problem = JudgeMember(node, name, member, Below(place, name)); !problem.empty()) return problem;
    }
    return "";
  }

  std::string JudgeMember(const json& node, const std::string& name, const json& member, const std::string& place) {
    bool known = false;
    if (const json* properties = Find(node, "properties")) {
      if (const auto schema = properties->find(name); schema != properties->end()) {
        known = true;
        if (std::string problem = Judge(*schema, member, place); !problem.empty()) return problem;
      }
    }
    if (const json* patterns = Find(node, "patternProperties")) {
      for (const auto& [pattern, schema] : patterns->items()) {
        if (!Matches(pattern, name)) continue;
        known = true;
        if (std::string problem = Judge(schema, member, place); !problem.empty()) return problem;
      }
    }
    const json* others = Find(node, "additionalProperties");
    if (known || others == nullptr) return "";
    if (others->is_boolean()) return others->get<bool>() ? "" : Say(place, "is not among the arguments");
    return Judge(*others, member, place);
  }

  std::string JudgeCombined(const json& node, const json& value, const std::string& place) {
    if (const json* all = Find(node, "allOf")) {
      for (const json& part : *all) {
        if (std::string problem = Judge(part, value, place); !problem.empty()) return problem;
      }
    }
    if (const json* any = Find(node, "anyOf"); any != nullptr && !any->empty()) {
      std::string first;
      const bool fits = std::any_of(any->begin(), any->end(), [&](const json& part) {
        std::string problem = Judge(part, value, place);
        if (first.empty()) first = problem;
        return problem.empty();
      });
      if (!fits) return any->size() == 1 ? first : Say(place, "fits none of the forms allowed (" + first + ")");
    }
    if (const json* one = Find(node, "oneOf")) {
      const auto fits =
          std::count_if(one->begin(), one->end(), [&](const json& part) { return Judge(part, value, place).empty(); });
      if (fits != 1) return Say(place, fmt::format("fits {} of the forms of which it must fit one", fits));
    }
    if (const json* not_wanted = Find(node, "not"); not_wanted != nullptr && Judge(*not_wanted, value, place).empty()) {
      return exhausted_ ? "cannot be judged" : Say(place, "is of a form that is not allowed");
    }
    const json* condition = Find(node, "if");
    if (condition == nullptr) return "";
    const json* then = Find(node, Judge(*condition, value, place).empty() ? "then" : "else");
    return then == nullptr ? "" : Judge(*then, value, place);
  }

  const JsonSchema& schema_;
  int steps_ = 0, depth_ = 0;
  bool exhausted_ = false;
};

absl::StatusOr<JsonSchema> JsonSchema::Parse(json schema) {
  if (const size_t bytes = PrintJson(schema).size(); bytes > kMaxSchemaBytes) {
    return ResourceExhausted("a schema of {} bytes; at most {}", bytes, kMaxSchemaBytes);
  }
  JsonSchema parsed;
  parsed.schema_ = std::make_shared<const json>(std::move(schema));
  TF_RETURN_IF_ERROR(Checker(&parsed).Check(*parsed.schema_, "", 0));
  return parsed;
}

absl::Status JsonSchema::Validate(const json& value) const {
  Validation validation(*this);
  const std::string problem = validation.Judge(*schema_, value, "");
  if (validation.exhausted()) return ResourceExhausted("judging the value by its schema takes too many steps");
  return problem.empty() ? absl::OkStatus() : InvalidArgument("{}", problem);
}

const json* JsonSchema::Resolve(const json& schema) const {
  const json* at = &schema;
  for (int i = 0; i < kMaxReferences; ++i) {
    const json* reference = at->is_object() ? Find(*at, "$ref") : nullptr;
    if (reference == nullptr) return at;
    if (!reference->is_string() || reference->get<std::string>().substr(0, 1) != "#") return nullptr;
    at = FindPointer(*schema_, reference->get<std::string>().substr(1));
    if (at == nullptr) return nullptr;
  }
  return nullptr;
}

}  // namespace toolformer
