#include "src/host/event_stream.h"

#include <utility>

namespace toolformer {

bool EventStream::Feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n' && std::exchange(after_cr_, false)) continue;  // CR LF is one line break
    after_cr_ = c == '\r';
    if (c != '\n' && c != '\r') {
      line_ += c;
    } else if (!EndLine()) {
      return false;
    }
  }
  return true;
}

bool EventStream::EndLine() {
  const std::string line = std::exchange(line_, "");
  if (line.empty()) {
    const std::string data = std::exchange(data_, "");
    return !std::exchange(has_data_, false) || data.empty() || on_data_(data);
  }
  const size_t colon = line.find(':');
  if (colon == 0) return true;  // a comment
  const std::string field = line.substr(0, colon);
  std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
  if (!value.empty() && value[0] == ' ') value.erase(0, 1);
  if (field == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (field == "id" && value.find('\0') == std::string::npos) {
    last_id_ = value;
  }
  return true;
}

}  // namespace toolformer
