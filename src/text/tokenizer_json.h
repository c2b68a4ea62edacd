// The form that all tokenizers of Hugging Face folders but SentencePiece's are brought to.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "toolformer/tokenizer.h"

namespace toolformer {

// `root` as a tokenizer.json holds it. `file` begins the error messages, and files beside it say which tokens begin and
// end a text.
absl::StatusOr<std::shared_ptr<const Tokenizer>> MakeJsonTokenizer(const nlohmann::json& root, const std::string& file);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_H_
