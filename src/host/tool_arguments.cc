#include "toolformer/tool_arguments.h"

#include <algorithm>
#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/argument_table.h"
#include "src/host/pattern.h"
#include "src/host/schema_prompt.h"

namespace toolformer {

using nlohmann::json;

namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view SkipBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  return text;
}

// Where a value that starts at `begin` may end at the earliest: behind a quoted string or a bracketed piece of JSON.
size_t SkipNested(std::string_view text, size_t begin) {
  if (begin == text.size() || std::string_view("\"[{").find(text[begin]) == std::string_view::npos) return begin;
  int depth = 0;
  bool in_string = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    }
    if (!in_string && depth <= 0) return i + 1;
  }
  return begin;  // never closed: read as it stands
}

}  // namespace

class ToolArguments::Impl {
 public:
  explicit Impl(JsonSchema schema) : schema_(std::move(schema)), arguments_(ListArguments(schema_)) {}

  absl::StatusOr<std::string> Read(std::string_view input) const {
    TF_ASSIGN_OR_RETURN(const json values, ReadValues(input));
    if (const absl::Status valid = schema_.Validate(values); !valid.ok()) {
      const std::string form = Form();
      const std::string remedy = form.empty() ? "; there are no arguments" : "; arguments are written " + form;
      return absl::Status(valid.code(), std::string(valid.message()) + remedy);
    }
    return PrintJson(values);
  }

  bool HasArgument(std::string_view name) const {
    return std::any_of(arguments_.begin(), arguments_.end(), [&](const Argument& a) { return a.name == name; });
  }

  std::string Form() const {
    const Argument* main = MainArgument(arguments_);
    if (main != nullptr && arguments_.size() == 1) return main->name;
    std::string form;
    for (const Argument& argument : arguments_) form += (form.empty() ? "" : ", ") + argument.name + "=...";
    return form;
  }

  void Describe(std::string_view description, Tool* tool) const {
    DescribeTool(schema_, arguments_, description, tool);
  }

 private:
  absl::StatusOr<json> ReadValues(std::string_view input) const {
    input = SkipBlanks(input);
    while (!input.empty() && IsBlank(input.back())) input.remove_suffix(1);
    const Argument* main = MainArgument(arguments_);
    if (input.substr(0, 1) == "{") {
      absl::StatusOr<json> object = ParseJson(input);
      if (object.ok() && object->is_object()) return object;
      if (main == nullptr) return object.ok() ? InvalidArgument("the input is not a JSON object") : object.status();
    }
    if (input.empty() && (main == nullptr || !main->is_required)) return json::object();
    if (arguments_.empty()) return InvalidArgument("the tool takes no arguments");
    if (NameAt(input) != nullptr) return ReadPairs(input);
    if (main != nullptr) {
      TF_ASSIGN_OR_RETURN(json value, ReadArgument(*main, input));
      return json{{main->name, std::move(value)}};
    }
    return InvalidArgument("'{}': arguments are written {}", input.substr(0, 64), Form());
  }

  // The argument whose "name=" stands at the start of `text`, and how long that is.
  const Argument* NameAt(std::string_view text, size_t* length = nullptr) const {
    for (const Argument& argument : arguments_) {
      if (text.substr(0, argument.name.size()) != argument.name) continue;
      const std::string_view rest = SkipBlanks(text.substr(argument.name.size()));
      if (rest.substr(0, 1) != "=" || rest.substr(0, 2) == "==") continue;
      if (length != nullptr) *length = text.size() - rest.size() + 1;
      return &argument;
    }
    return nullptr;
  }

  absl::StatusOr<json> ReadPairs(std::string_view input) const {
    json values = json::object();
    while (!input.empty()) {
      size_t length = 0;
      const Argument* argument = NameAt(input, &length);
      if (argument == nullptr) {
        return InvalidArgument("'{}': arguments are written {}", input.substr(0, 64), Form());
      }
      input = SkipBlanks(input.substr(length));
      const size_t end = EndOfValue(input);
      TF_ASSIGN_OR_RETURN(json value, ReadArgument(*argument, input.substr(0, end)));
      if (!values.emplace(argument->name, std::move(value)).second) {
        return InvalidArgument("'{}' is given twice", argument->name);
      }
      input = SkipBlanks(input.substr(std::min(end + 1, input.size())));
    }
    return values;
  }

  // The comma before the next argument, or the end: a value without quotes may hold commas.
  size_t EndOfValue(std::string_view text) const {
    const size_t nested = SkipNested(text, 0);
    for (size_t comma = text.find(',', nested); comma != std::string_view::npos; comma = text.find(',', comma + 1)) {
      const bool is_last = nested > 0 && SkipBlanks(text.substr(nested, comma - nested)).empty();
      if (is_last || NameAt(SkipBlanks(text.substr(comma + 1))) != nullptr) return comma;
    }
    return text.size();
  }

  const JsonSchema schema_;
  const std::vector<Argument> arguments_;
};

ToolArguments::ToolArguments(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ToolArguments::~ToolArguments() = default;

absl::StatusOr<std::shared_ptr<const ToolArguments>> ToolArguments::Parse(std::string_view schema) {
  json parsed = {{"type", "object"}};
  if (!schema.empty()) {
    TF_ASSIGN_OR_RETURN(parsed, ParseJson(schema));
  }
  TF_ASSIGN_OR_RETURN(JsonSchema checked, JsonSchema::Parse(std::move(parsed)));
  return std::shared_ptr<const ToolArguments>(new ToolArguments(std::make_unique<Impl>(std::move(checked))));
}

absl::StatusOr<std::string> ToolArguments::Read(std::string_view input) const { return impl_->Read(input); }
bool ToolArguments::HasArgument(std::string_view name) const { return impl_->HasArgument(name); }
std::string ToolArguments::Form() const { return impl_->Form(); }
void ToolArguments::Describe(std::string_view description, Tool* tool) const { impl_->Describe(description, tool); }

ToolFunction TakeArguments(
    std::shared_ptr<const ToolArguments> arguments,
    std::function<absl::StatusOr<std::string>(std::string_view json, const ToolContext& context)> call) {
  return [arguments = std::move(arguments), call = std::move(call)](
             std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
    TF_ASSIGN_OR_RETURN(const std::string values, arguments->Read(input));
    return call(values, context);
  };
}

absl::StatusOr<ToolFunction> TakeInput(std::string_view pattern, ToolFunction call) {
  TF_RETURN_IF_ERROR(Pattern::Compile(pattern).status());  // by itself: "a)(b" is none
  TF_ASSIGN_OR_RETURN(const std::shared_ptr<const Pattern> whole,
                      Pattern::Compile(fmt::format("\\A(?:{})\\z", pattern)));
  return [whole, text = std::string(pattern), call = std::move(call)](
             std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
    TF_ASSIGN_OR_RETURN(const bool matches, whole->Matches(input));
    if (!matches) return InvalidArgument("'{}' is not of the form {}", input.substr(0, 64), text.substr(0, 200));
    return call(input, context);
  };
}

}  // namespace toolformer
