#include "src/text/tokenizer_json_model.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

using nlohmann::json;

absl::StatusOr<JsonModel::Type> ParseType(const json& object, const std::string& where) {
  // Old files leave the type out: only Unigram has an array of pieces, and only BPE has merges.
  const char* otherwise = "WordPiece";
  if (object.contains("merges")) otherwise = "BPE";
  if (JsonMember(object, "vocab").is_array()) otherwise = "Unigram";
  TF_ASSIGN_OR_RETURN(const std::string type, JsonString(object, "type", where, otherwise));
  if (type == "BPE") return JsonModel::Type::kBpe;
  if (type == "Unigram") return JsonModel::Type::kUnigram;
  if (type == "WordPiece") return JsonModel::Type::kWordPiece;
  if (type == "WordLevel") return JsonModel::Type::kWordLevel;
  return Unimplemented("{}.type is {}; supported are BPE, Unigram, WordPiece and WordLevel", where, Quote(type));
}

absl::Status ParseBpeOptions(const json& object, const std::string& where, BpeOptions* options) {
  TF_ASSIGN_OR_RETURN(options->ignore_merges, JsonFlag(object, "ignore_merges", where, false));
  TF_ASSIGN_OR_RETURN(options->byte_fallback, JsonFlag(object, "byte_fallback", where, false));
  TF_ASSIGN_OR_RETURN(options->fuse_unknown, JsonFlag(object, "fuse_unk", where, false));
  TF_ASSIGN_OR_RETURN(options->continuing_prefix, JsonString(object, "continuing_subword_prefix", where, ""));
  TF_ASSIGN_OR_RETURN(options->end_suffix, JsonString(object, "end_of_word_suffix", where, ""));
  const json& dropout = JsonMember(object, "dropout");
  if (!dropout.is_null() && dropout != 0) {
    return Unimplemented("{}.dropout is not 0: only exact encoding is supported", where);
  }
  return absl::OkStatus();
}

// The reference reads the digits of a number as an integer and divides once, which can be off by the last bit; sums of
// scores that tie in one reading do not in the other.
double ReadAsReference(double value) {
  constexpr int kMaxExponent = 300;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), std::fabs(value), std::chars_format::scientific);
  uint64_t digits = 0;
  int exponent = 0;
  bool after_point = false;
  const char* at = text;
  for (; at < end.ptr && *at != 'e'; ++at) {
    if (*at == '.') {
      after_point = true;
    } else {
      digits = digits * 10 + static_cast<uint64_t>(*at - '0');
      exponent -= after_point ? 1 : 0;
    }
  }
  int stated = 0;
  if (at < end.ptr) std::from_chars(at + (at[1] == '+' ? 2 : 1), end.ptr, stated);
  exponent += stated;
  double power = 1;
  const std::string spelled = fmt::format("1e{}", std::abs(exponent));
  std::from_chars(spelled.data(), spelled.data() + spelled.size(), power);
  if (!std::isfinite(value) || std::abs(exponent) > kMaxExponent) return value;
  const double magnitude = exponent < 0 ? static_cast<double>(digits) / power : static_cast<double>(digits) * power;
  return std::signbit(value) ? -magnitude : magnitude;
}

absl::Status ReadScoredPieces(const json& list, const std::string& where, JsonModel* model) {
  if (!list.is_array() || list.empty()) return InvalidArgument("{}.vocab is no array of pieces or empty", where);
  if (list.size() > static_cast<size_t>(kMaxVocabularySize)) {
    return InvalidArgument("{}.vocab has {} pieces; at most {} are supported", where, list.size(), kMaxVocabularySize);
  }
  model->scores.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const json& entry = list[i];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      return InvalidArgument("{}.vocab[{}] is not a piece and its score", where, i);
    }
    const std::string at = fmt::format("{}.vocab[{}]", where, i);
    TF_RETURN_IF_ERROR(model->pieces.Add(entry[0].get_ref<const std::string&>(), static_cast<int32_t>(i), at));
    model->scores.push_back(ReadAsReference(entry[1].get<double>()));
  }
  TF_ASSIGN_OR_RETURN(const uint64_t unknown, JsonCount(*model->object, "unk_id", where, list.size()));
  if (unknown > list.size() || (unknown == list.size() && !JsonMember(*model->object, "unk_id").is_null())) {
    return InvalidArgument("{}.unk_id is {}, which is no piece: there are {}", where, unknown, list.size());
  }
  if (unknown < list.size()) model->unknown_id = static_cast<int32_t>(unknown);
  return absl::OkStatus();
}

absl::Status ReadPieces(const json& vocabulary, const std::string& where, PieceTable* pieces) {
  if (!vocabulary.is_object() || vocabulary.empty()) {
    return InvalidArgument("{}.vocab is no object of pieces or empty", where);
  }
  for (const auto& [piece, id] : vocabulary.items()) {
    TF_RETURN_IF_ERROR(AddJsonPiece(piece, id, fmt::format("{}.vocab[{}]", where, Quote(piece)), pieces));
  }
  return absl::OkStatus();
}

// The rules of a model whose pieces say that they continue a word: the prefix of the right one goes.
absl::StatusOr<MergeTable> MakePrefixedMergeTable(const Vocabulary& vocabulary, const std::string& prefix,
                                                  const MergeList& merges, const std::string& field) {
  MergeTable table(merges.size);
  for (size_t i = 0; i < merges.size; ++i) {
    const std::optional<MergeParts> parts = merges.get(i);
    if (!parts) return InvalidArgument("{}[{}] is not two pieces", field, i);
    const std::string_view right = parts->second;
    const std::string_view rest = right.substr(right.starts_with(prefix) ? prefix.size() : 0);
    const int32_t left_id = vocabulary.Find(parts->first), right_id = vocabulary.Find(right);
    const int32_t id = vocabulary.Find(std::string(parts->first) + std::string(rest));
    if (left_id < 0 || right_id < 0 || id < 0) {
      return InvalidArgument("{}[{}] is {} + {}: one of them or both together are no token", field, i,
                             Quote(parts->first), Quote(right));
    }
    table.Add(left_id, right_id, static_cast<uint32_t>(i), id);
  }
  return table;
}

absl::StatusOr<MergeTable> ReadMerges(const JsonModel& model, const Vocabulary& vocabulary, const std::string& where) {
  const json& merges = JsonMember(*model.object, "merges");
  if (!merges.is_array() || merges.empty()) {
    return InvalidArgument("{}.merges is missing or empty: a tokenizer without merges", where);
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
  const bool byte_level = model.bpe.alphabet == BpeOptions::Alphabet::kBytes;
  const MergeSpelling spelling = byte_level ? MergeSpelling::kByteLevel : MergeSpelling::kPlain;
  const MergeList list{merges.size() - first, get, spelling};
  const std::string& prefix = model.bpe.continuing_prefix;
  if (prefix.empty()) return MakeMergeTable(vocabulary, list, where + ".merges");
  if (byte_level) {
    return Unimplemented("{}.continuing_subword_prefix is {} with ByteLevel; supported is none", where, Quote(prefix));
  }
  return MakePrefixedMergeTable(vocabulary, prefix, list, where + ".merges");
}

}  // namespace

absl::Status AddJsonPiece(const std::string& piece, const json& id, const std::string& where, PieceTable* pieces) {
  if (!id.is_number_integer()) return InvalidArgument("{} is not an integer", where);
  const bool too_big = id.is_number_unsigned() && id.get<uint64_t>() >= static_cast<uint64_t>(kMaxVocabularySize);
  if (too_big || id.get<int64_t>() < 0) {
    return InvalidArgument("{} is {}; ids are 0 to {}", where, PrintJson(id), kMaxVocabularySize - 1);
  }
  return pieces->Add(piece, static_cast<int32_t>(id.get<int64_t>()), where);
}

absl::StatusOr<JsonModel> ParseJsonModel(const json& object, const std::string& where) {
  if (!object.is_object()) return InvalidArgument("{} is not an object", where);
  JsonModel model;
  model.object = &object;
  TF_ASSIGN_OR_RETURN(model.type, ParseType(object, where));
  const json& vocabulary = JsonMember(object, "vocab");
  if (model.type == JsonModel::Type::kUnigram) {
    TF_ASSIGN_OR_RETURN(model.byte_fallback, JsonFlag(object, "byte_fallback", where, false));
    TF_RETURN_IF_ERROR(ReadScoredPieces(vocabulary, where, &model));
  } else {
    TF_RETURN_IF_ERROR(ReadPieces(vocabulary, where, &model.pieces));
    TF_ASSIGN_OR_RETURN(model.unknown, JsonString(object, "unk_token", where, ""));
  }
  if (model.type == JsonModel::Type::kBpe) {
    TF_RETURN_IF_ERROR(ParseBpeOptions(object, where, &model.bpe));
    model.byte_fallback = model.bpe.byte_fallback;
  }
  if (model.type == JsonModel::Type::kWordPiece) {
    TF_ASSIGN_OR_RETURN(model.word_piece.continuing_prefix,
                        JsonString(object, "continuing_subword_prefix", where, "##"));
    TF_ASSIGN_OR_RETURN(model.word_piece.max_characters, JsonCount(object, "max_input_chars_per_word", where, 100));
  }
  model.word_piece.whole_words = model.type == JsonModel::Type::kWordLevel;
  model.vocabulary_tokens = model.pieces.size();
  return model;
}

absl::StatusOr<WordEncoder> MakeWordEncoder(const JsonModel& model, Vocabulary vocabulary, const std::string& where) {
  switch (model.type) {
    case JsonModel::Type::kBpe: {
      TF_ASSIGN_OR_RETURN(MergeTable merges, ReadMerges(model, vocabulary, where));
      return WordEncoder(Bpe(std::move(vocabulary), std::move(merges), model.bpe));
    }
    case JsonModel::Type::kUnigram: {
      UnigramOptions options;
      options.byte_fallback = model.byte_fallback;
      TF_ASSIGN_OR_RETURN(Unigram unigram,
                          Unigram::Create(where + ".vocab", std::move(vocabulary), model.scores, options));
      return WordEncoder(std::move(unigram));
    }
    case JsonModel::Type::kWordPiece:
    case JsonModel::Type::kWordLevel:
      break;
  }
  TF_ASSIGN_OR_RETURN(WordPiece words, WordPiece::Create(where + ".vocab", std::move(vocabulary), model.word_piece));
  return WordEncoder(std::move(words));
}

}  // namespace toolformer
