#include "toolformer/document.h"

#include <string>
#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

// The string field `name`; empty where it is absent or null.
absl::StatusOr<std::string> OptionalString(const nlohmann::json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end() || field->is_null()) return std::string();
  if (!field->is_string()) {
    return InvalidArgument("document: field '{}' is a JSON {}, not a string", name, field->type_name());
  }
  return field->get<std::string>();
}

}  // namespace

absl::StatusOr<Document> ParseDocument(std::string_view json_line) {
  absl::StatusOr<nlohmann::json> parsed = ParseJson(json_line);
  if (!parsed.ok()) return Annotate(parsed.status(), "document");
  const nlohmann::json& object = *parsed;
  if (!object.is_object()) {
    return InvalidArgument("document: a JSON {} instead of an object with the field 'text'", object.type_name());
  }
  const auto text = object.find("text");
  if (text == object.end()) return InvalidArgument("document: field 'text' is missing");
  if (!text->is_string()) {
    return InvalidArgument("document: field 'text' is a JSON {}, not a string", text->type_name());
  }

  Document document;
  document.text = text->get<std::string>();
  if (const auto id = object.find("id"); id != object.end() && id->is_number()) {
    document.id = PrintJson(*id);
  } else {
    TF_ASSIGN_OR_RETURN(document.id, OptionalString(object, "id"));
  }
  TF_ASSIGN_OR_RETURN(document.url, OptionalString(object, "url"));
  TF_ASSIGN_OR_RETURN(const std::string date, OptionalString(object, "date"));
  // Corpora fill `date` in many ways; one that cannot be read says no more than one that is absent.
  document.date = ParseDate(date);
  if (!document.date) document.date = DateFromUrl(document.url);
  return document;
}

}  // namespace toolformer
