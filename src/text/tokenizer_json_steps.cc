#include "src/text/tokenizer_json_steps.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"
#include "src/text/unicode.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr char kNormalizers[] =
    "Sequence, BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Strip and "
    "StripAccents";
constexpr char kPreTokenizers[] =
    "Sequence, BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, Split, Whitespace and "
    "WhitespaceSplit";

// What the regular expressions of these steps call a word character.
#define TF_WORD_CLASS R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d)"

absl::StatusOr<PreTokenizerStep::Behavior> ParseBehavior(const json& step, const std::string& where) {
  using Behavior = PreTokenizerStep::Behavior;
  TF_ASSIGN_OR_RETURN(const std::string name, JsonString(step, "behavior", where, "Isolated"));
  // Older files spell them in small letters.
  const auto is = [&](std::string_view known) {
    return std::equal(name.begin(), name.end(), known.begin(), known.end(),
                      [](char a, char b) { return (a | 0x20) == (b | 0x20); });
  };
  if (is("Isolated")) return Behavior::kIsolated;
  if (is("Removed")) return Behavior::kRemoved;
  if (is("MergedWithPrevious")) return Behavior::kMergedWithPrevious;
  if (is("MergedWithNext")) return Behavior::kMergedWithNext;
  if (is("Contiguous")) return Behavior::kContiguous;
  return Unimplemented(
      "{}.behavior is {}; supported are Isolated, Removed, MergedWithPrevious, MergedWithNext and Contiguous", where,
      Quote(name));
}

PreTokenizerStep Simple(PreTokenizerStep::Kind kind, const std::string& content) {
  PreTokenizerStep step;
  step.kind = kind;
  step.content = content;
  return step;
}

absl::StatusOr<PreTokenizerStep> RemoveMatches(std::string_view pattern) {
  TF_ASSIGN_OR_RETURN(PreTokenizerStep step, SplitAt(pattern));
  step.behavior = PreTokenizerStep::Behavior::kRemoved;
  return step;
}

absl::Status ParseByteLevel(const json& object, const std::string& where, PreTokenizer* out) {
  TF_ASSIGN_OR_RETURN(const bool prefix, JsonFlag(object, "add_prefix_space", where, true));
  TF_ASSIGN_OR_RETURN(const bool cuts, JsonFlag(object, "use_regex", where, true));
  if (prefix) out->steps.push_back(Simple(PreTokenizerStep::Kind::kPrefix, " "));
  if (cuts) {
    TF_ASSIGN_OR_RETURN(PreTokenizerStep step, SplitAt(kGpt2Pattern));
    out->steps.push_back(std::move(step));
  }
  out->byte_level = true;
  return absl::OkStatus();
}

absl::Status ParseMetaspace(const json& object, const std::string& where, PreTokenizer* out) {
  TF_ASSIGN_OR_RETURN(const std::string mark, JsonString(object, "replacement", where, "\u2581"));
  TF_ASSIGN_OR_RETURN(const bool legacy, JsonFlag(object, "add_prefix_space", where, true));
  TF_ASSIGN_OR_RETURN(const std::string scheme,
                      JsonString(object, "prepend_scheme", where, legacy ? "always" : "never"));
  TF_ASSIGN_OR_RETURN(const bool cuts, JsonFlag(object, "split", where, true));
  if (mark.empty()) return InvalidArgument("{}.replacement is empty", where);
  out->steps.push_back(Simple(PreTokenizerStep::Kind::kReplaceSpaces, mark));
  if (scheme == "always" || scheme == "first") {
    out->steps.push_back(Simple(PreTokenizerStep::Kind::kPrefix, mark));
    out->steps.back().at_text_start_only = scheme == "first";
  } else if (scheme != "never") {
    return Unimplemented("{}.prepend_scheme is {}; supported are always, first and never", where, Quote(scheme));
  }
  if (cuts) {
    PreTokenizerStep step = Simple(PreTokenizerStep::Kind::kSplit, "");
    TF_ASSIGN_OR_RETURN(step.pattern, Regex::CompileLiteral(mark));
    step.behavior = PreTokenizerStep::Behavior::kMergedWithNext;
    out->steps.push_back(std::move(step));
  }
  return absl::OkStatus();
}

absl::Status ParseWhitespace(const std::string& type, PreTokenizer* out) {
  if (type == "Whitespace") {
    TF_ASSIGN_OR_RETURN(PreTokenizerStep step,
                        RemoveMatches("[" TF_WORD_CLASS "]+|[^" TF_WORD_CLASS R"(\p{White_Space}]+)"));
    step.invert = true;
    out->steps.push_back(std::move(step));
    return absl::OkStatus();
  }
  TF_ASSIGN_OR_RETURN(PreTokenizerStep spaces, RemoveMatches(R"(\p{White_Space})"));
  out->steps.push_back(std::move(spaces));
  if (type == "WhitespaceSplit") return absl::OkStatus();
  TF_ASSIGN_OR_RETURN(PreTokenizerStep punctuation, SplitAt(PunctuationPattern()));
  out->steps.push_back(std::move(punctuation));
  return absl::OkStatus();
}

absl::StatusOr<PreTokenizerStep> ParseSplitting(const json& object, const std::string& type, const std::string& where) {
  if (type == "Digits") {
    TF_ASSIGN_OR_RETURN(const bool individual, JsonFlag(object, "individual_digits", where, false));
    return SplitAt(individual ? R"(\p{N})" : R"(\p{N}+)");
  }
  PreTokenizerStep step = Simple(PreTokenizerStep::Kind::kSplit, "");
  if (type == "CharDelimiterSplit") {
    TF_ASSIGN_OR_RETURN(const std::string delimiter, JsonString(object, "delimiter", where, ""));
    if (delimiter.empty() || NextCodePoint(delimiter).length != delimiter.size()) {
      return InvalidArgument("{}.delimiter is {}; it must be one character", where, Quote(delimiter));
    }
    TF_ASSIGN_OR_RETURN(step.pattern, Regex::CompileLiteral(delimiter));
    step.behavior = PreTokenizerStep::Behavior::kRemoved;
    return step;
  }
  if (type == "Punctuation") {
    TF_ASSIGN_OR_RETURN(step, SplitAt(PunctuationPattern()));
  } else {
    TF_ASSIGN_OR_RETURN(const JsonPattern pattern, ParseJsonPattern(object, where));
    step.pattern = pattern.regex;
    TF_ASSIGN_OR_RETURN(step.invert, JsonFlag(object, "invert", where, false));
  }
  TF_ASSIGN_OR_RETURN(step.behavior, ParseBehavior(object, where));
  return step;
}

absl::Status ParseBertNormalizer(const json& object, const std::string& where, std::vector<NormalizerStep>* steps) {
  TF_ASSIGN_OR_RETURN(const bool cleans, JsonFlag(object, "clean_text", where, true));
  TF_ASSIGN_OR_RETURN(const bool chinese, JsonFlag(object, "handle_chinese_chars", where, true));
  TF_ASSIGN_OR_RETURN(const bool lower, JsonFlag(object, "lowercase", where, true));
  TF_ASSIGN_OR_RETURN(const bool accents, JsonFlag(object, "strip_accents", where, lower));
  if (cleans) steps->push_back({NormalizerStep::Kind::kBertClean});
  if (chinese) steps->push_back({NormalizerStep::Kind::kBertChinese});
  if (accents) steps->push_back({NormalizerStep::Kind::kBertAccents});
  if (lower) steps->push_back({NormalizerStep::Kind::kLowerCase});
  return absl::OkStatus();
}

absl::Status ParsePrecompiled(const json& object, const std::string& where, std::vector<NormalizerStep>* steps) {
  TF_ASSIGN_OR_RETURN(const std::string encoded, JsonString(object, "precompiled_charsmap", where, ""));
  // Some files have the step without a table: it changes nothing.
  if (encoded.empty()) return absl::OkStatus();
  std::string bytes;
  if (!absl::Base64Unescape(encoded, &bytes)) {
    return InvalidArgument("{}.precompiled_charsmap is not base64", where);
  }
  NormalizerStep step{NormalizerStep::Kind::kCharsmap};
  TF_ASSIGN_OR_RETURN(step.charsmap, Charsmap::Parse(bytes, where + ".precompiled_charsmap"));
  steps->push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status ParseStrip(const json& object, const std::string& where, std::vector<NormalizerStep>* steps) {
  TF_ASSIGN_OR_RETURN(const bool left, JsonFlag(object, "strip_left", where, true));
  TF_ASSIGN_OR_RETURN(const bool right, JsonFlag(object, "strip_right", where, true));
  if (left) steps->push_back({NormalizerStep::Kind::kStripLeft});
  if (right) steps->push_back({NormalizerStep::Kind::kStripRight});
  return absl::OkStatus();
}

absl::StatusOr<NormalizerStep> ParseReplace(const json& object, const std::string& where) {
  TF_ASSIGN_OR_RETURN(JsonPattern pattern, ParseJsonPattern(object, where));
  if (pattern.regex->can_match_empty()) {
    return Unimplemented("{}.pattern can match the empty string; supported are patterns that cannot", where);
  }
  TF_ASSIGN_OR_RETURN(std::string content, JsonString(object, "content", where, ""));
  return NormalizerStep{NormalizerStep::Kind::kReplace, std::move(content), std::move(pattern.regex)};
}

std::optional<NormalizerStep::Kind> FindPlainNormalizer(std::string_view type) {
  using Kind = NormalizerStep::Kind;
  constexpr std::pair<std::string_view, Kind> kPlain[] = {{"NFC", Kind::kNfc},
                                                          {"NFD", Kind::kNfd},
                                                          {"NFKC", Kind::kNfkc},
                                                          {"NFKD", Kind::kNfkd},
                                                          {"Nmt", Kind::kNmt},
                                                          {"Lowercase", Kind::kLowerCase},
                                                          {"StripAccents", Kind::kStripMarks}};
  for (const auto& [name, kind] : kPlain) {
    if (name == type) return kind;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::vector<NormalizerStep>> ParseNormalizer(const json& root, const std::string& where) {
  TF_ASSIGN_OR_RETURN(const std::vector<JsonStep> flat, FlattenJsonSteps(root, "normalizers", where));
  std::vector<NormalizerStep> steps;
  for (const auto& [object, at] : flat) {
    TF_ASSIGN_OR_RETURN(const std::string type, JsonType(*object, at));
    if (const auto plain = FindPlainNormalizer(type)) {
      steps.push_back({*plain});
    } else if (type == "Prepend") {
      TF_ASSIGN_OR_RETURN(std::string content, JsonString(*object, "prepend", at, ""));
      steps.push_back({NormalizerStep::Kind::kPrepend, std::move(content)});
    } else if (type == "Replace") {
      TF_ASSIGN_OR_RETURN(NormalizerStep step, ParseReplace(*object, at));
      steps.push_back(std::move(step));
    } else if (type == "BertNormalizer") {
      TF_RETURN_IF_ERROR(ParseBertNormalizer(*object, at, &steps));
    } else if (type == "Precompiled") {
      TF_RETURN_IF_ERROR(ParsePrecompiled(*object, at, &steps));
    } else if (type == "Strip") {
      TF_RETURN_IF_ERROR(ParseStrip(*object, at, &steps));
    } else {
      return Unimplemented("{}.type is {}; supported are {}", at, Quote(type), kNormalizers);
    }
  }
  return steps;
}

absl::StatusOr<PreTokenizer> ParsePreTokenizer(const json& root, const std::string& where) {
  TF_ASSIGN_OR_RETURN(const std::vector<JsonStep> flat, FlattenJsonSteps(root, "pretokenizers", where));
  PreTokenizer out;
  for (const auto& [object, at] : flat) {
    TF_ASSIGN_OR_RETURN(const std::string type, JsonType(*object, at));
    // After ByteLevel the text is spelled in its alphabet, where other patterns match other things.
    if (out.byte_level) return Unimplemented("{}: {} after ByteLevel; ByteLevel is supported last", at, Quote(type));
    if (type == "ByteLevel") {
      TF_RETURN_IF_ERROR(ParseByteLevel(*object, at, &out));
    } else if (type == "Metaspace") {
      TF_RETURN_IF_ERROR(ParseMetaspace(*object, at, &out));
    } else if (type == "Whitespace" || type == "WhitespaceSplit" || type == "BertPreTokenizer") {
      TF_RETURN_IF_ERROR(ParseWhitespace(type, &out));
    } else if (type == "Digits" || type == "Punctuation" || type == "Split" || type == "CharDelimiterSplit") {
      TF_ASSIGN_OR_RETURN(PreTokenizerStep step, ParseSplitting(*object, type, at));
      out.steps.push_back(std::move(step));
    } else {
      return Unimplemented("{}.type is {}; supported are {}", at, Quote(type), kPreTokenizers);
    }
  }
  return out;
}

}  // namespace toolformer
