// Where in a JSON value something stands: JSON pointers (RFC 6901) and the simple part of JSONPath (RFC 9535).
#ifndef TOOLFORMER_SRC_HOST_JSON_PATH_H_
#define TOOLFORMER_SRC_HOST_JSON_PATH_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

// What a JSON pointer points to, or null. An empty pointer points to the whole value.
const nlohmann::json* FindPointer(const nlohmann::json& value, std::string_view pointer);

// A path, read once and then used on many values.
class JsonPath {
 public:
  // "" or "/a/0/b": a pointer. "$.a[0]['b']", with [-1] from the end and [*] or .* for all: JSONPath. kInvalidArgument
  // for what is neither, filters and ".." among them.
  static absl::StatusOr<JsonPath> Parse(std::string_view text);

  // What stands there, as text: strings as they are, anything else as JSON; several results joined by ", ". kNotFound,
  // naming the step that leads nowhere.
  absl::StatusOr<std::string> Read(const nlohmann::json& value) const;

 private:
  struct All {};
  struct Step {
    std::string text;                                // as written, for messages
    std::variant<std::string, int64_t, All> target;  // a member (or, of a pointer, an index), an index, all
  };
  static absl::StatusOr<Step> ParseStep(std::string_view* rest);

  std::vector<Step> steps_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_JSON_PATH_H_
