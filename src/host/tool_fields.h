// The fields of one tool in a tools file, read strictly: each of its type, none that nobody asked for.
#ifndef TOOLFORMER_SRC_HOST_TOOL_FIELDS_H_
#define TOOLFORMER_SRC_HOST_TOOL_FIELDS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace toolformer {

// Remembers the first problem. A field that is absent leaves what it would be read into as it is.
class ToolFields {
 public:
  // `object` must outlive the fields. `place`: what stands before names of fields in messages, as in "parameters.".
  explicit ToolFields(const nlohmann::json& object, std::string place = "")
      : object_(object), place_(std::move(place)) {
    if (!object.is_object()) Fail("", "is not an object");
  }

  bool Has(const char* name) const { return object_.is_object() && object_.contains(name); }

  void Read(const char* name, std::string* out);
  void Read(const char* name, double* out);
  void Read(const char* name, int64_t* out);  // and other integers below, in their range
  void Read(const char* name, int* out);
  void Read(const char* name, size_t* out);
  void Read(const char* name, bool* out);
  void Read(const char* name, std::vector<std::string>* out);
  void ReadMilliseconds(const char* name, std::chrono::milliseconds* out);  // at least 1
  // An object of strings; where one is null, the value of the host's environment variable of that name, if there is
  // any; where one is {"environment": "NAME"}, that variable's, which then must exist.
  void ReadTexts(const char* name, std::map<std::string, std::string>* out);

  // A string that must be there and not be empty.
  std::string Required(const char* name);

  // The value of a field, or null where it is absent.
  const nlohmann::json* Take(const char* name);

  // Notes a problem with a field: "field 'name' is not a string".
  void Fail(std::string_view name, std::string_view problem);
  void Fail(std::string_view name, const absl::Status& status);

  // The first problem; of a field that nobody has read, too.
  absl::Status Finish();
  const absl::Status& status() const { return status_; }

 private:
  template <typename T>
  void ReadInteger(const char* name, T* out);

  const nlohmann::json& object_;
  const std::string place_;
  std::set<std::string> known_;
  absl::Status status_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_TOOL_FIELDS_H_
