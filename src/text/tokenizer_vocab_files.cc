// Tokenizers of folders with vocab.json and merges.txt (GPT-2 and its kin) or with vocab.txt (BERT): brought to the
// form of a tokenizer.json, as Hugging Face converts them.
#include <algorithm>
#include <span>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_folder.h"
#include "src/text/tokenizer_json.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_limits.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr std::string_view kByteLevelClasses[] = {"GPT2Tokenizer", "BartTokenizer", "CodeGenTokenizer",
                                                  "Qwen2Tokenizer", "RobertaTokenizer"};
constexpr std::string_view kWordPieceClasses[] = {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"};

absl::StatusOr<std::string> CheckClass(const TokenizerFolder& folder, std::span<const std::string_view> supported) {
  const std::string name = folder.TokenizerClass();
  if (name.empty()) return std::string(supported[0]);
  if (std::find(supported.begin(), supported.end(), name) != supported.end()) return name;
  std::string names;
  for (const std::string_view known : supported) names += (names.empty() ? "" : ", ") + std::string(known);
  return Unimplemented("{}: tokenizer_class is {}; supported without a tokenizer.json are, with these files, {}",
                       folder.file("tokenizer_config.json"), Quote(name), names);
}

// The lines of a text file, without their ends; an empty last one is none.
absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTokenizerFileBytes));
  if (!IsValidUtf8(text)) return InvalidArgument("{}: not valid UTF-8", path);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    begin = end + 1;
  }
  return lines;
}

absl::StatusOr<json> ReadMergeLines(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  json merges = json::array();
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() || (i == 0 && lines[i].starts_with("#version"))) continue;
    const std::optional<MergeParts> parts = SplitMerge(lines[i]);
    if (!parts) {
      return InvalidArgument("{}: line {} is {}; it must be two pieces and a space between them", path, i + 1,
                             Quote(lines[i]));
    }
    merges.push_back({std::string(parts->first), std::string(parts->second)});
  }
  if (merges.empty()) return InvalidArgument("{}: no merges", path);
  return merges;
}

std::function<int32_t(const std::string&)> FinderIn(const json& vocabulary) {
  return [&vocabulary](const std::string& piece) {
    const auto found = vocabulary.find(piece);
    const bool is_id = found != vocabulary.end() && found->is_number_unsigned() && found->get<uint64_t>() < INT32_MAX;
    return is_id ? found->get<int32_t>() : -1;
  };
}

absl::StatusOr<json> MakeByteLevelSteps(const TokenizerFolder& folder, const std::string& name) {
  const std::string where = folder.file("tokenizer_config.json");
  TF_ASSIGN_OR_RETURN(const bool prefix, JsonFlag(folder.tokenizer_config(), "add_prefix_space", where, false));
  json root = {{"decoder", {{"type", "ByteLevel"}}}};
  if (name != "Qwen2Tokenizer") {
    root["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", prefix}};
    return root;
  }
  TF_ASSIGN_OR_RETURN(const PreTokenizerPreset* preset, FindPreTokenizerPreset("qwen2"));
  const json cut = {{"type", "Split"}, {"pattern", {{"Regex", std::string(preset->cuts[0].pattern)}}}};
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"use_regex", false}};
  root["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array({cut, bytes})}};
  root["normalizer"] = {{"type", "NFC"}};
  return root;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadMergesTokenizer(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const TokenizerFolder folder, TokenizerFolder::Open(path));
  TF_ASSIGN_OR_RETURN(const std::string name, CheckClass(folder, kByteLevelClasses));
  const std::string file = folder.file("vocab.json");
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxTokenizerFileBytes));
  absl::StatusOr<json> vocabulary = ParseJson(text);
  if (!vocabulary.ok()) return Annotate(vocabulary.status(), file);
  if (!vocabulary->is_object()) return InvalidArgument("{}: not a JSON object", file);
  TF_ASSIGN_OR_RETURN(json root, MakeByteLevelSteps(folder, name));
  TF_ASSIGN_OR_RETURN(root["added_tokens"], folder.AddedTokens(FinderIn(*vocabulary)));
  TF_ASSIGN_OR_RETURN(json merges, ReadMergeLines(folder.file("merges.txt")));
  root["model"] = {{"type", "BPE"}, {"vocab", *std::move(vocabulary)}, {"merges", std::move(merges)}};
  return MakeJsonTokenizer(root, file + " and merges.txt");
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadWordPieceTokenizer(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const TokenizerFolder folder, TokenizerFolder::Open(path));
  TF_RETURN_IF_ERROR(CheckClass(folder, kWordPieceClasses).status());
  const std::string file = folder.file("vocab.txt");
  TF_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(file));
  json vocabulary = json::object();
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!vocabulary.emplace(lines[i], i).second) {
      return InvalidArgument("{}: line {} is {}, which is there already", file, i + 1, Quote(lines[i]));
    }
  }
  const json& config = folder.tokenizer_config();
  const std::string where = folder.file("tokenizer_config.json");
  TF_ASSIGN_OR_RETURN(const std::string unknown, JsonString(config, "unk_token", where, "[UNK]"));
  TF_ASSIGN_OR_RETURN(const bool lower, JsonFlag(config, "do_lower_case", where, true));
  TF_ASSIGN_OR_RETURN(const bool accents, JsonFlag(config, "strip_accents", where, lower));
  TF_ASSIGN_OR_RETURN(const bool chinese, JsonFlag(config, "tokenize_chinese_chars", where, true));
  json root;
  TF_ASSIGN_OR_RETURN(root["added_tokens"], folder.AddedTokens(FinderIn(vocabulary)));
  for (const char* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const auto has_it = [&](const json& token) { return token["content"] == special; };
    json& added = root["added_tokens"];
    if (!vocabulary.contains(special) || std::any_of(added.begin(), added.end(), has_it)) continue;
    added.push_back({{"id", vocabulary[special]}, {"content", special}, {"special", true}});
  }
  root["normalizer"] = {
      {"type", "BertNormalizer"}, {"handle_chinese_chars", chinese}, {"strip_accents", accents}, {"lowercase", lower}};
  root["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  root["decoder"] = {{"type", "WordPiece"}};
  const json start = {{"SpecialToken", {{"id", "[CLS]"}}}}, end = {{"SpecialToken", {{"id", "[SEP]"}}}};
  root["post_processor"] = {{"single", json::array({start, {{"Sequence", json::object()}}, end})}};
  root["model"] = {{"type", "WordPiece"}, {"unk_token", unknown}, {"vocab", std::move(vocabulary)}};
  return MakeJsonTokenizer(root, file);
}

}  // namespace toolformer
