// Tokenizers of tokenizer.json files.
#include "src/text/tokenizer_json.h"

#include <algorithm>
#include <map>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_json_decoder.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_json_model.h"
#include "src/text/tokenizer_json_special.h"
#include "src/text/tokenizer_json_steps.h"
#include "src/text/tokenizer_limits.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr size_t kMaxIdGap = 65536;

struct AddedToken {
  bool special = false;
  bool normalized = false;
  TokenRules rules;
};

class TokenizerJsonReader {
 public:
  TokenizerJsonReader(const json& root, const std::string& file) : root_(root), file_(file) {}

  absl::StatusOr<std::shared_ptr<const Tokenizer>> Read();

 private:
  absl::Status ReadSteps();
  absl::Status ReadAddedTokens();
  absl::Status ReadAddedToken(const json& token, const std::string& where);
  absl::Status ReadUnknown();
  absl::Status ReadSpecialIds();
  absl::Status AddMatchers();
  absl::Status AddMatcher(int32_t id, const AddedToken& added);
  absl::StatusOr<Vocabulary> MakeVocabulary();
  bool IsControl(int32_t id) const;
  TokenKind KindOf(int32_t id, const std::string& piece) const;

  const json& root_;
  const std::string& file_;
  JsonModel model_;
  bool byte_level_ = false;
  std::map<int32_t, AddedToken> added_;
  Decoder decoder_;
  TokenizerParts parts_;
};

absl::Status TokenizerJsonReader::ReadAddedToken(const json& token, const std::string& where) {
  if (!token.is_object()) return InvalidArgument("{} is not an object", where);
  TF_ASSIGN_OR_RETURN(const std::string content, JsonString(token, "content", where, ""));
  if (content.empty()) return InvalidArgument("{}.content is empty or missing", where);
  TF_RETURN_IF_ERROR(AddJsonPiece(content, JsonMember(token, "id"), where + ".id", &model_.pieces));
  AddedToken added;
  TF_ASSIGN_OR_RETURN(added.special, JsonFlag(token, "special", where, false));
  TF_ASSIGN_OR_RETURN(added.normalized, JsonFlag(token, "normalized", where, !added.special));
  TF_ASSIGN_OR_RETURN(added.rules.takes_space_before, JsonFlag(token, "lstrip", where, false));
  TF_ASSIGN_OR_RETURN(added.rules.takes_space_after, JsonFlag(token, "rstrip", where, false));
  TF_ASSIGN_OR_RETURN(added.rules.whole_word, JsonFlag(token, "single_word", where, false));
  if (!added_.emplace(model_.pieces.Find(content), added).second) {
    return InvalidArgument("{}.content {} is there twice", where, Quote(content));
  }
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadAddedTokens() {
  const json& tokens = JsonMember(root_, "added_tokens");
  if (tokens.is_null()) return absl::OkStatus();
  if (!tokens.is_array()) return InvalidArgument("{}: added_tokens is not an array", file_);
  for (size_t i = 0; i < tokens.size(); ++i) {
    TF_RETURN_IF_ERROR(ReadAddedToken(tokens[i], fmt::format("{}: added_tokens[{}]", file_, i)));
  }
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadUnknown() {
  if (model_.unknown.empty()) return absl::OkStatus();
  model_.unknown_id = model_.pieces.Find(model_.unknown);
  // WordPiece and WordLevel files name one by default, whether it is there or not.
  if (model_.unknown_id >= 0 || model_.type != JsonModel::Type::kBpe) return absl::OkStatus();
  return InvalidArgument("{}: model.unk_token {} is no token", file_, Quote(model_.unknown));
}

absl::Status TokenizerJsonReader::ReadSpecialIds() {
  std::vector<int32_t> special;
  for (const auto& [id, added] : added_) {
    if (added.special) special.push_back(id);
  }
  TF_ASSIGN_OR_RETURN(const SpecialIds ids, FindSpecialIds(root_, file_, model_.pieces, special));
  parts_.start_id = ids.start;
  parts_.end_ids = ids.ends;
  special.insert(special.end(), ids.ends.begin(), ids.ends.end());
  special.push_back(ids.start);
  for (const int32_t id : special) parts_.control_tokens.emplace(model_.pieces.Get(id), id);
  return absl::OkStatus();
}

bool TokenizerJsonReader::IsControl(int32_t id) const {
  if (id == parts_.start_id) return true;
  if (std::find(parts_.end_ids.begin(), parts_.end_ids.end(), id) != parts_.end_ids.end()) return true;
  const auto added = added_.find(id);
  return added != added_.end() && added->second.special;
}

TokenKind TokenizerJsonReader::KindOf(int32_t id, const std::string& piece) const {
  if (id == model_.unknown_id) return TokenKind::kUnknown;
  if (IsControl(id)) return TokenKind::kControl;
  if (id >= model_.vocabulary_tokens && added_.contains(id)) return TokenKind::kUserDefined;
  // Encoding writes byte tokens with upper-case digits only.
  const auto byte = model_.byte_fallback ? ParseByteToken(piece) : std::nullopt;
  return byte && fmt::format("<0x{:02X}>", *byte) == piece ? TokenKind::kByte : TokenKind::kNormal;
}

absl::StatusOr<Vocabulary> TokenizerJsonReader::MakeVocabulary() {
  const PieceTable& pieces = model_.pieces;
  // A few pieces must not make room for millions.
  if (static_cast<size_t>(pieces.size()) > 2 * pieces.count() + kMaxIdGap) {
    return InvalidArgument("{}: model.vocab: {} pieces have ids up to {}: too many ids are left out", file_,
                           pieces.count(), pieces.size() - 1);
  }
  std::vector<Token> tokens(pieces.size());
  for (int32_t id = 0; id < pieces.size(); ++id) {
    Token& token = tokens[id];
    // An id that the file leaves out.
    token.kind = TokenKind::kControl;
    if (!pieces.Has(id)) continue;
    const std::string& piece = pieces.Get(id);
    token.kind = KindOf(id, piece);
    // Among bytes an added token is text, not spelled in their alphabet.
    const bool is_text = byte_level_ && added_.contains(id);
    token.key = piece;
    if (byte_level_ && token.kind != TokenKind::kUserDefined) token.key = DecodeByteLevel(piece).value_or("");
    const bool silent = token.kind == TokenKind::kControl || token.kind == TokenKind::kUnknown;
    if (!silent) token.bytes = is_text ? piece : decoder_.Decode(piece);
    if (token.kind == TokenKind::kByte && token.bytes.size() != 1) {
      return Unimplemented("{}: decoder: model.byte_fallback without the decoder ByteFallback", file_);
    }
  }
  return Vocabulary::Create(file_ + ": model.vocab", tokens);
}

absl::Status TokenizerJsonReader::AddMatcher(int32_t id, const AddedToken& added) {
  std::string content = model_.pieces.Get(id);
  TokenRules rules = added.rules;
  // What spells a special token is text, but no other token begins in it.
  rules.is_text = added.special || id == model_.unknown_id || IsControl(id);
  if (added.normalized) {
    Regex::Scratch scratch;
    content = Normalize(parts_.normalizer, content, TextPosition::kStart, &scratch);
  }
  if (content.size() > TokenMatcher::kMaxTokenBytes) {
    if (rules.is_text) return absl::OkStatus();
    return InvalidArgument("{}: added_tokens, id {}: {} has {} bytes; at most {} are supported", file_, id,
                           Quote(content), content.size(), TokenMatcher::kMaxTokenBytes);
  }
  // Of two that the normalizer makes equal the first is found.
  TokenMatcher* matcher = added.normalized ? &parts_.normalized_tokens : &parts_.raw_tokens;
  if (!content.empty()) matcher->Add(content, id, rules);
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::AddMatchers() {
  const bool any_text = std::any_of(added_.begin(), added_.end(), [&](const auto& entry) {
    return !entry.second.special && entry.first != model_.unknown_id && !IsControl(entry.first);
  });
  // Special tokens alone would be looked for in vain.
  if (!any_text) return absl::OkStatus();
  for (const auto& [id, added] : added_) TF_RETURN_IF_ERROR(AddMatcher(id, added));
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadSteps() {
  TF_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer,
                      ParsePreTokenizer(JsonMember(root_, "pre_tokenizer"), file_ + ": pre_tokenizer"));
  byte_level_ = pre_tokenizer.byte_level;
  parts_.pre_tokenizer = std::move(pre_tokenizer.steps);
  if (!byte_level_) model_.bpe.alphabet = BpeOptions::Alphabet::kCharacters;
  if (byte_level_ && model_.type != JsonModel::Type::kBpe) {
    return Unimplemented("{}: pre_tokenizer: ByteLevel is supported with model.type BPE only", file_);
  }
  TF_ASSIGN_OR_RETURN(parts_.normalizer, ParseNormalizer(JsonMember(root_, "normalizer"), file_ + ": normalizer"));
  TF_ASSIGN_OR_RETURN(decoder_, Decoder::Parse(JsonMember(root_, "decoder"), file_ + ": decoder"));
  if (decoder_.byte_level() != byte_level_) {
    return Unimplemented("{}: ByteLevel is supported as both pre_tokenizer and decoder, or neither", file_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> TokenizerJsonReader::Read() {
  if (!root_.is_object()) return InvalidArgument("{}: not a JSON object", file_);
  TF_ASSIGN_OR_RETURN(model_, ParseJsonModel(JsonMember(root_, "model"), file_ + ": model"));
  TF_RETURN_IF_ERROR(ReadSteps());
  TF_RETURN_IF_ERROR(ReadAddedTokens());
  TF_RETURN_IF_ERROR(ReadUnknown());
  TF_RETURN_IF_ERROR(ReadSpecialIds());
  TF_ASSIGN_OR_RETURN(Vocabulary vocabulary, MakeVocabulary());
  TF_RETURN_IF_ERROR(AddMatchers());
  TF_ASSIGN_OR_RETURN(WordEncoder encoder, MakeWordEncoder(model_, std::move(vocabulary), file_ + ": model"));
  return std::make_shared<PieceTokenizer>(std::move(parts_), std::move(encoder));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> MakeJsonTokenizer(const json& root, const std::string& file) {
  return TokenizerJsonReader(root, file).Read();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadJsonTokenizer(const std::string& file) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxTokenizerFileBytes));
  const absl::StatusOr<json> root = ParseJson(text);
  if (!root.ok()) return Annotate(root.status(), file);
  return MakeJsonTokenizer(*root, file);
}

}  // namespace toolformer
