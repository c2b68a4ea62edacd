#include "src/host/schema_prompt.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>

#include "src/base/json.h"
#include "src/base/status.h"
#include "toolformer/call_syntax.h"

namespace toolformer {

using nlohmann::json;

namespace {

constexpr size_t kMaxDescriptionBytes = 300, kMaxArgumentBytes = 120;
constexpr size_t kExamples = 2;

// A text that came with a schema, as part of a sentence: one line, bounded, nothing in it reads as a call.
std::string AsData(std::string_view text, size_t max_bytes) {
  std::string line = NeutralizeResult(text, max_bytes);
  std::string out;
  for (const char c : line) {
    const bool is_blank = c == ' ' || c == '\n' || c == '\t';
    if (!is_blank) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  return out;
}

std::string DescriptionOf(const json& schema) {
  const auto found = schema.is_object() ? schema.find("description") : schema.end();
  return schema.is_object() && found != schema.end() && found->is_string() ? found->get<std::string>() : "";
}

// "get_current_time", "GetCurrentTime": "get current time".
std::string InWords(std::string_view name) {
  std::string words;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (!std::isalnum(c)) {
      if (!words.empty() && words.back() != ' ') words += ' ';
      continue;
    }
    const bool starts_word = std::isupper(c) && i > 0 && std::islower(static_cast<unsigned char>(name[i - 1]));
    if (starts_word) words += ' ';
    words += static_cast<char>(std::tolower(c));
  }
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

// What stands in quotes behind "e.g." and the like: descriptions give their best examples there.
std::vector<std::string> QuotedExamples(std::string_view description) {
  std::vector<std::string> found;
  size_t at = std::string_view::npos;
  for (const std::string_view mark : {"e.g.", "for example", "For example", "such as", "like '", "like \""}) {
    at = std::min(at, description.find(mark));
  }
  while (at < description.size() && found.size() < kExamples) {
    const size_t begin = description.find_first_of("'\"`", at);
    if (begin == std::string_view::npos) break;
    const size_t end = description.find(description[begin], begin + 1);
    if (end == std::string_view::npos) break;
    if (end > begin + 1 && end - begin < 64) found.emplace_back(description.substr(begin + 1, end - begin - 1));
    at = end + 1;
  }
  return found;
}

json ByType(const Argument& argument) {
  const auto number = [&](const char* name, double otherwise) {
    const auto found = argument.schema.is_object() ? argument.schema.find(name) : argument.schema.end();
    return argument.schema.is_object() && found != argument.schema.end() && found->is_number() ? found->get<double>()
                                                                                               : otherwise;
  };
  if (argument.type == "boolean") return true;
  if (argument.type == "integer") {
    return static_cast<int64_t>(std::clamp(3.0, std::ceil(number("minimum", -1e15)),
                                           std::max(std::ceil(number("minimum", -1e15)), number("maximum", 1e15))));
  }
  if (argument.type == "number")
    return std::clamp(2.5, number("minimum", -1e300), std::max(number("minimum", -1e300), number("maximum", 1e300)));
  if (argument.type == "array") return json::array();
  if (argument.type == "object") return json::object();
  const std::string format = argument.schema.is_object() ? argument.schema.value("format", json("")).dump() : "";
  if (format == "\"date\"") return "2024-03-01";
  if (format == "\"date-time\"") return "2024-03-01T12:30:00Z";
  if (format == "\"time\"") return "12:30:00";
  if (format == "\"uri\"" || format == "\"url\"") return "https://example.com/";
  if (format == "\"email\"") return "someone@example.com";
  return "some " + InWords(argument.name);
}

// The `which`-th example of a value, from what the schema says of itself.
json ExampleValue(const Argument& argument, size_t which) {
  const json& schema = argument.schema;
  if (!schema.is_object()) return ByType(argument);
  if (schema.contains("const")) return schema["const"];
  for (const char* list : {"examples", "enum"}) {
    if (schema.contains(list) && schema[list].is_array() && !schema[list].empty()) {
      return schema[list][which % schema[list].size()];
    }
  }
  if (argument.type == "string" || argument.type.empty()) {
    const std::vector<std::string> quoted = QuotedExamples(DescriptionOf(schema));
    if (!quoted.empty()) return quoted[which % quoted.size()];
  }
  if (schema.contains("default") && !schema["default"].is_null()) return schema["default"];
  return ByType(argument);
}

std::string ValueInText(const json& value) { return value.is_string() ? value.get<std::string>() : PrintJson(value); }

// A text with a call of the tool; nothing where no call can be made up that the tool would take.
std::optional<ToolExample> MakeExample(const JsonSchema& schema, const std::vector<Argument>& arguments,
                                       const std::string& name, size_t which) {
  json values = json::object();
  std::string told;
  for (const Argument& argument : arguments) {
    if (!argument.is_required && arguments.size() > 1) continue;
    values[argument.name] = ExampleValue(argument, which);
    told += (told.empty() ? "" : " and ") + ValueInText(values[argument.name]);
  }
  if (!schema.Validate(values).ok()) return std::nullopt;
  const Call call{name, WriteInput(arguments, values)};
  const std::string words = InWords(name);
  std::string before, after;
  if (told.empty()) {
    before = which == 0 ? "Asked then, the " + words + " tool gave" : "What the " + words + " tool said that day was";
    after = " this answer.";
  } else {
    before = which == 0 ? "Asked about " + told + ", the " + words + " tool gave"
                        : "For " + told + " the " + words + " tool says";
    after = " what follows.";
  }
  ToolExample example{before + after, before + " " + PrintCall(call, std::nullopt) + after};
  const std::vector<CallSpan> calls = FindCalls(example.output);
  // Values may hold brackets and quotes that make another call of it, or none.
  if (calls.size() != 1 || calls[0].call != call || !FindCalls(example.input).empty()) return std::nullopt;
  return example;
}

}  // namespace

void DescribeTool(const JsonSchema& schema, const std::vector<Argument>& arguments, std::string_view description,
                  Tool* tool) {
  tool->takes_input = !arguments.empty();
  if (tool->instruction.empty()) {
    std::string text = "Your task is to add calls to a " + tool->name + " API to a piece of text.";
    if (const std::string purpose = AsData(description, kMaxDescriptionBytes); !purpose.empty()) {
      text += " What it is for: " + purpose + ".";
    }
    std::string form, meaning;
    const Argument* main = arguments.size() == 1 ? MainArgument(arguments) : nullptr;
    for (const Argument& argument : arguments) {
      if (!argument.is_required && arguments.size() > 1) continue;
      const std::string name = AsData(argument.name, kMaxArgumentBytes);
      form += (form.empty() ? "" : ", ") + (main != nullptr ? name : name + "=...");
      const std::string about = AsData(DescriptionOf(argument.schema), kMaxArgumentBytes);
      if (!about.empty()) meaning += fmt::format("{}{}\" is: {}", meaning.empty() ? ", where \"" : "; \"", name, about);
    }
    text += " You can call the API by writing \"[" + tool->name + "(" + form + ")]\"" + meaning + ".";
    tool->instruction = std::move(text);
  }
  if (!tool->examples.empty()) return;
  for (size_t which = 0; which < kExamples; ++which) {
    std::optional<ToolExample> example = MakeExample(schema, arguments, tool->name, which);
    if (example) tool->examples.push_back(*std::move(example));
  }
}

}  // namespace toolformer
