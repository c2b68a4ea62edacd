#include "src/text/tokenizer_folder.h"

#include <charconv>
#include <filesystem>
#include <map>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_limits.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

using nlohmann::json;

// An empty object where the file is not there.
absl::StatusOr<json> ReadObject(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return json(json::object());
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTokenizerConfigBytes));
  absl::StatusOr<json> object = ParseJson(text);
  if (!object.ok()) return Annotate(object.status(), path);
  if (!object->is_object()) return InvalidArgument("{}: not a JSON object", path);
  return object;
}

std::string StringOr(const json& object, const char* name) {
  const json& member = JsonMember(object, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

// The spelling of a token that is named by it or by an object that holds it; empty for what is neither.
std::string SpellingOf(const json& token) {
  if (token.is_string()) return token.get<std::string>();
  return token.is_object() ? StringOr(token, "content") : std::string();
}

}  // namespace

absl::StatusOr<TokenizerFolder> TokenizerFolder::Open(const std::string& folder) {
  TokenizerFolder out;
  out.folder_ = folder;
  TF_ASSIGN_OR_RETURN(out.tokenizer_config_, ReadObject(out.file("tokenizer_config.json")));
  TF_ASSIGN_OR_RETURN(out.special_tokens_map_, ReadObject(out.file("special_tokens_map.json")));
  TF_ASSIGN_OR_RETURN(out.added_tokens_, ReadObject(out.file("added_tokens.json")));
  TF_ASSIGN_OR_RETURN(out.config_, ReadObject(out.file("config.json")));
  return out;
}

std::string TokenizerFolder::file(const std::string& name) const {
  return (std::filesystem::path(folder_) / name).string();
}

std::string TokenizerFolder::TokenizerClass() const {
  std::string name = StringOr(tokenizer_config_, "tokenizer_class");
  if (name.empty()) name = StringOr(config_, "tokenizer_class");
  if (name.empty()) {
    constexpr std::pair<std::string_view, const char*> kFamilies[] = {{"gpt2", "GPT2Tokenizer"},
                                                                      {"gpt_neo", "GPT2Tokenizer"},
                                                                      {"gptj", "GPT2Tokenizer"},
                                                                      {"opt", "GPT2Tokenizer"},
                                                                      {"codegen", "CodeGenTokenizer"},
                                                                      {"roberta", "RobertaTokenizer"},
                                                                      {"bart", "BartTokenizer"},
                                                                      {"qwen2", "Qwen2Tokenizer"},
                                                                      {"qwen3", "Qwen2Tokenizer"},
                                                                      {"xglm", "XGLMTokenizer"},
                                                                      {"bert", "BertTokenizer"},
                                                                      {"distilbert", "DistilBertTokenizer"},
                                                                      {"xlm-roberta", "XLMRobertaTokenizer"},
                                                                      {"m2m_100", "NllbTokenizer"},
                                                                      {"t5", "T5Tokenizer"},
                                                                      {"mt5", "T5Tokenizer"}};
    const std::string family = StringOr(config_, "model_type");
    for (const auto& [model, tokenizer] : kFamilies) {
      if (family == model) name = tokenizer;
    }
  }
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

std::vector<json> TokenizerFolder::NamedTokens() const {
  std::vector<json> tokens;
  for (const json* config : {&tokenizer_config_, &special_tokens_map_}) {
    for (const char* name :
         {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
      tokens.push_back(JsonMember(*config, name));
    }
    for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
      const json& list = JsonMember(*config, name);
      if (!list.is_array() && !list.is_object()) continue;
      for (const json& token : list) tokens.push_back(token);
    }
  }
  return tokens;
}

absl::StatusOr<json> TokenizerFolder::AddedTokens(const std::function<int32_t(const std::string&)>& find) const {
  std::map<int64_t, json> by_id;
  std::map<std::string, int64_t> by_spelling;
  const json& decoder = JsonMember(tokenizer_config_, "added_tokens_decoder");
  const std::string where = file("tokenizer_config.json") + ": added_tokens_decoder";
  if (!decoder.is_null() && !decoder.is_object()) return InvalidArgument("{} is not an object", where);
  for (const auto& [key, token] : decoder.items()) {
    int32_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0) {
      return InvalidArgument("{} has the member {}, which is no id", where, Quote(key));
    }
    if (SpellingOf(token).empty()) return InvalidArgument("{}.{}.content is not a string", where, id);
    by_id[id] = token.is_object() ? token : json{{"content", token}};
    by_id[id]["id"] = id;
    by_spelling[SpellingOf(token)] = id;
  }
  for (const auto& [spelling, id] : added_tokens_.items()) {
    if (!id.is_number_integer()) {
      return InvalidArgument("{}: {} is not an id", file("added_tokens.json"), Quote(spelling));
    }
    if (by_spelling.contains(spelling)) continue;
    const int64_t number = id.get<int64_t>();
    by_id[number] = {{"id", id}, {"content", spelling}, {"normalized", false}};
    by_spelling[spelling] = number;
  }
  for (const json& token : NamedTokens()) {
    const std::string spelling = SpellingOf(token);
    if (spelling.empty()) continue;
    const auto known = by_spelling.find(spelling);
    const int64_t id = known != by_spelling.end() ? known->second : find(spelling);
    if (id < 0) continue;
    json& added = by_id[id];
    if (added.is_null()) added = {{"id", id}, {"content", spelling}};
    added["special"] = true;
    by_spelling[spelling] = id;
  }
  json list = json::array();
  for (auto& [id, token] : by_id) list.push_back(std::move(token));
  return list;
}

}  // namespace toolformer
