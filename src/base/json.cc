#include "src/base/json.h"

#include "src/base/status.h"

namespace toolformer {
namespace {

// The first offset at which more than `max_depth` arrays and objects are open, or npos.
size_t FindTooDeep(std::string_view text, int max_depth) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_depth) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::string_view::npos;
}

// Keeps nlohmann's parser from throwing and remembers where it failed.
class Handler : public nlohmann::detail::json_sax_dom_parser<nlohmann::json> {
 public:
  explicit Handler(nlohmann::json& target) : json_sax_dom_parser(target, /*allow_exceptions=*/false) {}

  template <typename Exception>
  bool parse_error(std::size_t position, const std::string& /*token*/, const Exception& error) {
    position_ = position;
    // nlohmann prefixes "[json.exception.parse_error.101] parse error at line L, column C: ".
    message_ = error.what();
    if (const size_t colon = message_.find(": "); colon != std::string::npos) message_ = message_.substr(colon + 2);
    return false;
  }

  size_t position_ = 0;
  std::string message_;
};

}  // namespace

absl::StatusOr<nlohmann::json> ParseJson(std::string_view text, int max_depth) {
  if (const size_t offset = FindTooDeep(text, max_depth); offset != std::string_view::npos) {
    return ResourceExhausted("JSON nests deeper than {} levels at byte {}", max_depth, offset);
  }
  // The parser takes a NUL for the end of its input and would not look behind it.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return InvalidArgument("not valid JSON at byte {}: a NUL byte", nul);
  }
  nlohmann::json value;
  Handler handler(value);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &handler)) {
    return InvalidArgument("not valid JSON at byte {}: {}", handler.position_, handler.message_);
  }
  return value;
}

std::string PrintJson(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string PrintJson(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace toolformer
