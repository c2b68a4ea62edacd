#include <algorithm>
#include <cmath>

#include "src/base/status.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_gguf.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

using Kind = GgufVocabulary::Kind;

class GgufFieldReader {
 public:
  explicit GgufFieldReader(const GgufFile& gguf) : gguf_(gguf), file_(gguf.path()) {}

  absl::StatusOr<GgufVocabulary> Read();

 private:
  absl::Status ReadModel();
  absl::Status ReadTokens();
  absl::Status ReadKinds();
  absl::Status ReadSpecialIds();
  absl::Status ReadFlags();
  absl::Status ReadMerges();
  absl::Status ReadScores();
  absl::StatusOr<std::optional<int32_t>> ReadId(std::string_view key);
  absl::StatusOr<bool> ReadFlag(std::string_view key, const bool& otherwise);

  const GgufFile& gguf_;
  const std::string& file_;
  GgufVocabulary out_;
};

absl::Status GgufFieldReader::ReadModel() {
  TF_ASSIGN_OR_RETURN(const auto model, gguf_.String("tokenizer.ggml.model"));
  if (!model) return InvalidArgument("{}: tokenizer.ggml.model is missing: the file holds no tokenizer", file_);
  if (*model == "llama") {
    out_.kind = Kind::kScores;
    return absl::OkStatus();
  }
  if (*model != "gpt2" && *model != "gemma4") {
    return Unimplemented("{}: tokenizer.ggml.model is {}; supported are \"gemma4\", \"gpt2\" and \"llama\"", file_,
                         Quote(*model));
  }
  // Files older than the field are cut as llama.cpp cuts them.
  TF_ASSIGN_OR_RETURN(const auto name, gguf_.String("tokenizer.ggml.pre"));
  const bool named = name && !name->empty();
  const auto preset = FindPreTokenizerPreset(*model == "gemma4" ? "gemma4" : named ? *name : "default");
  if (!preset.ok()) return Annotate(preset.status(), file_ + ": tokenizer.ggml.pre");
  out_.preset = *preset;
  out_.kind = out_.preset->flags & PreTokenizerPreset::kCharacters ? Kind::kCharacters : Kind::kByteLevel;
  return absl::OkStatus();
}

absl::Status GgufFieldReader::ReadTokens() {
  TF_ASSIGN_OR_RETURN(auto pieces, gguf_.Strings("tokenizer.ggml.tokens"));
  if (!pieces || pieces->empty()) {
    return InvalidArgument("{}: tokenizer.ggml.tokens is missing or empty: the file holds no vocabulary", file_);
  }
  if (pieces->size() > static_cast<size_t>(kMaxVocabularySize)) {
    return InvalidArgument("{}: tokenizer.ggml.tokens holds {} tokens; at most {} are supported", file_, pieces->size(),
                           kMaxVocabularySize);
  }
  out_.pieces = *std::move(pieces);
  return absl::OkStatus();
}

absl::Status GgufFieldReader::ReadKinds() {
  out_.kinds.assign(out_.pieces.size(), TokenKind::kNormal);
  TF_ASSIGN_OR_RETURN(const auto types, gguf_.Integers("tokenizer.ggml.token_type"));
  if (!types) return absl::OkStatus();
  if (types->size() != out_.pieces.size()) {
    return InvalidArgument("{}: tokenizer.ggml.token_type has {} values for {} tokens", file_, types->size(),
                           out_.pieces.size());
  }
  constexpr TokenKind kKinds[] = {TokenKind::kNormal,      TokenKind::kUnknown, TokenKind::kControl,
                                  TokenKind::kUserDefined, TokenKind::kUnused,  TokenKind::kByte};
  for (size_t i = 0; i < out_.kinds.size(); ++i) {
    const int64_t type = (*types)[i];
    if (type < 1 || type > 6) {
      return InvalidArgument("{}: tokenizer.ggml.token_type[{}] is {}; types are 1 to 6", file_, i, type);
    }
    out_.kinds[i] = kKinds[type - 1];
    if (out_.kind != Kind::kByteLevel && out_.kinds[i] == TokenKind::kByte && !ParseByteToken(out_.pieces[i])) {
      return InvalidArgument("{}: tokenizer.ggml.tokens[{}] is a byte token spelled {}; it must be <0xHH>", file_, i,
                             Quote(out_.pieces[i]));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int32_t>> GgufFieldReader::ReadId(std::string_view key) {
  TF_ASSIGN_OR_RETURN(const std::optional<int64_t> id, gguf_.Integer(key));
  if (!id) return std::optional<int32_t>();
  if (*id < 0 || *id >= static_cast<int64_t>(out_.pieces.size())) {
    return InvalidArgument("{}: {} is {}, which is no token: there are {}", file_, key, *id, out_.pieces.size());
  }
  return std::optional<int32_t>(static_cast<int32_t>(*id));
}

absl::Status GgufFieldReader::ReadSpecialIds() {
  TF_ASSIGN_OR_RETURN(out_.bos, ReadId("tokenizer.ggml.bos_token_id"));
  TF_ASSIGN_OR_RETURN(out_.eos, ReadId("tokenizer.ggml.eos_token_id"));
  if (!out_.bos && !out_.eos) {
    return InvalidArgument("{}: neither tokenizer.ggml.bos_token_id nor tokenizer.ggml.eos_token_id is there", file_);
  }
  const auto add_end = [&](int32_t id) {
    out_.kinds[id] = TokenKind::kControl;
    if (std::find(out_.end_ids.begin(), out_.end_ids.end(), id) == out_.end_ids.end()) out_.end_ids.push_back(id);
  };
  if (out_.bos) out_.kinds[*out_.bos] = TokenKind::kControl;
  if (out_.eos) add_end(*out_.eos);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    TF_ASSIGN_OR_RETURN(const auto id, ReadId(key));
    if (id) add_end(*id);
  }
  for (size_t i = 0; i < out_.pieces.size(); ++i) {
    if (out_.kinds[i] == TokenKind::kControl && IsEndSpelling(out_.pieces[i])) add_end(static_cast<int32_t>(i));
  }
  TF_ASSIGN_OR_RETURN(out_.padding, ReadId("tokenizer.ggml.padding_token_id"));
  TF_ASSIGN_OR_RETURN(out_.unknown, ReadId("tokenizer.ggml.unknown_token_id"));
  // A control token stays one: text must not yield it, not even text that the vocabulary cannot spell.
  if (out_.unknown && out_.kinds[*out_.unknown] != TokenKind::kControl) {
    out_.kinds[*out_.unknown] = TokenKind::kUnknown;
  }
  // Only one stands for what the vocabulary cannot spell; converters give the type to padding too.
  for (size_t i = 0; out_.unknown && i < out_.kinds.size(); ++i) {
    const bool other = static_cast<int32_t>(i) != *out_.unknown;
    if (other && out_.kinds[i] == TokenKind::kUnknown) out_.kinds[i] = TokenKind::kControl;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> GgufFieldReader::ReadFlag(std::string_view key, const bool& otherwise) {
  TF_ASSIGN_OR_RETURN(const std::optional<bool> flag, gguf_.Boolean(key));
  return flag.value_or(otherwise);
}

absl::Status GgufFieldReader::ReadFlags() {
  const bool scores = out_.kind == Kind::kScores;
  const bool adds_bos = scores || (out_.preset->flags & PreTokenizerPreset::kAddsBos) != 0;
  TF_ASSIGN_OR_RETURN(out_.adds_bos, ReadFlag("tokenizer.ggml.add_bos_token", adds_bos));
  TF_ASSIGN_OR_RETURN(out_.adds_eos, ReadFlag("tokenizer.ggml.add_eos_token", false));
  out_.adds_bos = out_.adds_bos && out_.bos.has_value();
  out_.adds_eos = out_.adds_eos && out_.eos.has_value();
  TF_ASSIGN_OR_RETURN(out_.adds_space_prefix, ReadFlag("tokenizer.ggml.add_space_prefix", scores));
  // The flag comes from settings that the tokenizers of such models leave alone, and so does llama.cpp.
  if (!scores) out_.adds_space_prefix = false;
  TF_ASSIGN_OR_RETURN(const bool removes_spaces, ReadFlag("tokenizer.ggml.remove_extra_whitespaces", false));
  if (removes_spaces) {
    return Unimplemented("{}: tokenizer.ggml.remove_extra_whitespaces is supported only as false", file_);
  }
  TF_ASSIGN_OR_RETURN(out_.chat_template, gguf_.String("tokenizer.chat_template"));
  return absl::OkStatus();
}

absl::Status GgufFieldReader::ReadMerges() {
  TF_ASSIGN_OR_RETURN(auto merges, gguf_.Strings("tokenizer.ggml.merges"));
  if (!merges || merges->empty()) {
    return InvalidArgument("{}: tokenizer.ggml.merges is missing or empty: a tokenizer without merges", file_);
  }
  out_.merges = *std::move(merges);
  return absl::OkStatus();
}

absl::Status GgufFieldReader::ReadScores() {
  TF_ASSIGN_OR_RETURN(auto scores, gguf_.Reals("tokenizer.ggml.scores"));
  if (!scores || scores->size() != out_.pieces.size()) {
    return InvalidArgument("{}: tokenizer.ggml.scores has {} values for {} tokens", file_, scores ? scores->size() : 0,
                           out_.pieces.size());
  }
  const auto bad = std::find_if(scores->begin(), scores->end(), [](float score) { return !std::isfinite(score); });
  if (bad != scores->end()) {
    return InvalidArgument("{}: tokenizer.ggml.scores[{}] is not a finite number", file_, bad - scores->begin());
  }
  out_.scores = *std::move(scores);
  return absl::OkStatus();
}

absl::StatusOr<GgufVocabulary> GgufFieldReader::Read() {
  TF_RETURN_IF_ERROR(ReadModel());
  TF_RETURN_IF_ERROR(ReadTokens());
  TF_RETURN_IF_ERROR(ReadKinds());
  TF_RETURN_IF_ERROR(ReadSpecialIds());
  TF_RETURN_IF_ERROR(ReadFlags());
  TF_RETURN_IF_ERROR(out_.kind == Kind::kScores ? ReadScores() : ReadMerges());
  return std::move(out_);
}

}  // namespace

absl::StatusOr<GgufVocabulary> ReadGgufVocabulary(const GgufFile& gguf) { return GgufFieldReader(gguf).Read(); }

}  // namespace toolformer
