// Tokenizers of GGUF files: "gpt2" (byte-level with merges) and "llama" (SentencePiece with scores).
#include <algorithm>
#include <cmath>

#include "src/base/status.h"
#include "src/files/gguf.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_bpe.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";

class Reader {
 public:
  Reader(const GgufFile& gguf, const std::string& file) : gguf_(gguf), file_(file) {}

  absl::StatusOr<std::shared_ptr<const Tokenizer>> Read();

 private:
  absl::Status ReadTokens();
  absl::Status ReadSpecialIds();
  absl::StatusOr<std::optional<int32_t>> ReadId(std::string_view key);
  absl::StatusOr<bool> ReadFlag(std::string_view key, const bool& otherwise);
  absl::StatusOr<std::shared_ptr<const Tokenizer>> MakeByteLevel();
  absl::StatusOr<std::shared_ptr<const Tokenizer>> MakeSentencePiece();
  absl::StatusOr<std::string> PresetName();
  absl::StatusOr<MergeTable> ReadMerges(const Vocabulary& vocabulary);

  const GgufFile& gguf_;
  const std::string& file_;
  std::vector<std::string_view> pieces_;
  std::vector<TokenKind> kinds_;
  TokenizerParts parts_;
};

absl::Status Reader::ReadTokens() {
  TF_ASSIGN_OR_RETURN(auto pieces, gguf_.Strings("tokenizer.ggml.tokens"));
  if (!pieces || pieces->empty()) {
    return InvalidArgument("{}: tokenizer.ggml.tokens is missing or empty: the file holds no vocabulary", file_);
  }
  pieces_ = *std::move(pieces);
  if (pieces_.size() > static_cast<size_t>(kMaxVocabularySize)) {
    return InvalidArgument("{}: tokenizer.ggml.tokens holds {} tokens; at most {} are supported", file_, pieces_.size(),
                           kMaxVocabularySize);
  }
  kinds_.assign(pieces_.size(), TokenKind::kNormal);
  TF_ASSIGN_OR_RETURN(const auto types, gguf_.Integers("tokenizer.ggml.token_type"));
  if (!types) return absl::OkStatus();
  if (types->size() != pieces_.size()) {
    return InvalidArgument("{}: tokenizer.ggml.token_type has {} values for {} tokens", file_, types->size(),
                           pieces_.size());
  }
  constexpr TokenKind kKinds[] = {TokenKind::kNormal,      TokenKind::kUnknown, TokenKind::kControl,
                                  TokenKind::kUserDefined, TokenKind::kUnused,  TokenKind::kByte};
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const int64_t type = (*types)[i];
    if (type < 1 || type > 6) {
      return InvalidArgument("{}: tokenizer.ggml.token_type[{}] is {}; types are 1 to 6", file_, i, type);
    }
    kinds_[i] = kKinds[type - 1];
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int32_t>> Reader::ReadId(std::string_view key) {
  TF_ASSIGN_OR_RETURN(const std::optional<int64_t> id, gguf_.Integer(key));
  if (!id) return std::optional<int32_t>();
  if (*id < 0 || *id >= static_cast<int64_t>(pieces_.size())) {
    return InvalidArgument("{}: {} is {}, which is no token: there are {}", file_, key, *id, pieces_.size());
  }
  return std::optional<int32_t>(static_cast<int32_t>(*id));
}

absl::StatusOr<bool> Reader::ReadFlag(std::string_view key, const bool& otherwise) {
  TF_ASSIGN_OR_RETURN(const std::optional<bool> flag, gguf_.Boolean(key));
  return flag.value_or(otherwise);
}

absl::Status Reader::ReadSpecialIds() {
  TF_ASSIGN_OR_RETURN(const auto bos, ReadId("tokenizer.ggml.bos_token_id"));
  TF_ASSIGN_OR_RETURN(const auto eos, ReadId("tokenizer.ggml.eos_token_id"));
  if (!bos && !eos) {
    return InvalidArgument("{}: neither tokenizer.ggml.bos_token_id nor tokenizer.ggml.eos_token_id is there", file_);
  }
  parts_.start_id = bos ? *bos : *eos;
  const auto add_end = [&](int32_t id) {
    kinds_[id] = TokenKind::kControl;
    if (std::find(parts_.end_ids.begin(), parts_.end_ids.end(), id) == parts_.end_ids.end()) {
      parts_.end_ids.push_back(id);
    }
  };
  kinds_[parts_.start_id] = TokenKind::kControl;
  if (eos) add_end(*eos);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    TF_ASSIGN_OR_RETURN(const auto id, ReadId(key));
    if (id) add_end(*id);
  }
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (kinds_[i] == TokenKind::kControl && IsEndSpelling(pieces_[i])) add_end(static_cast<int32_t>(i));
  }
  TF_RETURN_IF_ERROR(ReadId("tokenizer.ggml.padding_token_id").status());
  TF_ASSIGN_OR_RETURN(const auto unknown, ReadId("tokenizer.ggml.unknown_token_id"));
  // A control token stays one: text must not yield it, not even text that the vocabulary cannot spell.
  if (unknown && kinds_[*unknown] != TokenKind::kControl) kinds_[*unknown] = TokenKind::kUnknown;
  return absl::OkStatus();
}

absl::StatusOr<std::string> Reader::PresetName() {
  TF_ASSIGN_OR_RETURN(const auto name, gguf_.String("tokenizer.ggml.pre"));
  if (name) return std::string(*name);
  // Files older than the field: these families have always cut words as GPT-2 does.
  TF_ASSIGN_OR_RETURN(const auto architecture, gguf_.String("general.architecture"));
  for (const std::string_view family : {"gpt2", "gptneox", "mpt"}) {
    if (architecture == family) return std::string("gpt-2");
  }
  return Unimplemented("{}: tokenizer.ggml.pre is missing; convert the model again, with one of: {}", file_,
                       PreTokenizerPresetNames());
}

absl::StatusOr<MergeTable> Reader::ReadMerges(const Vocabulary& vocabulary) {
  TF_ASSIGN_OR_RETURN(const auto merges, gguf_.Strings("tokenizer.ggml.merges"));
  if (!merges || merges->empty()) {
    return InvalidArgument("{}: tokenizer.ggml.merges is missing or empty: a tokenizer without merges", file_);
  }
  return MakeMergeTable(vocabulary,
                        {merges->size(), [&](size_t i) { return SplitMerge((*merges)[i]); }, MergeSpelling::kByteLevel},
                        file_ + ": tokenizer.ggml.merges");
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Reader::MakeByteLevel() {
  TF_ASSIGN_OR_RETURN(const std::string name, PresetName());
  BpeOptions options;
  absl::Status preset = ApplyPreTokenizerPreset(name, &parts_.pre_tokenizer, &options);
  if (!preset.ok()) return Annotate(preset, file_ + ": tokenizer.ggml.pre");
  TF_ASSIGN_OR_RETURN(const bool prefix, ReadFlag("tokenizer.ggml.add_space_prefix", false));
  if (prefix) return Unimplemented("{}: tokenizer.ggml.add_space_prefix with tokenizer.ggml.model 'gpt2'", file_);
  std::vector<Token> tokens;
  tokens.reserve(pieces_.size());
  for (size_t i = 0; i < pieces_.size(); ++i) {
    TF_ASSIGN_OR_RETURN(Token token, MakeByteLevelToken(pieces_[i], kinds_[i]));
    if (token.kind == TokenKind::kUserDefined) {
      absl::Status added = AddWholeToken(token.key, static_cast<int32_t>(i), &parts_.raw_tokens);
      if (!added.ok()) return Annotate(added, fmt::format("{}: tokenizer.ggml.tokens[{}]", file_, i));
    }
    tokens.push_back(std::move(token));
  }
  TF_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::Create(file_ + ": tokenizer.ggml.tokens", tokens));
  TF_ASSIGN_OR_RETURN(MergeTable merges, ReadMerges(vocabulary));
  return std::make_shared<BpeTokenizer>(std::move(parts_), Bpe(std::move(vocabulary), std::move(merges), options));
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Reader::MakeSentencePiece() {
  TF_ASSIGN_OR_RETURN(const auto scores, gguf_.Reals("tokenizer.ggml.scores"));
  if (!scores || scores->size() != pieces_.size()) {
    return InvalidArgument("{}: tokenizer.ggml.scores has {} values for {} tokens", file_, scores ? scores->size() : 0,
                           pieces_.size());
  }
  const auto bad = std::find_if(scores->begin(), scores->end(), [](float score) { return !std::isfinite(score); });
  if (bad != scores->end()) {
    return InvalidArgument("{}: tokenizer.ggml.scores[{}] is not a finite number", file_, bad - scores->begin());
  }
  TF_ASSIGN_OR_RETURN(const bool removes_spaces, ReadFlag("tokenizer.ggml.remove_extra_whitespaces", false));
  if (removes_spaces)
    return Unimplemented("{}: tokenizer.ggml.remove_extra_whitespaces is supported only as false", file_);
  std::vector<Token> tokens;
  tokens.reserve(pieces_.size());
  for (size_t i = 0; i < pieces_.size(); ++i) {
    Token token{ReplaceAll(pieces_[i], " ", kSpaceMark), ReplaceAll(pieces_[i], kSpaceMark, " "), kinds_[i]};
    if (token.kind == TokenKind::kByte) {
      const std::optional<uint8_t> byte = ParseByteToken(pieces_[i]);
      if (!byte) {
        return InvalidArgument("{}: tokenizer.ggml.tokens[{}] is a byte token spelled {}; it must be <0xHH>", file_, i,
                               Quote(pieces_[i]));
      }
      token.bytes.assign(1, static_cast<char>(*byte));
    } else if (token.kind == TokenKind::kControl || token.kind == TokenKind::kUnknown) {
      token.bytes.clear();
    } else if (token.kind == TokenKind::kUserDefined) {
      absl::Status added = AddWholeToken(token.key, static_cast<int32_t>(i), &parts_.normalized_tokens);
      if (!added.ok()) return Annotate(added, fmt::format("{}: tokenizer.ggml.tokens[{}]", file_, i));
    }
    tokens.push_back(std::move(token));
  }
  TF_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::Create(file_ + ": tokenizer.ggml.tokens", tokens));
  TF_ASSIGN_OR_RETURN(const bool prefix, ReadFlag("tokenizer.ggml.add_space_prefix", true));
  TF_ASSIGN_OR_RETURN(auto space, Regex::CompileLiteral(" "));
  if (prefix) parts_.normalizer.push_back({NormalizerStep::Kind::kPrepend, std::string(kSpaceMark), nullptr});
  parts_.normalizer.push_back({NormalizerStep::Kind::kReplace, std::string(kSpaceMark), std::move(space)});
  BpeOptions options;
  options.alphabet = BpeOptions::Alphabet::kCharacters;
  options.byte_fallback = true;
  options.fuse_unknown = true;
  return std::make_shared<BpeTokenizer>(std::move(parts_), Bpe(std::move(vocabulary), *scores, options));
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Reader::Read() {
  TF_ASSIGN_OR_RETURN(const auto model, gguf_.String("tokenizer.ggml.model"));
  if (!model) return InvalidArgument("{}: tokenizer.ggml.model is missing: the file holds no tokenizer", file_);
  if (*model != "gpt2" && *model != "llama") {
    return Unimplemented("{}: tokenizer.ggml.model is {}; supported are \"gpt2\" and \"llama\"", file_, Quote(*model));
  }
  TF_RETURN_IF_ERROR(ReadTokens());
  TF_RETURN_IF_ERROR(ReadSpecialIds());
  return *model == "gpt2" ? MakeByteLevel() : MakeSentencePiece();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadGgufTokenizer(const std::string& file) {
  TF_ASSIGN_OR_RETURN(const auto gguf, GgufFile::Open(file));
  return Reader(*gguf, file).Read();
}

}  // namespace toolformer
