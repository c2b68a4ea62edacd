// The vocabulary of a GGUF file as the tokenizer.json of Hugging Face `tokenizers`, and the files beside it.
#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/score_merges.h"
#include "src/text/tokenizer_gguf.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_save.h"

namespace toolformer {
namespace {

using Json = nlohmann::ordered_json;
using Kind = GgufVocabulary::Kind;

// Writes to a file in large pieces: hundreds of thousands of tokens are never one JSON value in memory.
class Output {
 public:
  explicit Output(AtomicFile* file) : file_(file) {}

  absl::Status Add(std::string_view text) {
    buffer_.append(text);
    constexpr size_t kFlushBytes = size_t{1} << 20;
    return buffer_.size() < kFlushBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    absl::Status status = file_->Write(buffer_);
    buffer_.clear();
    return status;
  }

 private:
  AtomicFile* file_;
  std::string buffer_;
};

std::string JsonText(std::string_view text) { return PrintJson(Json(std::string(text))); }

class Saver {
 public:
  Saver(const GgufVocabulary& from, const std::string& file) : from_(from), file_(file) {}

  absl::Status SpellTokens();
  absl::Status WriteTokenizer(const std::string& path) const;
  absl::Status WriteConfig(const std::string& path) const;
  absl::Status WriteSpecialTokens(const std::string& path) const;

 private:
  int32_t size() const { return static_cast<int32_t>(spelled_.size()); }
  std::string Spell(int32_t id) const;
  bool IsSpecial(int32_t id) const {
    return from_.kinds[id] == TokenKind::kControl || from_.kinds[id] == TokenKind::kUnknown;
  }
  Json Normalizer() const;
  Json PreTokenizer() const;
  Json PostProcessor() const;
  Json Decoder() const;
  Json ModelOptions() const;
  Json NamedTokens() const;
  absl::Status WriteAddedTokens(Output* out) const;
  absl::Status WriteVocabulary(Output* out) const;
  absl::Status WriteMerges(Output* out) const;
  absl::Status WriteScoreMerges(Output* out) const;

  const GgufVocabulary& from_;
  const std::string& file_;
  std::vector<std::string> spelled_;  // by id; empty ones are left out
};

std::string Saver::Spell(int32_t id) const {
  const std::string_view piece = from_.pieces[id];
  if (from_.kind == Kind::kByteLevel) return std::string(piece);
  switch (from_.kinds[id]) {
    case TokenKind::kByte:
      return fmt::format("<0x{:02X}>", static_cast<uint8_t>(from_.Byte(id)));
    case TokenKind::kUserDefined:
      // Matched in text, which has spaces.
      return ReplaceAll(piece, kSpaceMark, " ");
    case TokenKind::kControl:
    case TokenKind::kUnknown:
      return std::string(piece);
    default:
      return ReplaceAll(piece, " ", kSpaceMark);
  }
}

absl::Status Saver::SpellTokens() {
  std::unordered_map<std::string_view, int32_t> ids;
  ids.reserve(from_.pieces.size());
  spelled_.reserve(from_.pieces.size());  // views into it stay valid
  for (size_t i = 0; i < from_.pieces.size(); ++i) {
    const int32_t id = static_cast<int32_t>(i);
    const std::string& spelled = spelled_.emplace_back(Spell(id));
    if (!IsValidUtf8(spelled)) {
      return Unimplemented("{}: tokenizer.ggml.tokens[{}] is {}, which is not UTF-8: JSON cannot hold it", file_, id,
                           Quote(spelled));
    }
    const auto [other, is_new] = ids.try_emplace(spelled, id);
    if (!spelled.empty() && !is_new) {
      return Unimplemented("{}: tokenizer.ggml.tokens[{}] and [{}] are both {}: tokenizer.json can hold only one",
                           file_, other->second, id, Quote(spelled));
    }
  }
  return absl::OkStatus();
}

Json Literal(std::string_view text) { return {{"String", text}}; }

Json Saver::Normalizer() const {
  if (from_.kind == Kind::kByteLevel) return nullptr;
  Json replace = {{"type", "Replace"}, {"pattern", Literal(" ")}, {"content", kSpaceMark}};
  if (!from_.adds_space_prefix) return replace;
  const Json prepend = {{"type", "Prepend"}, {"prepend", kSpaceMark}};
  return {{"type", "Sequence"}, {"normalizers", Json::array({prepend, replace})}};
}

Json Saver::PreTokenizer() const {
  if (from_.preset == nullptr) return nullptr;
  Json steps = Json::array();
  const auto split = [&](std::string_view pattern) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  };
  for (const PresetCut& cut : from_.preset->cuts) {
    if (cut.pattern.empty()) break;
    split(cut.pattern);
    if (!cut.threes.empty()) split(cut.threes);
  }
  if (from_.kind == Kind::kByteLevel) {
    steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
  }
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

Json Saver::PostProcessor() const {
  if (!from_.adds_bos && !from_.adds_eos) return nullptr;
  Json specials = Json::object();
  const auto add_special = [&](Json* items, int32_t id, int type) {
    const std::string& spelled = spelled_[id];
    items->push_back({{"SpecialToken", {{"id", spelled}, {"type_id", type}}}});
    specials[spelled] = {{"id", spelled}, {"ids", Json::array({id})}, {"tokens", Json::array({spelled})}};
  };
  const auto add_text = [&](Json* items, const char* name, int type) {
    if (from_.adds_bos) add_special(items, *from_.bos, type);
    items->push_back({{"Sequence", {{"id", name}, {"type_id", type}}}});
    if (from_.adds_eos) add_special(items, *from_.eos, type);
  };
  Json single = Json::array(), pair = Json::array();
  add_text(&single, "A", 0);
  add_text(&pair, "A", 0);
  add_text(&pair, "B", 1);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(specials)}};
}

Json Saver::Decoder() const {
  if (from_.kind == Kind::kByteLevel) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  }
  Json steps = Json::array();
  steps.push_back({{"type", "Replace"}, {"pattern", Literal(kSpaceMark)}, {"content", " "}});
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (from_.adds_space_prefix) {
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

Json Saver::ModelOptions() const {
  const bool characters = from_.kind != Kind::kByteLevel;
  const bool ignores = from_.preset != nullptr && (from_.preset->flags & PreTokenizerPreset::kIgnoreMerges) != 0;
  Json unknown;
  for (int32_t id = 0; characters && unknown.is_null() && id < size(); ++id) {
    if (from_.kinds[id] == TokenKind::kUnknown) unknown = spelled_[id];
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", std::move(unknown)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", characters},
          {"byte_fallback", characters},
          {"ignore_merges", ignores}};
}

absl::Status Saver::WriteAddedTokens(Output* out) const {
  const char* separator = "";
  for (int32_t id = 0; id < size(); ++id) {
    const bool special = IsSpecial(id);
    if (spelled_[id].empty() || (!special && from_.kinds[id] != TokenKind::kUserDefined)) continue;
    // In normalised text such a token is found after the spaces are replaced; not where a prefix would come before it.
    const bool normalized = !special && from_.kind != Kind::kByteLevel && !from_.adds_space_prefix;
    const Json token = {{"id", id},        {"content", spelled_[id]},  {"single_word", false}, {"lstrip", false},
                        {"rstrip", false}, {"normalized", normalized}, {"special", special}};
    TF_RETURN_IF_ERROR(out->Add(fmt::format("{}\n{}", std::exchange(separator, ","), PrintJson(token))));
  }
  return absl::OkStatus();
}

absl::Status Saver::WriteVocabulary(Output* out) const {
  const char* separator = "";
  for (int32_t id = 0; id < size(); ++id) {
    if (spelled_[id].empty()) continue;
    TF_RETURN_IF_ERROR(out->Add(fmt::format("{}\n{}:{}", std::exchange(separator, ","), JsonText(spelled_[id]), id)));
  }
  return absl::OkStatus();
}

absl::Status Saver::WriteScoreMerges(Output* out) const {
  std::vector<ScoredPiece> pieces;
  pieces.reserve(spelled_.size());
  for (int32_t id = 0; id < size(); ++id) pieces.push_back({spelled_[id], from_.scores[id], from_.kinds[id]});
  TF_ASSIGN_OR_RETURN(const auto merges, MergesOfScores(pieces, file_ + ": tokenizer.ggml.tokens"));
  const char* separator = "";
  for (const auto& [left, right] : merges) {
    TF_RETURN_IF_ERROR(
        out->Add(fmt::format("{}\n[{},{}]", std::exchange(separator, ","), JsonText(left), JsonText(right))));
  }
  return absl::OkStatus();
}

absl::Status Saver::WriteMerges(Output* out) const {
  if (from_.kind == Kind::kScores) return WriteScoreMerges(out);
  const char* separator = "";
  for (const std::string_view merge : from_.merges) {
    const auto parts = SplitMerge(merge);  // LoadTokenizer has taken it
    if (!parts) continue;
    TF_RETURN_IF_ERROR(out->Add(
        fmt::format("{}\n[{},{}]", std::exchange(separator, ","), JsonText(parts->first), JsonText(parts->second))));
  }
  return absl::OkStatus();
}

absl::Status Saver::WriteTokenizer(const std::string& path) const {
  TF_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path));
  Output out(file.get());
  TF_RETURN_IF_ERROR(out.Add("{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n\"added_tokens\":["));
  TF_RETURN_IF_ERROR(WriteAddedTokens(&out));
  std::string options = PrintJson(ModelOptions());
  options.pop_back();  // the vocabulary and the merges follow
  TF_RETURN_IF_ERROR(out.Add(fmt::format(
      "],\n\"normalizer\":{},\n\"pre_tokenizer\":{},\n\"post_processor\":{},\n\"decoder\":{},\n\"model\":{}",
      PrintJson(Normalizer()), PrintJson(PreTokenizer()), PrintJson(PostProcessor()), PrintJson(Decoder()), options)));
  TF_RETURN_IF_ERROR(out.Add(",\n\"vocab\":{"));
  TF_RETURN_IF_ERROR(WriteVocabulary(&out));
  TF_RETURN_IF_ERROR(out.Add("},\n\"merges\":["));
  TF_RETURN_IF_ERROR(WriteMerges(&out));
  TF_RETURN_IF_ERROR(out.Add("]}}\n"));
  TF_RETURN_IF_ERROR(out.Flush());
  return file->Commit();
}

Json Saver::NamedTokens() const {
  Json named = Json::object();
  const auto add = [&](const char* name, const std::optional<int32_t>& id) {
    if (id && !spelled_[*id].empty()) named[name] = spelled_[*id];
  };
  add("bos_token", from_.bos);
  add("eos_token", from_.eos);
  add("unk_token", from_.unknown);
  add("pad_token", from_.padding);
  return named;
}

absl::Status WriteJson(const std::string& path, const Json& value) {
  TF_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path));
  TF_RETURN_IF_ERROR(file->Write(PrintJson(value) + "\n"));
  return file->Commit();
}

absl::Status Saver::WriteConfig(const std::string& path) const {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"add_bos_token", from_.adds_bos},
                 {"add_eos_token", from_.adds_eos},
                 {"clean_up_tokenization_spaces", false}};
  config.update(NamedTokens());
  if (from_.chat_template) config["chat_template"] = *from_.chat_template;
  return WriteJson(path, config);
}

absl::Status Saver::WriteSpecialTokens(const std::string& path) const { return WriteJson(path, NamedTokens()); }

}  // namespace

absl::Status SaveGgufTokenizer(const std::string& file, const std::string& folder) {
  TF_ASSIGN_OR_RETURN(const auto gguf, GgufFile::Open(file));
  TF_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, ReadGgufVocabulary(*gguf));
  Saver saver(vocabulary, file);
  TF_RETURN_IF_ERROR(saver.SpellTokens());
  const std::filesystem::path target(folder);
  TF_RETURN_IF_ERROR(saver.WriteTokenizer((target / "tokenizer.json").string()));
  TF_RETURN_IF_ERROR(saver.WriteConfig((target / "tokenizer_config.json").string()));
  return saver.WriteSpecialTokens((target / "special_tokens_map.json").string());
}

}  // namespace toolformer
