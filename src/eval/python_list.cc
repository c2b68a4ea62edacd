#include "src/eval/python_list.h"

#include <cstdint>
#include <optional>

#include "src/base/status.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

std::optional<uint32_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<std::string>> Read() {
    std::vector<std::string> strings;
    if (!Take('[')) return Refuse("expected '['");
    bool more = !Take(']');
    while (more) {
      TF_ASSIGN_OR_RETURN(strings.emplace_back(), String());
      const bool comma = Take(',');
      more = !Take(']');
      if (more && !comma) return Refuse("expected ',' or ']'");
    }
    SkipBlanks();
    if (at_ != text_.size()) return Refuse("something follows the list");
    return strings;
  }

 private:
  absl::Status Refuse(std::string_view why) const {
    return InvalidArgument("not a list of strings as Python writes it: {} at byte {}", why, at_);
  }

  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  absl::StatusOr<std::string> String() {
    SkipBlanks();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return Refuse("expected a string");
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\') {
        TF_RETURN_IF_ERROR(Escape(&out));
      } else {
        out += text_[at_++];
      }
    }
    if (at_ == text_.size()) return Refuse("a string without its end");
    ++at_;
    return out;
  }

  // The escapes that Python writes for a string's characters.
  absl::Status Escape(std::string* out) {
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    int digits = 0;
    switch (kind) {
      case '\\':
      case '\'':
      case '"':
        *out += kind;
        break;
      case 'n':
        *out += '\n';
        break;
      case 'r':
        *out += '\r';
        break;
      case 't':
        *out += '\t';
        break;
      case 'x':
        digits = 2;
        break;
      case 'u':
        digits = 4;
        break;
      case 'U':
        digits = 8;
        break;
      default:
        return Refuse("an unknown escape");
    }
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const size_t at = at_ + 2 + i;
      const std::optional<uint32_t> digit = at < text_.size() ? HexDigit(text_[at]) : std::nullopt;
      if (!digit) return Refuse("an escape with too few digits");
      code = code * 16 + *digit;
    }
    if (digits > 0) {
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return Refuse("an escape of no character");
      AppendUtf8(code, out);
    }
    at_ += 2 + digits;
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadPythonList(std::string_view text) { return Reader(text).Read(); }

}  // namespace toolformer
