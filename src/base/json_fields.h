// Fields of JSON objects as C++ values.
#ifndef TOOLFORMER_SRC_BASE_JSON_FIELDS_H_
#define TOOLFORMER_SRC_BASE_JSON_FIELDS_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/status.h"

namespace toolformer {

// Reads fields of objects that ought to be ours; the first that is not as it should be is remembered.
class JsonFields {
 public:
  template <typename T>
  void Read(const nlohmann::json& object, const char* name, T* out) {
    const auto field = object.is_object() ? object.find(name) : object.end();
    if (!object.is_object() || field == object.end()) return Fail(name, "is missing");
    if (!Convert(*field, out)) Fail(name, "has the wrong type");
  }
  void ReadEach(const nlohmann::json& object, const char* name,
                const std::function<void(const nlohmann::json&)>& read) {
    const auto field = object.is_object() ? object.find(name) : object.end();
    if (!object.is_object() || field == object.end() || !field->is_array()) return Fail(name, "is not a list");
    for (const nlohmann::json& element : *field) read(element);
  }
  void Fail(const std::string& name, std::string_view problem) {
    if (status_.ok()) status_ = InvalidArgument("field '{}' {}", name, problem);
  }
  const absl::Status& status() const { return status_; }

 private:
  static bool Convert(const nlohmann::json& value, std::string* out) {
    return value.is_string() && (*out = value.get<std::string>(), true);
  }
  static bool Convert(const nlohmann::json& value, bool* out) {
    return value.is_boolean() && (*out = value.get<bool>(), true);
  }
  static bool Convert(const nlohmann::json& value, int64_t* out) {
    return value.is_number_integer() && (*out = value.get<int64_t>(), true);
  }
  static bool Convert(const nlohmann::json& value, double* out) {
    return value.is_number() && (*out = value.get<double>(), true);
  }
  static bool Convert(const nlohmann::json& value, std::vector<int32_t>* out) {
    if (!value.is_array()) return false;
    for (const nlohmann::json& element : value) {
      if (!element.is_number_integer()) return false;
      out->push_back(element.get<int32_t>());
    }
    return true;
  }

  absl::Status status_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_BASE_JSON_FIELDS_H_
