// Files of one JSON object a line, as sets of questions are published.
#ifndef TOOLFORMER_SRC_EVAL_JSON_LINES_H_
#define TOOLFORMER_SRC_EVAL_JSON_LINES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/base/json.h"

namespace toolformer {

// Lines that are not blank, parsed, with where they are. Keeps references to its arguments.
class JsonLines {
 public:
  // `formats` says what is read, for people who gave something else.
  JsonLines(const std::string& path, std::string_view content, std::string_view formats)
      : path_(path), rest_(content), formats_(formats) {}

  // False at the end.
  absl::StatusOr<bool> Next(nlohmann::json* entry);

  // What is wrong with the current line.
  absl::Status Refuse(const std::string& why) const;

  // A field of an entry of the current line.
  absl::StatusOr<std::string> Text(const nlohmann::json& entry, const char* field) const;

  int64_t number() const { return number_; }

 private:
  const std::string& path_;
  std::string_view rest_;
  const std::string_view formats_;
  int64_t number_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_JSON_LINES_H_
