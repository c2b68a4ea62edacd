// Tools whose arguments a JSON Schema describes: how a model writes them, and what the tool gets.
#ifndef TOOLFORMER_TOOL_ARGUMENTS_H_
#define TOOLFORMER_TOOL_ARGUMENTS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/tool.h"

namespace toolformer {

// Reads what a model wrote between the parentheses of a call into a JSON object that its schema accepts. An input is
// one of
//
//     Time(Europe/London)                       the one argument, or the one that is required, as it stands
//     Time(zone=Europe/London, seconds=true)    name=value, parted by commas; a value in double quotes is a JSON string
//     Time({"zone": "Europe/London"})           a JSON object
//
// A value is a string, number or true/false as the schema says; lists and objects are JSON. Const and concurrent.
class TOOLFORMER_API ToolArguments {
 public:
  // `schema`: JSON Schema of an object (docs/tools.md says which keywords are followed; "" takes any object).
  // kInvalidArgument, naming the place, where it is none.
  static absl::StatusOr<std::shared_ptr<const ToolArguments>> Parse(std::string_view schema);
  ~ToolArguments();
  ToolArguments(const ToolArguments&) = delete;
  ToolArguments& operator=(const ToolArguments&) = delete;

  // The arguments as a JSON object. kInvalidArgument, naming the argument, where the schema does not accept them;
  // nothing is ever made up for one that is missing.
  absl::StatusOr<std::string> Read(std::string_view input) const;

  // "zone", "zone=..., seconds=..."; empty where there are no arguments.
  std::string Form() const;

  // Whether the schema names an argument.
  bool HasArgument(std::string_view name) const;

  // Fills what of a tool's prompt is empty, from its name, the schema and what the tool is for: takes_input,
  // instruction, examples. Texts that come with the schema are data: on one line, cut, without anything that reads as a
  // call.
  void Describe(std::string_view description, Tool* tool) const;

 private:
  class Impl;
  explicit ToolArguments(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// `call` as a ToolFunction that is given the arguments as a JSON object and is called only with those that `arguments`
// accepts.
TOOLFORMER_API ToolFunction
TakeArguments(std::shared_ptr<const ToolArguments> arguments,
              std::function<absl::StatusOr<std::string>(std::string_view json, const ToolContext& context)> call);

// `call` as a ToolFunction that is called only with inputs that `pattern` (PCRE2) matches from end to end; others are
// kInvalidArgument, and the message holds the pattern. kInvalidArgument where it is no pattern.
TOOLFORMER_API absl::StatusOr<ToolFunction> TakeInput(std::string_view pattern, ToolFunction call);

}  // namespace toolformer

#endif  // TOOLFORMER_TOOL_ARGUMENTS_H_
