// Tokenizers of tokenizer.json files, of the type BPE.
#include <algorithm>
#include <map>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_bpe.h"
#include "src/text/tokenizer_json_special.h"
#include "src/text/tokenizer_json_steps.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxFileBytes = uint64_t{512} << 20;
constexpr size_t kMaxIdGap = 65536;

// Null where there is no such member.
const json& Member(const json& object, const char* name) {
  static const json* const kNull = new json;
  const auto member = object.find(name);
  return member == object.end() ? *kNull : *member;
}

struct AddedToken {
  bool special = false;
  bool normalized = false;
};

class Reader {
 public:
  Reader(const json& root, const std::string& file) : root_(root), file_(file) {}

  absl::StatusOr<std::shared_ptr<const Tokenizer>> Read();

 private:
  absl::Status ReadModel();
  absl::Status ReadOptions();
  absl::Status ReadVocabulary();
  absl::Status AddPiece(const std::string& piece, const json& id, const std::string& where);
  absl::Status ReadAddedTokens();
  absl::Status ReadAddedToken(const json& token, const std::string& where);
  absl::Status ReadUnknown();
  absl::Status AddMatchers();
  absl::StatusOr<Vocabulary> MakeVocabulary();
  absl::StatusOr<MergeTable> ReadMerges(const Vocabulary& vocabulary);
  TokenKind KindOf(int32_t id, const std::string& piece) const;

  const json& root_;
  const std::string& file_;
  const json* model_ = nullptr;
  BpeOptions options_;
  PieceTable pieces_;
  std::map<int32_t, AddedToken> added_;
  int32_t vocabulary_tokens_ = 0;
  int32_t unknown_ = -1;
  Decoder decoder_;
  TokenizerParts parts_;
};

absl::Status Reader::ReadOptions() {
  const std::string where = file_ + ": model";
  TF_ASSIGN_OR_RETURN(options_.ignore_merges, JsonFlag(*model_, "ignore_merges", where, false));
  TF_ASSIGN_OR_RETURN(options_.byte_fallback, JsonFlag(*model_, "byte_fallback", where, false));
  TF_ASSIGN_OR_RETURN(options_.fuse_unknown, JsonFlag(*model_, "fuse_unk", where, false));
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    TF_ASSIGN_OR_RETURN(const std::string affix, JsonString(*model_, name, where, ""));
    if (!affix.empty()) return Unimplemented("{}.{} is {}; supported is none", where, name, Quote(affix));
  }
  const json& dropout = Member(*model_, "dropout");
  if (!dropout.is_null() && dropout != 0)
    return Unimplemented("{}.dropout is not 0: only exact encoding is supported", where);
  return absl::OkStatus();
}

absl::Status Reader::ReadModel() {
  model_ = &Member(root_, "model");
  if (!model_->is_object()) return InvalidArgument("{}: model is not an object", file_);
  TF_ASSIGN_OR_RETURN(const std::string type, JsonString(*model_, "type", file_ + ": model", "BPE"));
  if (type != "BPE") return Unimplemented("{}: model.type is {}; supported is BPE", file_, Quote(type));
  return ReadOptions();
}

absl::Status Reader::AddPiece(const std::string& piece, const json& id, const std::string& where) {
  if (!id.is_number_integer()) return InvalidArgument("{} is not an integer", where);
  const bool too_big = id.is_number_unsigned() && id.get<uint64_t>() >= static_cast<uint64_t>(kMaxVocabularySize);
  if (too_big || id.get<int64_t>() < 0) {
    return InvalidArgument("{} is {}; ids are 0 to {}", where, PrintJson(id), kMaxVocabularySize - 1);
  }
  return pieces_.Add(piece, static_cast<int32_t>(id.get<int64_t>()), where);
}

absl::Status Reader::ReadVocabulary() {
  const json& vocabulary = Member(*model_, "vocab");
  if (!vocabulary.is_object() || vocabulary.empty()) {
    return InvalidArgument("{}: model.vocab is no object of pieces or empty", file_);
  }
  for (const auto& [piece, id] : vocabulary.items()) {
    TF_RETURN_IF_ERROR(AddPiece(piece, id, fmt::format("{}: model.vocab[{}]", file_, Quote(piece))));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadAddedToken(const json& token, const std::string& where) {
  if (!token.is_object()) return InvalidArgument("{} is not an object", where);
  TF_ASSIGN_OR_RETURN(const std::string content, JsonString(token, "content", where, ""));
  if (content.empty()) return InvalidArgument("{}.content is empty or missing", where);
  TF_RETURN_IF_ERROR(AddPiece(content, Member(token, "id"), where + ".id"));
  AddedToken added;
  TF_ASSIGN_OR_RETURN(added.special, JsonFlag(token, "special", where, false));
  TF_ASSIGN_OR_RETURN(added.normalized, JsonFlag(token, "normalized", where, !added.special));
  for (const char* name : {"lstrip", "rstrip", "single_word"}) {
    TF_ASSIGN_OR_RETURN(const bool flag, JsonFlag(token, name, where, false));
    // Special tokens are never matched in text, so it does not matter how.
    if (flag && !added.special) return Unimplemented("{}.{} is true; supported is false", where, name);
  }
  if (!added_.emplace(pieces_.Find(content), added).second) {
    return InvalidArgument("{}.content {} is there twice", where, Quote(content));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadAddedTokens() {
  const json& tokens = Member(root_, "added_tokens");
  if (tokens.is_null()) return absl::OkStatus();
  if (!tokens.is_array()) return InvalidArgument("{}: added_tokens is not an array", file_);
  for (size_t i = 0; i < tokens.size(); ++i) {
    TF_RETURN_IF_ERROR(ReadAddedToken(tokens[i], fmt::format("{}: added_tokens[{}]", file_, i)));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadUnknown() {
  TF_ASSIGN_OR_RETURN(const std::string unknown, JsonString(*model_, "unk_token", file_ + ": model", ""));
  if (unknown.empty()) return absl::OkStatus();
  unknown_ = pieces_.Find(unknown);
  if (unknown_ < 0) return InvalidArgument("{}: model.unk_token {} is no token", file_, Quote(unknown));
  return absl::OkStatus();
}

TokenKind Reader::KindOf(int32_t id, const std::string& piece) const {
  if (id == unknown_) return TokenKind::kUnknown;
  if (id == parts_.start_id) return TokenKind::kControl;
  if (std::find(parts_.end_ids.begin(), parts_.end_ids.end(), id) != parts_.end_ids.end()) return TokenKind::kControl;
  const auto added = added_.find(id);
  if (added != added_.end() && added->second.special) return TokenKind::kControl;
  if (added != added_.end() && id >= vocabulary_tokens_) return TokenKind::kUserDefined;
  // Encoding writes byte tokens with upper-case digits only.
  const auto byte = options_.byte_fallback ? ParseByteToken(piece) : std::nullopt;
  return byte && fmt::format("<0x{:02X}>", *byte) == piece ? TokenKind::kByte : TokenKind::kNormal;
}

absl::StatusOr<Vocabulary> Reader::MakeVocabulary() {
  const bool byte_level = options_.alphabet == BpeOptions::Alphabet::kBytes;
  // A few pieces must not make room for millions.
  if (static_cast<size_t>(pieces_.size()) > 2 * pieces_.count() + kMaxIdGap) {
    return InvalidArgument("{}: model.vocab: {} pieces have ids up to {}: too many ids are left out", file_,
                           pieces_.count(), pieces_.size() - 1);
  }
  std::vector<Token> tokens(pieces_.size());
  for (int32_t id = 0; id < pieces_.size(); ++id) {
    Token& token = tokens[id];
    // An id that the file leaves out.
    token.kind = TokenKind::kControl;
    if (!pieces_.Has(id)) continue;
    const std::string& piece = pieces_.Get(id);
    token.kind = KindOf(id, piece);
    // Added tokens are text, not spelled in the alphabet of the vocabulary.
    const bool added = added_.contains(id);
    token.key = piece;
    if (byte_level && token.kind != TokenKind::kUserDefined) token.key = DecodeByteLevel(piece).value_or("");
    const bool silent = token.kind == TokenKind::kControl || token.kind == TokenKind::kUnknown;
    if (!silent) token.bytes = added ? piece : decoder_.Decode(piece);
    if (token.kind == TokenKind::kByte && token.bytes.size() != 1) {
      return Unimplemented("{}: decoder: model.byte_fallback without the decoder ByteFallback", file_);
    }
  }
  return Vocabulary::Create(file_ + ": model.vocab", tokens);
}

absl::Status Reader::AddMatchers() {
  Regex::Scratch scratch;
  for (const auto& [id, added] : added_) {
    if (added.special || id == unknown_ || KindOf(id, pieces_.Get(id)) == TokenKind::kControl) continue;
    std::string content = pieces_.Get(id);
    if (added.normalized) content = Normalize(parts_.normalizer, content, TextPosition::kStart, &scratch);
    absl::Status status = AddWholeToken(content, id, added.normalized ? &parts_.normalized_tokens : &parts_.raw_tokens);
    if (!status.ok()) return Annotate(status, fmt::format("{}: added_tokens, id {}", file_, id));
  }
  return absl::OkStatus();
}

absl::StatusOr<MergeTable> Reader::ReadMerges(const Vocabulary& vocabulary) {
  const json& merges = Member(*model_, "merges");
  if (!merges.is_array() || merges.empty()) {
    return InvalidArgument("{}: model.merges is missing or empty: a tokenizer without merges", file_);
  }
  // A first line such as "#version: 0.2" is left over from another format.
  const bool has_header = merges[0].is_string() && merges[0].get_ref<const std::string&>().starts_with("#version");
  const size_t first = has_header ? 1 : 0;
  const auto get = [&](size_t i) -> std::optional<MergeParts> {
    const json& merge = merges[i + first];
    if (merge.is_string()) return SplitMerge(merge.get_ref<const std::string&>());
    if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) return std::nullopt;
    return MergeParts{merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()};
  };
  const bool byte_level = options_.alphabet == BpeOptions::Alphabet::kBytes;
  const MergeSpelling spelling = byte_level ? MergeSpelling::kByteLevel : MergeSpelling::kPlain;
  return MakeMergeTable(vocabulary, {merges.size() - first, get, spelling}, file_ + ": model.merges");
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Reader::Read() {
  if (!root_.is_object()) return InvalidArgument("{}: not a JSON object", file_);
  TF_RETURN_IF_ERROR(ReadModel());
  TF_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer,
                      ParsePreTokenizer(Member(root_, "pre_tokenizer"), file_ + ": pre_tokenizer"));
  parts_.pre_tokenizer = std::move(pre_tokenizer.steps);
  if (!pre_tokenizer.byte_level) options_.alphabet = BpeOptions::Alphabet::kCharacters;
  TF_ASSIGN_OR_RETURN(parts_.normalizer, ParseNormalizer(Member(root_, "normalizer"), file_ + ": normalizer"));
  TF_ASSIGN_OR_RETURN(decoder_, Decoder::Parse(Member(root_, "decoder"), file_ + ": decoder"));
  if (decoder_.byte_level() != pre_tokenizer.byte_level) {
    return Unimplemented("{}: ByteLevel is supported as both pre_tokenizer and decoder, or neither", file_);
  }
  TF_RETURN_IF_ERROR(ReadVocabulary());
  vocabulary_tokens_ = pieces_.size();
  TF_RETURN_IF_ERROR(ReadAddedTokens());
  TF_RETURN_IF_ERROR(ReadUnknown());
  std::vector<int32_t> special;
  for (const auto& [id, added] : added_) {
    if (added.special) special.push_back(id);
  }
  TF_ASSIGN_OR_RETURN(const SpecialIds ids, FindSpecialIds(root_, file_, pieces_, special));
  parts_.start_id = ids.start;
  parts_.end_ids = ids.ends;
  TF_ASSIGN_OR_RETURN(Vocabulary vocabulary, MakeVocabulary());
  TF_RETURN_IF_ERROR(AddMatchers());
  TF_ASSIGN_OR_RETURN(MergeTable merges, ReadMerges(vocabulary));
  return std::make_shared<BpeTokenizer>(std::move(parts_), Bpe(std::move(vocabulary), std::move(merges), options_));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadJsonTokenizer(const std::string& file) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxFileBytes));
  const absl::StatusOr<json> root = ParseJson(text);
  if (!root.ok()) return Annotate(root.status(), file);
  return Reader(*root, file).Read();
}

}  // namespace toolformer
