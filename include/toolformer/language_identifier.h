// Which language a text is in, by a model of fastText (lid.176 and any other supervised one).
#ifndef TOOLFORMER_LANGUAGE_IDENTIFIER_H_
#define TOOLFORMER_LANGUAGE_IDENTIFIER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"

namespace toolformer {

struct TOOLFORMER_API IdentifiedLanguage {
  std::string label;        // without fastText's "__label__": "de"
  double confidence = 0.0;  // 0 to 1
};

// Immutable; const methods are safe to call from several threads at once.
class TOOLFORMER_API LanguageIdentifier {
 public:
  virtual ~LanguageIdentifier() = default;

  // Loads a supervised model of fastText in its own format, version 11 or 12: plain (.bin) or quantised (.ftz), with
  // the loss softmax, hierarchical softmax, negative sampling or one-vs-all. The file is mapped, not copied. Every size
  // in it is checked against the file. kNotFound, kInvalidArgument (corrupt: names the field), kUnimplemented (not
  // supervised; another version).
  static absl::StatusOr<std::shared_ptr<const LanguageIdentifier>> Load(const std::string& path);

  // The `most` most probable labels, best first; none where no part of the text is known to the model. Line breaks
  // count as blanks. Linear time in the length of the text.
  virtual std::vector<IdentifiedLanguage> Identify(std::string_view text, size_t most) const = 0;

  virtual const std::vector<std::string>& labels() const = 0;

  // Hash of the file: tells models apart.
  virtual std::string fingerprint() const = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_LANGUAGE_IDENTIFIER_H_
