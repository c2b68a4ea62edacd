#include "src/eval/json_lines.h"

#include <utility>

#include "src/base/status.h"

namespace toolformer {

absl::StatusOr<bool> JsonLines::Next(nlohmann::json* entry) {
  while (!rest_.empty()) {
    ++number_;
    const size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
    absl::StatusOr<nlohmann::json> parsed = ParseJson(line);
    if (!parsed.ok()) return Refuse(std::string(parsed.status().message()));
    if (!parsed->is_object()) return Refuse("is not an object");
    *entry = *std::move(parsed);
    return true;
  }
  return false;
}

absl::Status JsonLines::Refuse(const std::string& why) const {
  return InvalidArgument("{}:{}: {}; {}", path_, number_, why, formats_);
}

absl::StatusOr<std::string> JsonLines::Text(const nlohmann::json& entry, const char* field) const {
  const auto found = entry.find(field);
  if (found == entry.end()) return Refuse(fmt::format("field '{}' is missing", field));
  if (!found->is_string()) return Refuse(fmt::format("field '{}' is not a string", field));
  return found->get<std::string>();
}

}  // namespace toolformer
