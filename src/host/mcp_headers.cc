#include "src/host/mcp_headers.h"

#include <algorithm>
#include <set>

#include "src/base/json.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr const char* kAnnotation = "x-mcp-header";

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t j = 0; j < 3; ++j) three = three << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) out += j <= count ? kDigits[three >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// How often the annotation stands anywhere. JSON from outside nests no deeper than ParseJson lets it.
size_t CountAnnotations(const json& node) {
  size_t count = node.is_object() && node.contains(kAnnotation) ? 1 : 0;
  if (node.is_structured()) {
    for (const json& part : node) count += CountAnnotations(part);
  }
  return count;
}

// Those that chains of "properties" lead to.
absl::Status Collect(const json& node, std::vector<std::string>* path, std::vector<MirroredArgument>* out) {
  const auto properties = node.is_object() ? node.find("properties") : node.end();
  if (!node.is_object() || properties == node.end() || !properties->is_object()) return absl::OkStatus();
  for (const auto& [name, schema] : properties->items()) {
    path->push_back(name);
    if (schema.is_object() && schema.contains(kAnnotation)) {
      const json& header = schema[kAnnotation];
      const std::string type =
          schema.contains("type") && schema["type"].is_string() ? schema["type"].get<std::string>() : "";
      const bool is_primitive = type == "string" || type == "integer" || type == "boolean";
      if (!header.is_string() || !IsHeaderName(header.get<std::string>()) || !is_primitive) {
        return InvalidArgument("argument '{}' has an {} that cannot be followed", name.substr(0, 64), kAnnotation);
      }
      out->push_back({"Mcp-Param-" + header.get<std::string>(), *path});
    }
    TF_RETURN_IF_ERROR(Collect(schema, path, out));
    path->pop_back();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<MirroredArgument>> FindMirroredArguments(const json& schema) {
  std::vector<MirroredArgument> found;
  std::vector<std::string> path;
  TF_RETURN_IF_ERROR(Collect(schema, &path, &found));
  if (found.size() != CountAnnotations(schema)) {
    return InvalidArgument("an {} stands where none may", kAnnotation);
  }
  std::set<std::string> names;
  for (const MirroredArgument& each : found) {
    std::string lower = each.header;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!names.insert(lower).second) return InvalidArgument("header {} is asked for twice", each.header);
  }
  return found;
}

HttpHeaders MirrorArguments(const std::vector<MirroredArgument>& mirrored, const json& arguments) {
  HttpHeaders headers;
  for (const MirroredArgument& each : mirrored) {
    const json* at = &arguments;
    for (const std::string& step : each.path) {
      const auto member = at->is_object() ? at->find(step) : at->end();
      at = at->is_object() && member != at->end() ? &*member : nullptr;
      if (at == nullptr) break;
    }
    if (at == nullptr || at->is_null() || at->is_structured()) continue;
    headers.emplace_back(each.header, HeaderValue(at->is_string() ? at->get<std::string>() : PrintJson(*at)));
  }
  return headers;
}

std::string HeaderValue(std::string_view value) {
  constexpr std::string_view kBegin = "=?base64?", kEnd = "?=";
  const bool is_plain = std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; }) &&
                        (value.empty() || (value.front() != ' ' && value.back() != ' '));
  const bool looks_encoded = value.substr(0, kBegin.size()) == kBegin && value.size() >= kEnd.size() &&
                             value.substr(value.size() - kEnd.size()) == kEnd;
  if (is_plain && !looks_encoded) return std::string(value);
  return std::string(kBegin) + Base64(value) + std::string(kEnd);
}

}  // namespace toolformer
