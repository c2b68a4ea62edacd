#include "src/text/tokenizer_json_fields.h"

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {

using nlohmann::json;

const json& JsonMember(const json& object, const char* name) {
  static const json* const kNull = new json;
  const auto member = object.find(name);
  return member == object.end() ? *kNull : *member;
}

absl::StatusOr<bool> JsonFlag(const json& object, const char* name, const std::string& where, const bool& otherwise) {
  const json& member = JsonMember(object, name);
  if (member.is_null()) return otherwise;
  if (!member.is_boolean()) return InvalidArgument("{}.{} is neither true nor false", where, name);
  return member.get<bool>();
}

absl::StatusOr<std::string> JsonString(const json& object, const char* name, const std::string& where,
                                       const std::string& otherwise) {
  const json& member = JsonMember(object, name);
  if (member.is_null()) return otherwise;
  if (!member.is_string()) return InvalidArgument("{}.{} is not a string", where, name);
  return member.get<std::string>();
}

absl::StatusOr<uint64_t> JsonCount(const json& object, const char* name, const std::string& where, uint64_t otherwise) {
  constexpr uint64_t kMax = uint64_t{1} << 53;
  const json& member = JsonMember(object, name);
  if (member.is_null()) return otherwise;
  const bool counts = member.is_number_unsigned() || (member.is_number_integer() && member.get<int64_t>() >= 0);
  if (!counts || member.get<uint64_t>() > kMax) {
    return InvalidArgument("{}.{} is {}; it must be an integer from 0 to 2^53", where, name, Quote(PrintJson(member)));
  }
  return member.get<uint64_t>();
}

absl::StatusOr<std::string> JsonType(const json& object, const std::string& where) {
  if (!object.is_object()) return InvalidArgument("{} is not an object", where);
  const json& type = JsonMember(object, "type");
  if (!type.is_string()) return InvalidArgument("{}.type is not a string", where);
  return type.get<std::string>();
}

absl::StatusOr<std::vector<JsonStep>> FlattenJsonSteps(const json& root, const char* member, const std::string& where) {
  std::vector<JsonStep> flat, stack;
  if (!root.is_null()) stack.push_back({&root, where});
  while (!stack.empty()) {
    const JsonStep top = std::move(stack.back());
    stack.pop_back();
    TF_ASSIGN_OR_RETURN(const std::string type, JsonType(*top.first, top.second));
    if (type != "Sequence") {
      flat.push_back(top);
      continue;
    }
    const json& members = JsonMember(*top.first, member);
    if (!members.is_array()) return InvalidArgument("{}.{} is not an array", top.second, member);
    for (size_t i = members.size(); i-- > 0;) {
      stack.push_back({&members[i], fmt::format("{}.{}[{}]", top.second, member, i)});
    }
  }
  return flat;
}

absl::StatusOr<JsonPattern> ParseJsonPattern(const json& step, const std::string& where) {
  const json& pattern = JsonMember(step, "pattern");
  if (pattern.is_object() && pattern.size() == 1) {
    const std::string kind = pattern.begin().key();
    if (pattern.begin()->is_string() && (kind == "String" || kind == "Regex")) {
      JsonPattern out;
      out.is_literal = kind == "String";
      const std::string& text = pattern.begin()->get_ref<const std::string&>();
      if (text.empty()) return InvalidArgument("{}.pattern is empty", where);
      if (out.is_literal) out.literal = text;
      auto regex = out.is_literal ? Regex::CompileLiteral(text) : Regex::Compile(text);
      if (!regex.ok()) return Annotate(regex.status(), where + ".pattern");
      out.regex = *std::move(regex);
      return out;
    }
  }
  return InvalidArgument("{}.pattern is neither {{\"String\": ..}} nor {{\"Regex\": ..}}", where);
}

}  // namespace toolformer
