#include "src/text/sentencepiece_model.h"

#include <cmath>
#include <utility>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/protobuf.h"

namespace toolformer {
namespace {

// Calls visit(field) for each field of `message`, until one fails.
template <typename Visit>
absl::Status ForEachField(const ProtobufField& message, const std::string& where, Visit visit) {
  TF_ASSIGN_OR_RETURN(const std::string_view bytes, message.AsBytes(where));
  ProtobufReader reader(bytes, where, message.bytes_offset);
  while (true) {
    TF_ASSIGN_OR_RETURN(const std::optional<ProtobufField> field, reader.Next());
    if (!field) return absl::OkStatus();
    TF_RETURN_IF_ERROR(visit(*field));
  }
}

absl::StatusOr<TokenKind> KindOf(int32_t type, const std::string& where) {
  constexpr TokenKind kKinds[] = {TokenKind::kNormal,      TokenKind::kUnknown, TokenKind::kControl,
                                  TokenKind::kUserDefined, TokenKind::kUnused,  TokenKind::kByte};
  if (type < 1 || type > 6) return InvalidArgument("{}.type is {}; types are 1 to 6", where, type);
  return kKinds[type - 1];
}

absl::Status ReadPiece(const ProtobufField& message, const std::string& where, SentencePieceModel* model) {
  if (model->pieces.size() >= static_cast<size_t>(kMaxVocabularySize)) {
    return InvalidArgument("{}: more than {} pieces, which is the most that is supported", where, kMaxVocabularySize);
  }
  const std::string at = fmt::format("{}: pieces[{}]", where, model->pieces.size());
  SentencePieceModel::Piece piece;
  TF_RETURN_IF_ERROR(ForEachField(message, at, [&](const ProtobufField& field) -> absl::Status {
    if (field.number == 1) {
      TF_ASSIGN_OR_RETURN(const std::string_view text, field.AsBytes(at));
      piece.piece = text;
    } else if (field.number == 2) {
      TF_ASSIGN_OR_RETURN(piece.score, field.AsFloat(at));
    } else if (field.number == 3) {
      TF_ASSIGN_OR_RETURN(const int32_t type, field.AsInt32(at));
      TF_ASSIGN_OR_RETURN(piece.kind, KindOf(type, at));
    }
    return absl::OkStatus();
  }));
  if (piece.piece.empty()) return InvalidArgument("{}.piece is empty", at);
  if (!IsValidUtf8(piece.piece)) return InvalidArgument("{}.piece is not valid UTF-8", at);
  if (!std::isfinite(piece.score)) return InvalidArgument("{}.score is not a finite number", at);
  model->pieces.push_back(std::move(piece));
  return absl::OkStatus();
}

absl::Status ReadTrainerSpec(const ProtobufField& message, const std::string& where, SentencePieceModel* model) {
  const std::string at = where + ": trainer_spec";
  return ForEachField(message, at, [&](const ProtobufField& field) -> absl::Status {
    if (field.number == 3) {
      TF_ASSIGN_OR_RETURN(const int32_t type, field.AsInt32(at));
      if (type < 1 || type > 4) return InvalidArgument("{}.model_type is {}; types are 1 to 4", at, type);
      model->type = static_cast<SentencePieceModel::Type>(type);
    } else if (field.number == 24) {
      TF_ASSIGN_OR_RETURN(model->treat_whitespace_as_suffix, field.AsBool(at));
    } else if (field.number == 35) {
      TF_ASSIGN_OR_RETURN(model->byte_fallback, field.AsBool(at));
    } else if (field.number == 41) {
      TF_ASSIGN_OR_RETURN(model->bos_id, field.AsInt32(at));
    } else if (field.number == 42) {
      TF_ASSIGN_OR_RETURN(model->eos_id, field.AsInt32(at));
    }
    return absl::OkStatus();
  });
}

absl::Status ReadNormalizerSpec(const ProtobufField& message, const std::string& where, SentencePieceModel* model) {
  const std::string at = where + ": normalizer_spec";
  return ForEachField(message, at, [&](const ProtobufField& field) -> absl::Status {
    if (field.number == 2) {
      TF_ASSIGN_OR_RETURN(const std::string_view charsmap, field.AsBytes(at));
      model->precompiled_charsmap = charsmap;
    } else if (field.number == 3) {
      TF_ASSIGN_OR_RETURN(model->add_dummy_prefix, field.AsBool(at));
    } else if (field.number == 4) {
      TF_ASSIGN_OR_RETURN(model->remove_extra_whitespaces, field.AsBool(at));
    } else if (field.number == 5) {
      TF_ASSIGN_OR_RETURN(model->escape_whitespaces, field.AsBool(at));
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<SentencePieceModel> SentencePieceModel::Parse(std::string_view bytes, const std::string& where) {
  SentencePieceModel model;
  ProtobufReader reader(bytes, where);
  while (true) {
    TF_ASSIGN_OR_RETURN(const std::optional<ProtobufField> field, reader.Next());
    if (!field) break;
    if (field->number == 1) TF_RETURN_IF_ERROR(ReadPiece(*field, where, &model));
    if (field->number == 2) TF_RETURN_IF_ERROR(ReadTrainerSpec(*field, where, &model));
    if (field->number == 3) TF_RETURN_IF_ERROR(ReadNormalizerSpec(*field, where, &model));
  }
  if (model.pieces.empty()) return InvalidArgument("{}: no pieces: not a model of SentencePiece", where);
  return model;
}

}  // namespace toolformer
