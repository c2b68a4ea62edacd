#include "toolformer/seq2seq_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/language_codes.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_limits.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxVocabularyBytes = uint64_t{256} << 20;
constexpr std::string_view kMark = "\u2581";

using Ids = std::map<std::string, int32_t, std::less<>>;

// Where a text's language stands.
enum class LanguagePlace {
  kNone,    // only the end follows the text
  kBefore,  // language, text, end
  kAfter,   // text, end, language: NLLB before its correction
};

// Of the files, whichever they are.
struct Parts {
  std::string file;  // for messages
  std::shared_ptr<const Tokenizer> source;
  std::vector<int32_t> source_ids;  // of the source's pieces in the model's vocabulary; empty: the same
  std::vector<std::string> target;  // what the ids of the target vocabulary spell; empty: the source's
  Ids controls;
  Ids languages;  // by what EncodeSource calls them
  std::vector<std::string> language_names;
  LanguagePlace place = LanguagePlace::kNone;
  bool language_needed = false;
  int32_t end_id = -1;
};

std::string Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

class FolderTokenizer : public Seq2SeqTokenizer {
 public:
  explicit FolderTokenizer(Parts parts) : parts_(std::move(parts)) {}

  const std::vector<std::string>& languages() const override { return parts_.language_names; }

  std::optional<int32_t> LanguageId(std::string_view language) const override {
    const auto found = parts_.languages.find(language);
    if (found == parts_.languages.end()) return std::nullopt;
    return found->second;
  }

  absl::StatusOr<std::vector<int32_t>> EncodeSource(std::string_view text, std::string_view language) const override {
    const std::optional<int32_t> language_id = LanguageId(language);
    if (!language_id && (parts_.language_needed || !language.empty())) return UnknownLanguage(language);
    std::vector<int32_t> ids;
    if (language_id && parts_.place == LanguagePlace::kBefore) ids.push_back(*language_id);
    const std::vector<int32_t> text_ids = Encode(text);
    ids.insert(ids.end(), text_ids.begin(), text_ids.end());
    ids.push_back(parts_.end_id);
    if (language_id && parts_.place == LanguagePlace::kAfter) ids.push_back(*language_id);
    return ids;
  }

  std::vector<int32_t> Encode(std::string_view text) const override {
    std::vector<int32_t> ids = parts_.source->Encode(text);
    if (!parts_.source_ids.empty()) {
      for (int32_t& id : ids) id = parts_.source_ids[static_cast<size_t>(id)];
    }
    return ids;
  }

  std::optional<int32_t> ControlId(std::string_view spelling) const override {
    const auto found = parts_.controls.find(spelling);
    if (found == parts_.controls.end()) return std::nullopt;
    return found->second;
  }

  std::string DecodeTarget(std::span<const int32_t> ids) const override {
    if (parts_.target.empty()) return Trimmed(parts_.source->Decode(ids));
    std::string text;
    for (const int32_t id : ids) {
      if (id >= 0 && id < std::ssize(parts_.target)) text += parts_.target[static_cast<size_t>(id)];
    }
    return Trimmed(text);
  }

 private:
  absl::Status UnknownLanguage(std::string_view language) const {
    if (parts_.language_names.empty()) {
      return InvalidArgument("{}: the model has no languages to choose from; {} was asked for", parts_.file,
                             Quote(language));
    }
    std::string known;
    for (const std::string& name : parts_.language_names) known += (known.empty() ? "" : ", ") + name;
    return InvalidArgument("{}: {} is none of the model's languages: {}", parts_.file, Quote(language), known);
  }

  const Parts parts_;
};

absl::StatusOr<json> ReadObject(const std::string& path, uint64_t max_bytes) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, max_bytes));
  absl::StatusOr<json> object = ParseJson(text);
  if (!object.ok()) return Annotate(object.status(), path);
  if (!object->is_object()) return InvalidArgument("{}: not a JSON object", path);
  return object;
}

class Seq2SeqTokenizerBuilder {
 public:
  explicit Seq2SeqTokenizerBuilder(const std::string& folder) : folder_(folder) {}

  absl::StatusOr<std::shared_ptr<const Seq2SeqTokenizer>> Build() {
    TF_ASSIGN_OR_RETURN(const json config, ReadObject(file("config.json"), kMaxTokenizerConfigBytes));
    if (Has("tokenizer_config.json")) {
      TF_ASSIGN_OR_RETURN(tokenizer_config_, ReadObject(file("tokenizer_config.json"), kMaxTokenizerConfigBytes));
    }
    const json& type = JsonMember(config, "model_type");
    const std::string model_type = type.is_string() ? type.get<std::string>() : "";
    if (model_type == "marian") {
      TF_RETURN_IF_ERROR(ReadMarian());
    } else if (model_type == "m2m_100" && !Has("tokenizer.json") && Has("vocab.json")) {
      TF_RETURN_IF_ERROR(ReadM2m100());
    } else if (model_type == "m2m_100" || model_type == "t5" || model_type == "mt5") {
      TF_RETURN_IF_ERROR(ReadWhole(model_type));
    } else {
      return Unimplemented("{}: model_type is {}; supported encoder-decoders are m2m_100, marian, t5 and mt5",
                           file("config.json"), Quote(model_type));
    }
    const auto end = parts_.controls.find("</s>");
    if (end == parts_.controls.end()) return InvalidArgument("{}: there is no token </s>", parts_.file);
    parts_.end_id = end->second;
    return std::make_shared<FolderTokenizer>(std::move(parts_));
  }

 private:
  std::string file(const std::string& name) const { return (std::filesystem::path(folder_) / name).string(); }
  bool Has(const std::string& name) const {
    std::error_code ignored;
    return std::filesystem::exists(file(name), ignored);
  }

  void AddLanguage(const std::string& name, int32_t id) {
    if (parts_.languages.emplace(name, id).second) parts_.language_names.push_back(name);
  }

  // One vocabulary, with ids of its own: NLLB and T5.
  absl::Status ReadWhole(const std::string& model_type) {
    parts_.file = folder_;
    TF_ASSIGN_OR_RETURN(parts_.source, LoadTokenizer(folder_));
    const auto* pieces = dynamic_cast<const PieceTokenizer*>(parts_.source.get());
    if (pieces == nullptr) return Unimplemented("{}: the tokenizer is not one of pieces", folder_);
    parts_.controls = pieces->control_tokens();
    if (model_type != "m2m_100") return absl::OkStatus();
    for (const std::string_view code : NllbLanguages()) {
      if (const auto found = parts_.controls.find(code); found != parts_.controls.end()) {
        AddLanguage(std::string(code), found->second);
      }
    }
    for (const auto& [spelling, id] : parts_.controls) {
      const bool is_m2m = spelling.size() > 4 && spelling.starts_with("__") && spelling.ends_with("__");
      if (is_m2m) AddLanguage(spelling.substr(2, spelling.size() - 4), id);
    }
    if (parts_.languages.empty()) return InvalidArgument("{}: the tokenizer has no tokens of languages", folder_);
    TF_ASSIGN_OR_RETURN(const bool legacy,
                        JsonFlag(tokenizer_config_, "legacy_behaviour", file("tokenizer_config.json"), false));
    parts_.place = legacy ? LanguagePlace::kAfter : LanguagePlace::kBefore;
    parts_.language_needed = true;
    return absl::OkStatus();
  }

  // Ids by piece, which need not be dense, and what they spell.
  absl::StatusOr<Ids> ReadVocabulary(const std::string& path) {
    TF_ASSIGN_OR_RETURN(const json object, ReadObject(path, kMaxVocabularyBytes));
    Ids ids;
    const auto most = static_cast<int64_t>(2 * object.size() + 65536);
    for (const auto& [piece, id] : object.items()) {
      if (!id.is_number_integer() || id < 0 || id >= most) {
        return InvalidArgument("{}: the id of {} is not within 0 to {}", path, Quote(piece), most - 1);
      }
      ids.emplace(piece, id.get<int32_t>());
    }
    if (ids.empty()) return InvalidArgument("{}: has no pieces", path);
    return ids;
  }

  // The source's pieces in the vocabulary: what has no id is unknown.
  absl::Status MapSource(const std::string& spm, const Ids& vocabulary, const std::string& vocabulary_file) {
    TF_ASSIGN_OR_RETURN(PlainSentencePiece plain, LoadPlainSentencePiece(spm));
    const auto unknown = vocabulary.find("<unk>");
    if (unknown == vocabulary.end()) return InvalidArgument("{}: there is no token <unk>", vocabulary_file);
    for (const std::string& piece : plain.pieces) {
      const auto found = vocabulary.find(piece);
      parts_.source_ids.push_back(found == vocabulary.end() ? unknown->second : found->second);
    }
    parts_.source = std::move(plain.tokenizer);
    return absl::OkStatus();
  }

  void SpellTarget(const Ids& vocabulary) {
    for (const auto& [piece, id] : vocabulary) {
      if (std::ssize(parts_.target) <= id) parts_.target.resize(static_cast<size_t>(id) + 1);
      if (!parts_.controls.contains(piece)) parts_.target[static_cast<size_t>(id)] = ReplaceAll(piece, kMark, " ");
    }
    // No id may be mistaken for the source tokenizer's.
    if (parts_.target.empty()) parts_.target.resize(1);
  }

  void AddControls(const Ids& vocabulary) {
    for (const char* spelling : {"<s>", "</s>", "<unk>", "<pad>"}) {
      if (const auto found = vocabulary.find(spelling); found != vocabulary.end()) {
        parts_.controls.emplace(spelling, found->second);
      }
    }
  }

  absl::Status ReadM2m100() {
    parts_.file = file("vocab.json");
    TF_ASSIGN_OR_RETURN(const Ids vocabulary, ReadVocabulary(parts_.file));
    TF_ASSIGN_OR_RETURN(const std::string spm, FindModel());
    TF_RETURN_IF_ERROR(MapSource(spm, vocabulary, parts_.file));
    AddControls(vocabulary);
    const json& codes = JsonMember(tokenizer_config_, "language_codes");
    if (!codes.is_null() && codes != "m2m100" && codes != "wmt21") {
      return Unimplemented("{}: language_codes is {}; supported are m2m100 and wmt21", file("tokenizer_config.json"),
                           codes.dump());
    }
    // The languages' tokens follow the vocabulary.
    auto id = static_cast<int32_t>(vocabulary.size());
    for (const std::string_view code : codes == "wmt21" ? Wmt21Languages() : M2m100Languages()) {
      AddLanguage(std::string(code), id);
      parts_.controls.emplace("__" + std::string(code) + "__", id);
      ++id;
    }
    SpellTarget(vocabulary);
    parts_.place = LanguagePlace::kBefore;
    parts_.language_needed = true;
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> FindModel() const {
    for (const char* name : {"sentencepiece.bpe.model", "spm.128k.model", "spm.model", "tokenizer.model"}) {
      if (Has(name)) return file(name);
    }
    return NotFound("{}: the folder has vocab.json and no sentencepiece.bpe.model", folder_);
  }

  absl::Status ReadMarian() {
    parts_.file = file("vocab.json");
    TF_ASSIGN_OR_RETURN(const Ids vocabulary, ReadVocabulary(parts_.file));
    TF_RETURN_IF_ERROR(MapSource(file("source.spm"), vocabulary, parts_.file));
    AddControls(vocabulary);
    for (const auto& [piece, id] : vocabulary) {
      if (!piece.starts_with(">>") || !piece.ends_with("<<")) continue;
      AddLanguage(piece, id);
      parts_.controls.emplace(piece, id);
    }
    parts_.place = LanguagePlace::kBefore;
    TF_ASSIGN_OR_RETURN(const bool separate,
                        JsonFlag(tokenizer_config_, "separate_vocabs", file("tokenizer_config.json"), false));
    if (!separate) {
      SpellTarget(vocabulary);
      return absl::OkStatus();
    }
    TF_ASSIGN_OR_RETURN(const Ids target, ReadVocabulary(file("target_vocab.json")));
    SpellTarget(target);
    return absl::OkStatus();
  }

  const std::string& folder_;
  json tokenizer_config_ = json::object();
  Parts parts_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Seq2SeqTokenizer>> LoadSeq2SeqTokenizer(const std::string& folder) {
  return Seq2SeqTokenizerBuilder(folder).Build();
}

}  // namespace toolformer
