#include "src/text/call_body.h"

#include <algorithm>

namespace toolformer {

BodyReading ReadCallBody(std::string_view text) {
  const size_t start = std::min(text.find_first_not_of(' '), text.size());
  if (start > kMaxInputBytes) return {BodyState::kNotACall, {}, 0};
  if (start == text.size()) return {BodyState::kGoOn, {}, 0};
  const CallScan scan = ScanCallBody(text.substr(start));
  if (scan.state == CallScanState::kIncomplete) return {BodyState::kGoOn, {}, 0};
  if (scan.state == CallScanState::kInvalid) return {BodyState::kNotACall, {}, 0};
  std::string_view rest = text.substr(start + scan.length);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (rest.empty() || rest == "-") return {BodyState::kGoOn, {}, 0};
  if (rest[0] != ']' && rest.substr(0, 2) != "->") return {BodyState::kNotACall, {}, 0};
  return {BodyState::kCall, scan.call, start + scan.length};
}

}  // namespace toolformer
