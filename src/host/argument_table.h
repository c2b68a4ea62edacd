// What a schema says of the arguments of a tool, one by one.
#ifndef TOOLFORMER_SRC_HOST_ARGUMENT_TABLE_H_
#define TOOLFORMER_SRC_HOST_ARGUMENT_TABLE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/host/json_schema.h"

namespace toolformer {

struct Argument {
  std::string name;
  std::string type;       // of JSON Schema; empty: any
  nlohmann::json schema;  // references followed
  bool is_required = false;
};

// In the order in which `required` lists them, then the others by name.
std::vector<Argument> ListArguments(const JsonSchema& schema);

// The argument that may be written without its name: the only one, or the only one that is required.
const Argument* MainArgument(const std::vector<Argument>& arguments);

// `text` as a value of the argument's type. kInvalidArgument, naming the argument.
absl::StatusOr<nlohmann::json> ReadArgument(const Argument& argument, std::string_view text);

// The reverse: how a model would write a value.
std::string WriteInput(const std::vector<Argument>& arguments, const nlohmann::json& values);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_ARGUMENT_TABLE_H_
