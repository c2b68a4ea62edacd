#include "src/host/argument_table.h"

#include <algorithm>

#include "src/base/json.h"
#include "src/base/status.h"

namespace toolformer {

using nlohmann::json;

namespace {

// The type of a schema; of several the first that is not null, since that is what an optional argument looks like.
std::string TypeOf(const JsonSchema& whole, const json& schema) {
  if (!schema.is_object()) return "";
  if (const auto type = schema.find("type"); type != schema.end()) {
    if (type->is_string()) return type->get<std::string>();
    for (const json& each : *type) {
      if (each != json("null")) return each.get<std::string>();
    }
  }
  for (const char* forms : {"anyOf", "oneOf"}) {
    const auto found = schema.find(forms);
    if (found == schema.end() || !found->is_array()) continue;
    std::string type;
    for (const json& form : *found) {
      const json* resolved = whole.Resolve(form);
      if (resolved == nullptr || !resolved->is_object() || !resolved->contains("type")) return "";
      const json& each = resolved->at("type");
      if (each == json("null")) continue;
      if (!each.is_string() || (!type.empty() && type != each.get<std::string>())) return "";
      type = each.get<std::string>();
    }
    return type;
  }
  return "";
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Whether a string can stand without quotes and be read back.
bool IsPlain(std::string_view text) {
  return !text.empty() && Trim(text) == text && text.find_first_of("\",={}[]()\n\r\\") == std::string_view::npos;
}

std::string WriteValue(const Argument& argument, const json& value) {
  if (value.is_string() && argument.type == "string" && IsPlain(value.get_ref<const std::string&>())) {
    return value.get<std::string>();
  }
  return PrintJson(value);
}

}  // namespace

std::vector<Argument> ListArguments(const JsonSchema& schema) {
  std::vector<Argument> arguments;
  const json* root = schema.Resolve(schema.root());
  if (root == nullptr || !root->is_object()) return arguments;
  const json properties = root->value("properties", json::object());
  const auto add = [&](const std::string& name, bool is_required) {
    const bool known =
        std::any_of(arguments.begin(), arguments.end(), [&](const Argument& a) { return a.name == name; });
    if (known || (!is_required && !properties.contains(name))) return;
    const json own = properties.value(name, json::object());
    const json* resolved = schema.Resolve(own);
    Argument argument{name, "", resolved == nullptr ? own : *resolved, is_required};
    argument.type = TypeOf(schema, argument.schema);
    arguments.push_back(std::move(argument));
  };
  for (const json& name : root->value("required", json::array())) add(name.get<std::string>(), true);
  for (const auto& [name, unused] : properties.items()) add(name, false);
  return arguments;
}

const Argument* MainArgument(const std::vector<Argument>& arguments) {
  if (arguments.size() == 1) return arguments.data();
  const auto required =
      std::count_if(arguments.begin(), arguments.end(), [](const Argument& a) { return a.is_required; });
  return required == 1 ? arguments.data() : nullptr;  // the required ones come first
}

absl::StatusOr<json> ReadArgument(const Argument& argument, std::string_view text) {
  text = Trim(text);
  absl::StatusOr<json> value = ParseJson(text);
  if (argument.type == "string") {
    return value.ok() && value->is_string() ? *value : json(std::string(text));
  }
  if (value.ok()) return value;  // the schema says whether it is of the right type
  if (argument.type.empty()) return json(std::string(text));
  const std::string_view article =
      argument.type == "integer" || argument.type == "array" || argument.type == "object" ? "an" : "a";
  return InvalidArgument("'{}' is not {} {}: {}", argument.name, article, argument.type, text.substr(0, 64));
}

std::string WriteInput(const std::vector<Argument>& arguments, const json& values) {
  const Argument* main = MainArgument(arguments);
  if (main != nullptr && values.size() == 1 && values.contains(main->name))
    return WriteValue(*main, values[main->name]);
  std::string input;
  for (const Argument& argument : arguments) {
    if (!values.contains(argument.name)) continue;
    input += (input.empty() ? "" : ", ") + argument.name + "=" + WriteValue(argument, values[argument.name]);
  }
  return input;
}

}  // namespace toolformer
