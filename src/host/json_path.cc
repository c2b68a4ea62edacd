#include "src/host/json_path.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "src/base/json.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kMaxResults = 1000;

// RFC 6901: no leading zeros, no sign.
std::optional<size_t> ArrayIndex(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return index;
}

const json* Member(const json& value, const std::string& name) {
  if (value.is_object()) {
    const auto found = value.find(name);
    return found == value.end() ? nullptr : &*found;
  }
  if (!value.is_array()) return nullptr;
  const std::optional<size_t> index = ArrayIndex(name);
  return index && *index < value.size() ? &value[*index] : nullptr;
}

// "~1" is '/', "~0" is '~'; nothing where a '~' stands before anything else.
std::optional<std::string> Unescape(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out += token[i];
    } else if (i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out += token[++i] == '0' ? '~' : '/';
    } else {
      return std::nullopt;
    }
  }
  return out;
}

// The tokens of a pointer; nothing where it is none.
std::optional<std::vector<std::string>> Tokens(std::string_view pointer) {
  std::vector<std::string> tokens;
  while (!pointer.empty()) {
    if (pointer[0] != '/') return std::nullopt;
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::optional<std::string> token = Unescape(pointer.substr(1, end - 1));
    if (!token) return std::nullopt;
    tokens.push_back(*std::move(token));
    pointer.remove_prefix(end);
  }
  return tokens;
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string TextOf(const json& value) { return value.is_string() ? value.get<std::string>() : PrintJson(value); }

}  // namespace

const json* FindPointer(const json& value, std::string_view pointer) {
  const auto tokens = Tokens(pointer);
  if (!tokens) return nullptr;
  const json* at = &value;
  for (const std::string& token : *tokens) {
    at = Member(*at, token);
    if (at == nullptr) return nullptr;
  }
  return at;
}

absl::StatusOr<JsonPath::Step> JsonPath::ParseStep(std::string_view* rest) {
  const std::string_view whole = *rest;
  const auto taken = [&](size_t bytes) {
    rest->remove_prefix(bytes);
    return std::string(whole.substr(0, bytes));
  };
  const absl::Status not_a_step = InvalidArgument(
      "'{}' is not a step of a path: there are .name, ['name'], [0], [-1], .* and [*]", whole.substr(0, 64));
  if (whole[0] == '.') {
    if (whole.substr(1, 1) == "*") return Step{taken(2), All{}};
    size_t end = 1;
    while (end < whole.size() && IsNameByte(whole[end])) ++end;
    if (end == 1) return not_a_step;
    const std::string name(whole.substr(1, end - 1));
    return Step{taken(end), name};
  }
  if (whole[0] != '[' || whole.size() < 3) return not_a_step;
  if (whole.substr(1, 2) == "*]") return Step{taken(3), All{}};
  if (whole[1] == '\'' || whole[1] == '"') {
    const size_t end = whole.find(whole[1], 2);
    if (end == std::string_view::npos || whole.substr(end + 1, 1) != "]") return not_a_step;
    const std::string name(whole.substr(2, end - 2));
    return Step{taken(end + 2), name};
  }
  const size_t end = whole.find(']');
  int64_t index = 0;
  if (end == std::string_view::npos) return not_a_step;
  const auto [stop, error] = std::from_chars(whole.data() + 1, whole.data() + end, index);
  if (error != std::errc() || stop != whole.data() + end) return not_a_step;
  return Step{taken(end + 1), index};
}

absl::StatusOr<JsonPath> JsonPath::Parse(std::string_view text) {
  if (text.size() > kMaxPathBytes) return InvalidArgument("a path of {} bytes; at most {}", text.size(), kMaxPathBytes);
  JsonPath path;
  if (text.substr(0, 1) == "$") {
    for (std::string_view rest = text.substr(1); !rest.empty();) {
      TF_ASSIGN_OR_RETURN(Step step, ParseStep(&rest));
      path.steps_.push_back(std::move(step));
    }
    return path;
  }
  auto tokens = Tokens(text);
  if (!tokens)
    return InvalidArgument("'{}' is neither a JSON pointer (/a/0/b) nor a path ($.a[0].b)", text.substr(0, 64));
  for (std::string& token : *tokens) path.steps_.push_back({"/" + token, std::move(token)});
  return path;
}

absl::StatusOr<std::string> JsonPath::Read(const json& value) const {
  std::vector<const json*> found = {&value};
  for (const Step& step : steps_) {
    std::vector<const json*> next;
    for (const json* at : found) {
      if (const auto* name = std::get_if<std::string>(&step.target)) {
        if (const json* member = Member(*at, *name)) next.push_back(member);
      } else if (const auto* index = std::get_if<int64_t>(&step.target)) {
        const auto size = static_cast<int64_t>(at->is_array() ? at->size() : 0);
        const int64_t place = *index < 0 ? size + *index : *index;
        if (place >= 0 && place < size) next.push_back(&(*at)[static_cast<size_t>(place)]);
      } else if (at->is_structured()) {
        for (const json& element : *at) next.push_back(&element);
      }
      if (next.size() > kMaxResults)
        return ResourceExhausted("'{}' leads to more than {} values", step.text, kMaxResults);
    }
    if (next.empty()) return NotFound("'{}' leads nowhere in the answer", step.text);
    found = std::move(next);
  }
  std::string out;
  for (const json* each : found) out += (each == found.front() ? "" : ", ") + TextOf(*each);
  return out;
}

}  // namespace toolformer
