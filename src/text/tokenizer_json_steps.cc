#include "src/text/tokenizer_json_steps.h"

#include <utility>

#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr char kNormalizers[] = "Sequence, Prepend, Replace and NFC";
constexpr char kPreTokenizers[] = "Sequence, ByteLevel, Digits, Metaspace, Punctuation and Split";
constexpr char kDecoders[] = "Sequence, ByteFallback, ByteLevel, Fuse, Metaspace, Replace and Strip at the start";

absl::StatusOr<std::string> TypeOf(const json& object, const std::string& where) {
  if (!object.is_object()) return InvalidArgument("{} is not an object", where);
  const auto type = object.find("type");
  if (type == object.end() || !type->is_string()) return InvalidArgument("{}.type is not a string", where);
  return type->get<std::string>();
}

// The steps of `root` in order, with where each stands: itself, or the members of Sequences in it.
using Located = std::pair<const json*, std::string>;
absl::StatusOr<std::vector<Located>> Flatten(const json& root, const char* member, const std::string& where) {
  std::vector<Located> flat, stack;
  if (!root.is_null()) stack.push_back({&root, where});
  while (!stack.empty()) {
    const Located top = std::move(stack.back());
    stack.pop_back();
    TF_ASSIGN_OR_RETURN(const std::string type, TypeOf(*top.first, top.second));
    if (type != "Sequence") {
      flat.push_back(top);
      continue;
    }
    const auto members = top.first->find(member);
    if (members == top.first->end() || !members->is_array()) {
      return InvalidArgument("{}.{} is not an array", top.second, member);
    }
    for (size_t i = members->size(); i-- > 0;) {
      stack.push_back({&(*members)[i], fmt::format("{}.{}[{}]", top.second, member, i)});
    }
  }
  return flat;
}

struct Pattern {
  std::shared_ptr<const Regex> regex;
  std::string literal;
  bool is_literal = false;
};

absl::StatusOr<Pattern> ParsePattern(const json& step, const std::string& where) {
  const auto pattern = step.find("pattern");
  if (pattern != step.end() && pattern->is_object() && pattern->size() == 1) {
    const std::string kind = pattern->begin().key();
    if (pattern->begin()->is_string() && (kind == "String" || kind == "Regex")) {
      Pattern out;
      out.is_literal = kind == "String";
      const std::string& text = pattern->begin()->get_ref<const std::string&>();
      if (text.empty()) return InvalidArgument("{}.pattern is empty", where);
      if (out.is_literal) out.literal = text;
      auto regex = out.is_literal ? Regex::CompileLiteral(text) : Regex::Compile(text);
      if (!regex.ok()) return Annotate(regex.status(), where + ".pattern");
      out.regex = *std::move(regex);
      return out;
    }
  }
  return InvalidArgument("{}.pattern is neither {{\"String\": ..}} nor {{\"Regex\": ..}}", where);
}

absl::StatusOr<PreTokenizerStep::Behavior> ParseBehavior(const json& step, const std::string& where) {
  using Behavior = PreTokenizerStep::Behavior;
  TF_ASSIGN_OR_RETURN(const std::string name, JsonString(step, "behavior", where, "Isolated"));
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
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

absl::StatusOr<PreTokenizerStep> ParseSplitting(const json& object, const std::string& type, const std::string& where) {
  if (type == "Digits") {
    TF_ASSIGN_OR_RETURN(const bool individual, JsonFlag(object, "individual_digits", where, false));
    return SplitAt(individual ? R"(\p{N})" : R"(\p{N}+)");
  }
  PreTokenizerStep step = Simple(PreTokenizerStep::Kind::kSplit, "");
  if (type == "Punctuation") {
    // ASCII punctuation is more than the category P.
    TF_ASSIGN_OR_RETURN(step, SplitAt(R"([\p{P}$+<=>\^`|~])"));
  } else {
    TF_ASSIGN_OR_RETURN(const Pattern pattern, ParsePattern(object, where));
    step.pattern = pattern.regex;
    TF_ASSIGN_OR_RETURN(step.invert, JsonFlag(object, "invert", where, false));
  }
  TF_ASSIGN_OR_RETURN(step.behavior, ParseBehavior(object, where));
  return step;
}

}  // namespace

absl::StatusOr<bool> JsonFlag(const json& object, const char* name, const std::string& where, const bool& otherwise) {
  const auto member = object.find(name);
  if (member == object.end() || member->is_null()) return otherwise;
  if (!member->is_boolean()) return InvalidArgument("{}.{} is neither true nor false", where, name);
  return member->get<bool>();
}

absl::StatusOr<std::string> JsonString(const json& object, const char* name, const std::string& where,
                                       const std::string& otherwise) {
  const auto member = object.find(name);
  if (member == object.end() || member->is_null()) return otherwise;
  if (!member->is_string()) return InvalidArgument("{}.{} is not a string", where, name);
  return member->get<std::string>();
}

absl::StatusOr<std::vector<NormalizerStep>> ParseNormalizer(const json& root, const std::string& where) {
  TF_ASSIGN_OR_RETURN(const std::vector<Located> flat, Flatten(root, "normalizers", where));
  std::vector<NormalizerStep> steps;
  for (const auto& [object, at] : flat) {
    TF_ASSIGN_OR_RETURN(const std::string type, TypeOf(*object, at));
    if (type == "Prepend") {
      TF_ASSIGN_OR_RETURN(std::string content, JsonString(*object, "prepend", at, ""));
      steps.push_back({NormalizerStep::Kind::kPrepend, std::move(content), nullptr});
    } else if (type == "Replace") {
      TF_ASSIGN_OR_RETURN(Pattern pattern, ParsePattern(*object, at));
      if (pattern.regex->can_match_empty()) {
        return Unimplemented("{}.pattern can match the empty string; supported are patterns that cannot", at);
      }
      TF_ASSIGN_OR_RETURN(std::string content, JsonString(*object, "content", at, ""));
      steps.push_back({NormalizerStep::Kind::kReplace, std::move(content), std::move(pattern.regex)});
    } else if (type == "NFC") {
      steps.push_back({NormalizerStep::Kind::kNfc, "", nullptr});
    } else {
      return Unimplemented("{}.type is {}; supported are {}", at, Quote(type), kNormalizers);
    }
  }
  return steps;
}

absl::StatusOr<PreTokenizer> ParsePreTokenizer(const json& root, const std::string& where) {
  TF_ASSIGN_OR_RETURN(const std::vector<Located> flat, Flatten(root, "pretokenizers", where));
  PreTokenizer out;
  for (const auto& [object, at] : flat) {
    TF_ASSIGN_OR_RETURN(const std::string type, TypeOf(*object, at));
    // After ByteLevel the text is spelled in its alphabet, where other patterns match other things.
    if (out.byte_level) return Unimplemented("{}: {} after ByteLevel; ByteLevel is supported last", at, Quote(type));
    if (type == "ByteLevel") {
      TF_RETURN_IF_ERROR(ParseByteLevel(*object, at, &out));
    } else if (type == "Metaspace") {
      TF_RETURN_IF_ERROR(ParseMetaspace(*object, at, &out));
    } else if (type == "Digits" || type == "Punctuation" || type == "Split") {
      TF_ASSIGN_OR_RETURN(PreTokenizerStep step, ParseSplitting(*object, type, at));
      out.steps.push_back(std::move(step));
    } else {
      return Unimplemented("{}.type is {}; supported are {}", at, Quote(type), kPreTokenizers);
    }
  }
  return out;
}

absl::StatusOr<Decoder> Decoder::Parse(const json& root, const std::string& where) {
  if (root.is_null()) return Unimplemented("{} is missing; supported are {}", where, kDecoders);
  TF_ASSIGN_OR_RETURN(const std::vector<Located> flat, Flatten(root, "decoders", where));
  Decoder out;
  bool fused = false;
  for (const auto& [object, at] : flat) {
    TF_ASSIGN_OR_RETURN(const std::string type, TypeOf(*object, at));
    if (type == "ByteLevel" && out.steps_.empty()) {
      out.byte_level_ = true;
    } else if (type == "ByteFallback" && !fused) {
      out.steps_.push_back({Step::Kind::kByteFallback, "", ""});
    } else if (type == "Fuse") {
      fused = true;
    } else if (type == "Metaspace" && !fused) {
      TF_ASSIGN_OR_RETURN(std::string mark, JsonString(*object, "replacement", at, "\u2581"));
      if (mark.empty()) return InvalidArgument("{}.replacement is empty", at);
      out.steps_.push_back({Step::Kind::kReplace, std::move(mark), " "});
    } else if (type == "Replace" && !fused) {
      TF_ASSIGN_OR_RETURN(Pattern pattern, ParsePattern(*object, at));
      if (!pattern.is_literal) return Unimplemented("{}.pattern is a Regex; supported is String", at);
      TF_ASSIGN_OR_RETURN(std::string content, JsonString(*object, "content", at, ""));
      out.steps_.push_back({Step::Kind::kReplace, std::move(pattern.literal), std::move(content)});
    } else if (type == "Strip" && fused && object->value("stop", json(0)) == 0) {
      // Takes spaces from the start of the whole text, which no single token is.
    } else {
      return Unimplemented("{} is {}; supported are, in this order, {}", at, Quote(type), kDecoders);
    }
  }
  return out;
}

std::string Decoder::Decode(std::string_view piece) const {
  if (byte_level_) return DecodeByteLevel(piece).value_or(std::string(piece));
  std::string text(piece);
  for (const Step& step : steps_) {
    if (step.kind == Step::Kind::kByteFallback) {
      if (const auto byte = ParseByteToken(text)) return std::string(1, static_cast<char>(*byte));
    } else {
      text = ReplaceAll(text, step.from, step.to);
    }
  }
  return text;
}

}  // namespace toolformer
