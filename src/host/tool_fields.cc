#include "src/host/tool_fields.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "src/base/status.h"

namespace toolformer {

using nlohmann::json;

const json* ToolFields::Take(const char* name) {
  known_.insert(name);
  if (!object_.is_object()) return nullptr;
  const auto field = object_.find(name);
  return field == object_.end() ? nullptr : &*field;
}

void ToolFields::Fail(std::string_view name, std::string_view problem) {
  if (!status_.ok()) return;
  if (name.empty()) {
    const std::string where = place_.empty() ? "the tool" : "field '" + place_.substr(0, place_.size() - 1) + "'";
    status_ = InvalidArgument("{} {}", where, problem);
  } else {
    status_ = InvalidArgument("field '{}{}' {}", place_, name, problem);
  }
}

void ToolFields::Fail(std::string_view name, const absl::Status& status) {
  if (status_.ok() && !status.ok()) status_ = toolformer::Annotate(status, fmt::format("field '{}{}'", place_, name));
}

void ToolFields::Read(const char* name, std::string* out) {
  const json* field = Take(name);
  if (field == nullptr) return;
  if (!field->is_string()) return Fail(name, "is not a string");
  *out = field->get<std::string>();
}

void ToolFields::Read(const char* name, double* out) {
  const json* field = Take(name);
  if (field == nullptr) return;
  if (!field->is_number()) return Fail(name, "is not a number");
  *out = field->get<double>();
}

template <typename T>
void ToolFields::ReadInteger(const char* name, T* out) {
  const json* field = Take(name);
  if (field == nullptr) return;
  if (!field->is_number_integer()) return Fail(name, "is not a whole number");
  // Signed and unsigned values that do not fit compare as such.
  const bool fits = field->is_number_unsigned()
                        ? field->get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max())
                        : field->get<int64_t>() >= 0 || std::numeric_limits<T>::is_signed;
  const auto value = fits ? field->get<int64_t>() : 0;
  if (!fits || (std::numeric_limits<T>::is_signed && value < static_cast<int64_t>(std::numeric_limits<T>::min()))) {
    return Fail(name, "is out of range");
  }
  *out = static_cast<T>(value);
}

void ToolFields::Read(const char* name, int64_t* out) { ReadInteger(name, out); }
void ToolFields::Read(const char* name, int* out) { ReadInteger(name, out); }
void ToolFields::Read(const char* name, size_t* out) { ReadInteger(name, out); }

void ToolFields::Read(const char* name, bool* out) {
  const json* field = Take(name);
  if (field == nullptr) return;
  if (!field->is_boolean()) return Fail(name, "is neither true nor false");
  *out = field->get<bool>();
}

void ToolFields::Read(const char* name, std::vector<std::string>* out) {
  const json* field = Take(name);
  if (field == nullptr) return;
  std::vector<std::string> texts;
  if (!field->is_array()) return Fail(name, "is not a list of strings");
  for (const json& text : *field) {
    if (!text.is_string()) return Fail(name, "is not a list of strings");
    texts.push_back(text.get<std::string>());
  }
  *out = std::move(texts);
}

void ToolFields::ReadMilliseconds(const char* name, std::chrono::milliseconds* out) {
  int64_t value = out->count();
  constexpr int64_t kYear = int64_t{1000} * 60 * 60 * 24 * 365;
  Read(name, &value);
  if (value < 1 || value > kYear) return Fail(name, "is not a number of milliseconds from 1 to a year");
  *out = std::chrono::milliseconds(value);
}

void ToolFields::ReadTexts(const char* name, std::map<std::string, std::string>* out) {
  const json* field = Take(name);
  if (field == nullptr) return;
  if (!field->is_object()) return Fail(name, "is not an object of strings");
  for (const auto& [key, value] : field->items()) {
    if (value.is_string()) {
      (*out)[key] = value.get<std::string>();
      continue;
    }
    const bool names_variable =
        value.is_object() && value.size() == 1 && value.contains("environment") && value["environment"].is_string();
    if (!value.is_null() && !names_variable) {
      return Fail(std::string(name) + "." + key, "is none of: a string, null, {\"environment\": \"NAME\"}");
    }
    const std::string variable = names_variable ? value["environment"].get<std::string>() : key;
    const char* found = std::getenv(variable.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (found != nullptr) {
      (*out)[key] = found;
    } else if (names_variable) {
      return Fail(std::string(name) + "." + key,
                  "is to be taken from the environment, which has no '" + variable + "'");
    }
  }
}

std::string ToolFields::Required(const char* name) {
  std::string text;
  Read(name, &text);
  if (text.empty()) Fail(name, Has(name) ? "is empty" : "is missing");
  return text;
}

absl::Status ToolFields::Finish() {
  if (!status_.ok() || !object_.is_object()) return status_;
  for (const auto& [name, value] : object_.items()) {
    if (known_.count(name) > 0) continue;
    std::string names;
    for (const std::string& each : known_) names += (names.empty() ? "" : ", ") + each;
    return InvalidArgument("field '{}{}' is unknown; there are: {}", place_, name.substr(0, 64), names);
  }
  return absl::OkStatus();
}

}  // namespace toolformer
