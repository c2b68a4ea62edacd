// JSON from outside: bounded depth, errors with their byte offset, no exceptions.
#ifndef TOOLFORMER_SRC_BASE_JSON_H_
#define TOOLFORMER_SRC_BASE_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace toolformer {

inline constexpr int kMaxJsonDepth = 64;

// The whole of `text` as one value. kInvalidArgument with the offset of the error; kResourceExhausted where arrays and
// objects nest deeper than `max_depth`.
absl::StatusOr<nlohmann::json> ParseJson(std::string_view text, int max_depth = kMaxJsonDepth);

// One line; invalid UTF-8 in strings becomes U+FFFD.
std::string PrintJson(const nlohmann::json& value);
std::string PrintJson(const nlohmann::ordered_json& value);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_JSON_H_
