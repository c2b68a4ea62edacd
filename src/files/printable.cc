#include "src/files/printable.h"

#include <fmt/format.h>

#include <iterator>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

// C0, DEL and C1: terminals act on them.
bool IsControl(uint32_t code_point) { return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f); }

}  // namespace

std::string Printable(std::string_view text, size_t max_bytes) {
  const std::string_view shown = Utf8Prefix(text, max_bytes);
  std::string out;
  for (std::string_view rest = shown; !rest.empty();) {
    const CodePoint point = NextCodePoint(rest);
    const std::string_view bytes = rest.substr(0, point.length);
    if (point.valid && !IsControl(point.value)) {
      out.append(bytes);
    } else {
      for (const char c : bytes) fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint8_t>(c));
    }
    rest.remove_prefix(point.length);
  }
  if (shown.size() < text.size()) out += "...";
  return out;
}

bool IsProperName(std::string_view name) {
  if (name.empty()) return false;
  while (!name.empty()) {
    const CodePoint point = NextCodePoint(name);
    if (!point.valid || IsControl(point.value)) return false;
    name.remove_prefix(point.length);
  }
  return true;
}

}  // namespace toolformer
