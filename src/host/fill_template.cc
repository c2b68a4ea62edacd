#include "src/host/fill_template.h"

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/net/http_client.h"

namespace toolformer {
namespace {

bool IsNameByte(char c, bool is_first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (!is_first && ((c >= '0' && c <= '9') || c == '-' || c == '.'));
}

// The length of "{name}" at the start of `text`, or 0.
size_t PlaceLength(std::string_view text) {
  size_t i = 1;
  while (i < text.size() && IsNameByte(text[i], i == 1)) ++i;
  return text[0] == '{' && i > 1 && i < text.size() && text[i] == '}' ? i + 1 : 0;
}

// Whether a JSON string is open at the end of `text`, where one was open at its start or not.
bool EndsInString(std::string_view text, bool in_string) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && in_string) {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    }
  }
  return in_string;
}

std::string PlainText(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : PrintJson(value);
}

}  // namespace

absl::StatusOr<Template> Template::Parse(std::string_view text, TemplateKind kind) {
  Template parsed;
  parsed.kind_ = kind;
  Piece piece;
  const size_t slashes = text.find("//");
  const size_t path =
      slashes == std::string_view::npos ? std::string_view::npos : text.find_first_of("/?#", slashes + 2);
  const size_t query = text.find_first_of("?#");
  for (size_t i = 0; i < text.size();) {
    const size_t length = PlaceLength(text.substr(i));
    if (length == 0) {
      piece.text += text[i++];
      continue;
    }
    if (kind == TemplateKind::kUrl && (path == std::string_view::npos || i < path)) {
      return InvalidArgument("'{}' stands in the host of the URL; a model must not choose that",
                             text.substr(i, length));
    }
    piece.name = text.substr(i + 1, length - 2);
    piece.in_string = EndsInString(piece.text, !parsed.pieces_.empty() && parsed.pieces_.back().in_string);
    piece.in_path = i < query;
    parsed.pieces_.push_back(std::exchange(piece, {}));
    i += length;
  }
  parsed.pieces_.push_back(std::move(piece));
  return parsed;
}

std::set<std::string> Template::Names() const {
  std::set<std::string> names;
  for (const Piece& piece : pieces_) {
    if (!piece.name.empty()) names.insert(piece.name);
  }
  return names;
}

absl::StatusOr<std::string> Template::Fill(const nlohmann::json& values) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    out += piece.text;
    if (piece.name.empty()) continue;
    const auto found = values.find(piece.name);
    const bool is_absent = found == values.end();
    if (kind_ == TemplateKind::kJson && !piece.in_string) {
      out += is_absent ? "null" : PrintJson(*found);
      continue;
    }
    const std::string text = is_absent ? "" : PlainText(*found);
    switch (kind_) {
      case TemplateKind::kUrl:
        if (piece.in_path && (text == "." || text == "..")) {
          return InvalidArgument("'{}' cannot stand in the path of a URL", text);
        }
        [[fallthrough]];
      case TemplateKind::kForm:
        out += PercentEncode(text);
        break;
      case TemplateKind::kJson: {
        const std::string quoted = PrintJson(nlohmann::json(text));
        out.append(quoted, 1, quoted.size() - 2);
        break;
      }
      case TemplateKind::kText:
        out += text;
        break;
    }
  }
  return out;
}

}  // namespace toolformer
