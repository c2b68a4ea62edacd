// What stands beside the vocabulary in a Hugging Face folder that has no tokenizer.json.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_FOLDER_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_FOLDER_H_

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

class TokenizerFolder {  // NOLINT(bugprone-exception-escape): moving JSON throws nothing
 public:
  // Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json, as far as they are there.
  static absl::StatusOr<TokenizerFolder> Open(const std::string& folder);

  std::string file(const std::string& name) const;
  const nlohmann::json& tokenizer_config() const { return tokenizer_config_; }

  // The class of Hugging Face that reads the folder, without "Fast": from tokenizer_config.json or config.json, or by
  // the family of the model; empty where nothing says so.
  std::string TokenizerClass() const;

  // Tokens beside the vocabulary, as members of "added_tokens" of a tokenizer.json, by id. Kinds that files name
  // (bos_token, additional_special_tokens ..) are special; those without an id of their own are found by `find`, which
  // gives -1 for what is no piece: such a token is left out.
  absl::StatusOr<nlohmann::json> AddedTokens(const std::function<int32_t(const std::string&)>& find) const;

 private:
  std::vector<nlohmann::json> NamedTokens() const;

  std::string folder_;
  nlohmann::json tokenizer_config_, special_tokens_map_, added_tokens_, config_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_FOLDER_H_
