// Tokenizers of GGUF files: byte-pair encoding over bytes or characters, by merges or by scores.
#include "src/text/tokenizer_gguf.h"

#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

using Kind = GgufVocabulary::Kind;

// A token of a vocabulary of characters, in which spaces are spelled U+2581.
Token MakeCharacterToken(const GgufVocabulary& from, int32_t id) {
  const std::string_view piece = from.pieces[id];
  Token token{ReplaceAll(piece, " ", kSpaceMark), ReplaceAll(piece, kSpaceMark, " "), from.kinds[id]};
  if (token.kind == TokenKind::kByte) token.bytes.assign(1, from.Byte(id));
  if (token.kind == TokenKind::kControl || token.kind == TokenKind::kUnknown) token.bytes.clear();
  return token;
}

class GgufTokenizerBuilder {
 public:
  GgufTokenizerBuilder(const GgufVocabulary& from, const std::string& file) : from_(from), file_(file) {}

  absl::StatusOr<std::shared_ptr<const Tokenizer>> Build();

 private:
  absl::StatusOr<Vocabulary> MakeVocabulary();
  absl::Status AddWhole(const Token& token, int32_t id);
  absl::Status AddNormalizer();
  absl::StatusOr<MergeTable> MakeMerges(const Vocabulary& vocabulary) const;

  const GgufVocabulary& from_;
  const std::string& file_;
  TokenizerParts parts_;
};

// Where a prefix is added it stands before the first word only, as SentencePiece has it: a space after every token that
// is matched whole would not be in the text.
absl::Status GgufTokenizerBuilder::AddWhole(const Token& token, int32_t id) {
  TokenMatcher* matcher = from_.kind == Kind::kByteLevel ? &parts_.raw_tokens : &parts_.normalized_tokens;
  absl::Status added = AddWholeToken(token.key, id, matcher);
  return added.ok() ? added : Annotate(added, fmt::format("{}: tokenizer.ggml.tokens[{}]", file_, id));
}

absl::StatusOr<Vocabulary> GgufTokenizerBuilder::MakeVocabulary() {
  std::vector<Token> tokens;
  tokens.reserve(from_.pieces.size());
  for (size_t i = 0; i < from_.pieces.size(); ++i) {
    const int32_t id = static_cast<int32_t>(i);
    Token token;
    if (from_.kind == Kind::kByteLevel) {
      TF_ASSIGN_OR_RETURN(token, MakeByteLevelToken(from_.pieces[i], from_.kinds[i]));
    } else {
      token = MakeCharacterToken(from_, id);
    }
    if (token.kind == TokenKind::kUserDefined) TF_RETURN_IF_ERROR(AddWhole(token, id));
    tokens.push_back(std::move(token));
  }
  return Vocabulary::Create(file_ + ": tokenizer.ggml.tokens", tokens);
}

absl::Status GgufTokenizerBuilder::AddNormalizer() {
  TF_ASSIGN_OR_RETURN(auto space, Regex::CompileLiteral(" "));
  const std::string mark(kSpaceMark);
  if (from_.adds_space_prefix) parts_.normalizer.push_back({NormalizerStep::Kind::kPrepend, mark, nullptr});
  parts_.normalizer.push_back({NormalizerStep::Kind::kReplace, mark, std::move(space)});
  return absl::OkStatus();
}

absl::StatusOr<MergeTable> GgufTokenizerBuilder::MakeMerges(const Vocabulary& vocabulary) const {
  const MergeSpelling spelling = from_.kind == Kind::kByteLevel ? MergeSpelling::kByteLevel : MergeSpelling::kPlain;
  const auto get = [&](size_t i) { return SplitMerge(from_.merges[i]); };
  return MakeMergeTable(vocabulary, {from_.merges.size(), get, spelling}, file_ + ": tokenizer.ggml.merges");
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> GgufTokenizerBuilder::Build() {
  parts_.start_id = from_.bos ? *from_.bos : *from_.eos;
  parts_.end_ids = from_.end_ids;
  BpeOptions options;
  if (from_.kind != Kind::kByteLevel) {
    TF_RETURN_IF_ERROR(AddNormalizer());
    options.alphabet = BpeOptions::Alphabet::kCharacters;
    options.byte_fallback = true;
    options.fuse_unknown = true;
  }
  if (from_.preset != nullptr) {
    TF_ASSIGN_OR_RETURN(parts_.pre_tokenizer, MakePreTokenizer(*from_.preset));
    options.ignore_merges = (from_.preset->flags & PreTokenizerPreset::kIgnoreMerges) != 0;
  }
  TF_ASSIGN_OR_RETURN(Vocabulary vocabulary, MakeVocabulary());
  if (from_.kind == Kind::kScores) {
    return std::make_shared<PieceTokenizer>(std::move(parts_), Bpe(std::move(vocabulary), from_.scores, options));
  }
  TF_ASSIGN_OR_RETURN(MergeTable merges, MakeMerges(vocabulary));
  return std::make_shared<PieceTokenizer>(std::move(parts_), Bpe(std::move(vocabulary), std::move(merges), options));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadGgufTokenizer(const std::string& file) {
  TF_ASSIGN_OR_RETURN(const auto gguf, GgufFile::Open(file));
  TF_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, ReadGgufVocabulary(*gguf));
  return GgufTokenizerBuilder(vocabulary, file).Build();
}

}  // namespace toolformer
