// Names from files, made fit for one line of an error message.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_MESSAGES_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_MESSAGES_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "src/base/json.h"
#include "src/base/utf8.h"

namespace toolformer {

// `text` shortened, in quotes, control characters escaped.
inline std::string Quote(std::string_view text) {
  constexpr size_t kMaxQuotedBytes = 60;
  const std::string_view prefix = Utf8Prefix(text, kMaxQuotedBytes);
  std::string quoted = PrintJson(nlohmann::json(std::string(prefix)));
  if (prefix.size() < text.size()) quoted += "...";
  return quoted;
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_MESSAGES_H_
