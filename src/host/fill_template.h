// Texts with places like "{input}", filled in so that what is filled in cannot leave its place.
#ifndef TOOLFORMER_SRC_HOST_FILL_TEMPLATE_H_
#define TOOLFORMER_SRC_HOST_FILL_TEMPLATE_H_

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

enum class TemplateKind {
  kUrl,   // percent-encoded, and only behind the host
  kForm,  // percent-encoded
  kJson,  // escaped within a string, a value elsewhere
  kText,  // as it is
};

// A template, read once. Const and concurrent.
class Template {
 public:
  // kInvalidArgument for a place in a URL's host. "{" that starts no name is text.
  static absl::StatusOr<Template> Parse(std::string_view text, TemplateKind kind);

  // The names of the places.
  std::set<std::string> Names() const;

  // `values`: an object; places of names that are not in it are left empty (in JSON outside a string: null).
  // kInvalidArgument for "." and ".." as a step of a URL's path, which would lead out of it.
  absl::StatusOr<std::string> Fill(const nlohmann::json& values) const;

 private:
  struct Piece {
    std::string text;        // before the place
    std::string name;        // empty: none behind the text
    bool in_string = false;  // of JSON
    bool in_path = false;    // of a URL
  };
  TemplateKind kind_ = TemplateKind::kText;
  std::vector<Piece> pieces_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_FILL_TEMPLATE_H_
