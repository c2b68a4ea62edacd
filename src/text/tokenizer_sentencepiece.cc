// Tokenizers of SentencePiece model files, as SentencePiece itself encodes with them.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/text/language_codes.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/sentencepiece_model.h"
#include "src/text/tokenizer_folder.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_json_model.h"
#include "src/text/tokenizer_json_special.h"
#include "src/text/tokenizer_limits.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

using nlohmann::json;
using Piece = SentencePieceModel::Piece;

constexpr size_t kMaxIdGap = 65536;
constexpr std::string_view kMark = "\u2581";

class SentencePieceTokenizerBuilder {
 public:
  SentencePieceTokenizerBuilder(const std::string& file, SentencePieceModel model)
      : file_(file), model_(std::move(model)) {}

  // With what the files beside the model say.
  absl::StatusOr<std::shared_ptr<const Tokenizer>> Build();
  absl::StatusOr<std::shared_ptr<const Tokenizer>> BuildPlain();

 private:
  absl::Status CheckType() const;
  absl::StatusOr<std::shared_ptr<const Tokenizer>> Finish();
  void AddFamilyTokens(const std::string& tokenizer_class, const TokenizerFolder& folder);
  absl::Status ShiftIds(const std::string& tokenizer_class);
  absl::Status ReadAddedTokens(const TokenizerFolder& folder);
  absl::Status ReadAddedToken(const json& token, const std::string& where);
  absl::Status ReadSpecialIds();
  absl::Status ReadPlainIds();
  absl::Status AddNormalizer();
  absl::StatusOr<Token> MakeToken(size_t id);
  absl::StatusOr<Vocabulary> MakeVocabulary();
  absl::StatusOr<WordEncoder> MakeEncoder(Vocabulary vocabulary) const;

  const std::string& file_;
  SentencePieceModel model_;
  size_t model_pieces_ = 0;  // tokens that files beside the model add come after them
  PieceTable pieces_;
  TokenizerParts parts_;
};

// The families that came from fairseq have other ids for the same pieces: its four special tokens, then the pieces that
// are not special, one further than in the model.
absl::Status SentencePieceTokenizerBuilder::ShiftIds(const std::string& tokenizer_class) {
  constexpr char kModelName[] = "sentencepiece.bpe.model";
  const bool is_fairseq = tokenizer_class == "XGLMTokenizer" || tokenizer_class == "XLMRobertaTokenizer" ||
                          tokenizer_class == "NllbTokenizer";
  if (!is_fairseq && std::filesystem::path(file_).filename() != kModelName) return absl::OkStatus();
  if (!is_fairseq && !tokenizer_class.empty()) {
    return Unimplemented(
        "{}: tokenizer_class is {}; supported with this file are XGLMTokenizer, XLMRobertaTokenizer and NllbTokenizer",
        file_, Quote(tokenizer_class));
  }
  std::vector<Piece>& pieces = model_.pieces;
  if (pieces.size() < 3 || pieces[0].kind != TokenKind::kUnknown || pieces[1].piece != "<s>" ||
      pieces[2].piece != "</s>") {
    return Unimplemented("{}: the pieces do not begin with <unk>, <s> and </s>, as those of this family do", file_);
  }
  std::rotate(pieces.begin(), pieces.begin() + 1, pieces.begin() + 3);
  pieces.insert(pieces.begin() + 1, Piece{"<pad>", 0, TokenKind::kControl});
  model_.bos_id = 0;
  model_.eos_id = 2;
  if (tokenizer_class == "XGLMTokenizer") {
    for (int i = 0; i < 7; ++i) pieces.push_back({fmt::format("<madeupword{}>", i), 0, TokenKind::kControl});
  }
  return absl::OkStatus();
}

// Tokens that a family's tokenizer adds by itself where no file gives their ids.
void SentencePieceTokenizerBuilder::AddFamilyTokens(const std::string& tokenizer_class, const TokenizerFolder& folder) {
  if (JsonMember(folder.tokenizer_config(), "added_tokens_decoder").is_object()) return;
  const auto add = [this](std::string piece) { model_.pieces.push_back({std::move(piece), 0, TokenKind::kControl}); };
  if (tokenizer_class == "NllbTokenizer") {
    for (const std::string_view code : NllbLanguages()) add(std::string(code));
    add("<mask>");
  } else if (tokenizer_class == "T5Tokenizer") {
    const json& extra = JsonMember(folder.tokenizer_config(), "extra_ids");
    const bool known = extra.is_number_integer() && extra >= 0 && extra <= 10000;
    for (int i = known ? extra.get<int>() : 100; i-- > 0;) add(fmt::format("<extra_id_{}>", i));
  }
}

absl::Status SentencePieceTokenizerBuilder::ReadAddedToken(const json& token, const std::string& where) {
  TF_ASSIGN_OR_RETURN(const std::string content, JsonString(token, "content", where, ""));
  TF_ASSIGN_OR_RETURN(const bool special, JsonFlag(token, "special", where, false));
  TF_ASSIGN_OR_RETURN(const uint64_t id, JsonCount(token, "id", where, 0));
  if (id < model_pieces_) {
    Piece& piece = model_.pieces[id];
    if (piece.piece != content) {
      return InvalidArgument("{}: token {} is {}, but {} in the model", where, id, Quote(content), Quote(piece.piece));
    }
    if (special && piece.kind != TokenKind::kUnknown) piece.kind = TokenKind::kControl;
    return absl::OkStatus();
  }
  if (id > model_pieces_ * 2 + kMaxIdGap) {
    return InvalidArgument("{}: token {} is {}; the model has {} pieces: too many ids are left out", where, id,
                           Quote(content), model_pieces_);
  }
  const size_t size = static_cast<size_t>(id) + 1;
  if (model_.pieces.size() < size) model_.pieces.resize(size, Piece{"", 0, TokenKind::kControl});
  model_.pieces[id] = {content, 0, special ? TokenKind::kControl : TokenKind::kUserDefined};
  if (special) return absl::OkStatus();
  TokenRules rules;
  TF_ASSIGN_OR_RETURN(rules.takes_space_before, JsonFlag(token, "lstrip", where, false));
  TF_ASSIGN_OR_RETURN(rules.takes_space_after, JsonFlag(token, "rstrip", where, false));
  TF_ASSIGN_OR_RETURN(rules.whole_word, JsonFlag(token, "single_word", where, false));
  if (content.empty() || content.size() > TokenMatcher::kMaxTokenBytes) {
    return InvalidArgument("{}: token {} has {} bytes; supported are 1 to {}", where, id, content.size(),
                           TokenMatcher::kMaxTokenBytes);
  }
  parts_.raw_tokens.Add(content, static_cast<int32_t>(id), rules);
  return absl::OkStatus();
}

absl::Status SentencePieceTokenizerBuilder::ReadAddedTokens(const TokenizerFolder& folder) {
  const auto find = [&](const std::string& spelling) {
    const auto found = std::find_if(model_.pieces.begin(), model_.pieces.end(),
                                    [&](const Piece& piece) { return piece.piece == spelling; });
    return found == model_.pieces.end() ? -1 : static_cast<int32_t>(found - model_.pieces.begin());
  };
  TF_ASSIGN_OR_RETURN(const json tokens, folder.AddedTokens(find));
  for (const json& token : tokens) {
    TF_RETURN_IF_ERROR(ReadAddedToken(token, folder.file("tokenizer_config.json or added_tokens.json")));
  }
  return absl::OkStatus();
}

absl::Status SentencePieceTokenizerBuilder::ReadSpecialIds() {
  std::vector<int32_t> special;
  for (size_t i = 0; i < model_.pieces.size(); ++i) {
    const Piece& piece = model_.pieces[i];
    const int32_t id = static_cast<int32_t>(i);
    // An id that files leave out.
    if (piece.piece.empty()) continue;
    TF_RETURN_IF_ERROR(pieces_.Add(piece.piece, id, fmt::format("{}: pieces[{}]", file_, i)));
    if (piece.kind == TokenKind::kControl) special.push_back(id);
    if (piece.kind == TokenKind::kControl) parts_.control_tokens.emplace(piece.piece, id);
  }
  const auto if_control = [&](int32_t id) {
    const bool is_control = id >= 0 && static_cast<size_t>(id) < model_.pieces.size() &&
                            model_.pieces[static_cast<size_t>(id)].kind == TokenKind::kControl;
    return is_control ? id : -1;
  };
  const SpecialHints hints{if_control(model_.bos_id), if_control(model_.eos_id)};
  TF_ASSIGN_OR_RETURN(const SpecialIds ids, FindSpecialIds(json::object(), file_, pieces_, special, hints));
  parts_.start_id = ids.start;
  parts_.end_ids = ids.ends;
  for (const int32_t id : ids.ends) model_.pieces[static_cast<size_t>(id)].kind = TokenKind::kControl;
  model_.pieces[static_cast<size_t>(ids.start)].kind = TokenKind::kControl;
  return absl::OkStatus();
}

// Nothing but the model says what begins or ends a text.
absl::Status SentencePieceTokenizerBuilder::ReadPlainIds() {
  for (size_t i = 0; i < model_.pieces.size(); ++i) {
    const Piece& piece = model_.pieces[i];
    const auto id = static_cast<int32_t>(i);
    TF_RETURN_IF_ERROR(pieces_.Add(piece.piece, id, fmt::format("{}: pieces[{}]", file_, i)));
    if (piece.kind == TokenKind::kControl) parts_.control_tokens.emplace(piece.piece, id);
  }
  return absl::OkStatus();
}

absl::Status SentencePieceTokenizerBuilder::AddNormalizer() {
  auto spec = std::make_shared<SentencePieceNormalizer>();
  if (!model_.precompiled_charsmap.empty()) {
    TF_ASSIGN_OR_RETURN(spec->charsmap,
                        Charsmap::Parse(model_.precompiled_charsmap, file_ + ": normalizer_spec.precompiled_charsmap"));
  }
  for (size_t id = 0; id < model_pieces_; ++id) {
    if (model_.pieces[id].kind != TokenKind::kUserDefined) continue;
    const absl::Status added = AddWholeToken(model_.pieces[id].piece, static_cast<int32_t>(id), &spec->symbols);
    if (!added.ok()) return Annotate(added, fmt::format("{}: pieces[{}]", file_, id));
  }
  spec->adds_prefix = model_.add_dummy_prefix;
  spec->removes_extra_spaces = model_.remove_extra_whitespaces;
  spec->escapes_spaces = model_.escape_whitespaces;
  spec->space_is_suffix = model_.treat_whitespace_as_suffix;
  // The best path of Unigram finds them among the pieces; merging must not reach into them.
  if (model_.type == SentencePieceModel::Type::kBpe) parts_.normalized_tokens = spec->symbols;
  NormalizerStep step{NormalizerStep::Kind::kSentencePiece};
  step.sentencepiece = std::move(spec);
  parts_.normalizer.push_back(std::move(step));
  return absl::OkStatus();
}

absl::StatusOr<Token> SentencePieceTokenizerBuilder::MakeToken(size_t id) {
  const Piece& piece = model_.pieces[id];
  Token token{piece.piece, ReplaceAll(piece.piece, kMark, " "), piece.kind};
  if (piece.kind == TokenKind::kByte) {
    const std::optional<uint8_t> byte = ParseByteToken(piece.piece);
    if (!byte) {
      return InvalidArgument("{}: pieces[{}] is a byte spelled {}; it must be <0xHH>", file_, id, Quote(piece.piece));
    }
    token.bytes.assign(1, static_cast<char>(*byte));
  }
  if (piece.kind == TokenKind::kControl || piece.kind == TokenKind::kUnknown) token.bytes.clear();
  return token;
}

absl::StatusOr<Vocabulary> SentencePieceTokenizerBuilder::MakeVocabulary() {
  std::vector<Token> tokens;
  tokens.reserve(model_.pieces.size());
  for (size_t id = 0; id < model_.pieces.size(); ++id) {
    TF_ASSIGN_OR_RETURN(Token token, MakeToken(id));
    // Added tokens are matched in the text before SentencePiece sees it.
    if (id >= model_pieces_) {
      token.key.clear();
      if (token.kind == TokenKind::kUserDefined) token.bytes = model_.pieces[id].piece;
    }
    tokens.push_back(std::move(token));
  }
  return Vocabulary::Create(file_ + ": pieces", tokens);
}

absl::StatusOr<WordEncoder> SentencePieceTokenizerBuilder::MakeEncoder(Vocabulary vocabulary) const {
  std::vector<double> scores;
  for (const Piece& piece : model_.pieces) scores.push_back(piece.score);
  if (model_.type == SentencePieceModel::Type::kUnigram) {
    UnigramOptions options;
    options.dialect = UnigramOptions::Dialect::kSentencePiece;
    options.byte_fallback = model_.byte_fallback;
    TF_ASSIGN_OR_RETURN(Unigram unigram, Unigram::Create(file_ + ": pieces", std::move(vocabulary), scores, options));
    return WordEncoder(std::move(unigram));
  }
  BpeOptions options;
  options.alphabet = BpeOptions::Alphabet::kCharacters;
  options.byte_fallback = model_.byte_fallback;
  options.fuse_unknown = true;
  return WordEncoder(Bpe(std::move(vocabulary), std::vector<float>(scores.begin(), scores.end()), options));
}

absl::Status SentencePieceTokenizerBuilder::CheckType() const {
  if (model_.type == SentencePieceModel::Type::kUnigram || model_.type == SentencePieceModel::Type::kBpe) {
    return absl::OkStatus();
  }
  return Unimplemented("{}: trainer_spec.model_type is {}; supported are unigram and bpe", file_,
                       model_.type == SentencePieceModel::Type::kWord ? "word" : "char");
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> SentencePieceTokenizerBuilder::Build() {
  TF_RETURN_IF_ERROR(CheckType());
  TF_ASSIGN_OR_RETURN(const TokenizerFolder folder,
                      TokenizerFolder::Open(std::filesystem::path(file_).parent_path().string()));
  const std::string tokenizer_class = folder.TokenizerClass();
  TF_RETURN_IF_ERROR(ShiftIds(tokenizer_class));
  AddFamilyTokens(tokenizer_class, folder);
  model_pieces_ = model_.pieces.size();
  TF_RETURN_IF_ERROR(ReadAddedTokens(folder));
  TF_RETURN_IF_ERROR(ReadSpecialIds());
  return Finish();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> SentencePieceTokenizerBuilder::BuildPlain() {
  TF_RETURN_IF_ERROR(CheckType());
  model_pieces_ = model_.pieces.size();
  TF_RETURN_IF_ERROR(ReadPlainIds());
  return Finish();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> SentencePieceTokenizerBuilder::Finish() {
  TF_RETURN_IF_ERROR(AddNormalizer());
  TF_ASSIGN_OR_RETURN(Vocabulary vocabulary, MakeVocabulary());
  TF_ASSIGN_OR_RETURN(WordEncoder encoder, MakeEncoder(std::move(vocabulary)));
  return std::make_shared<PieceTokenizer>(std::move(parts_), std::move(encoder));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadSentencePieceTokenizer(const std::string& file) {
  TF_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, kMaxTokenizerFileBytes));
  TF_ASSIGN_OR_RETURN(SentencePieceModel model, SentencePieceModel::Parse(bytes, file));
  return SentencePieceTokenizerBuilder(file, std::move(model)).Build();
}

absl::StatusOr<PlainSentencePiece> LoadPlainSentencePiece(const std::string& file) {
  TF_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, kMaxTokenizerFileBytes));
  TF_ASSIGN_OR_RETURN(SentencePieceModel model, SentencePieceModel::Parse(bytes, file));
  PlainSentencePiece plain;
  for (const Piece& piece : model.pieces) plain.pieces.push_back(piece.piece);
  TF_ASSIGN_OR_RETURN(plain.tokenizer, SentencePieceTokenizerBuilder(file, std::move(model)).BuildPlain());
  return plain;
}

}  // namespace toolformer
