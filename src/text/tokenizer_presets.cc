#include "src/text/tokenizer_presets.h"

#include <unordered_map>

#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Preset {
  std::string_view name;
  std::string_view patterns[2];  // applied one after the other; empty ones are not there
  bool ignore_merges = false;
};

constexpr Preset kPresets[] = {
    {"gpt-2", {kGpt2Pattern}},
    {"mpt", {kGpt2Pattern}},
    {"olmo", {kGpt2Pattern}},
    {"phi-2", {kGpt2Pattern}},
    // Each digit is a word.
    {"smollm", {R"(\p{N})", kGpt2Pattern}},
    {"starcoder", {R"(\p{N})", kGpt2Pattern}},
    {"refact", {R"(\p{N})", kGpt2Pattern}},
    {"command-r", {R"(\p{N})", kGpt2Pattern}},
    {"codeshell", {R"(\p{N})", kGpt2Pattern}},
    {"llama-bpe", {kLlama3Pattern}, true},
    {"llama3", {kLlama3Pattern}, true},
    {"llama-v3", {kLlama3Pattern}, true},
    {"dbrx", {kLlama3Pattern}},
    {"smaug-bpe", {kLlama3Pattern}},
    {"qwen2", {kQwen2Pattern}},
    {"deepseek-r1-qwen", {kQwen2Pattern}},
    {"stablelm2", {kQwen2Pattern}},
};

}  // namespace

absl::StatusOr<PreTokenizerStep> SplitAt(std::string_view pattern) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kSplit;
  TF_ASSIGN_OR_RETURN(step.pattern, Regex::Compile(pattern));
  return step;
}

std::string PreTokenizerPresetNames() {
  std::string names;
  for (const Preset& preset : kPresets) {
    if (!names.empty()) names += ", ";
    names += preset.name;
  }
  return names;
}

absl::Status ApplyPreTokenizerPreset(std::string_view name, std::vector<PreTokenizerStep>* steps, BpeOptions* options) {
  for (const Preset& preset : kPresets) {
    if (preset.name != name) continue;
    options->ignore_merges = preset.ignore_merges;
    for (const std::string_view pattern : preset.patterns) {
      if (pattern.empty()) continue;
      TF_ASSIGN_OR_RETURN(PreTokenizerStep step, SplitAt(pattern));
      steps->push_back(std::move(step));
    }
    return absl::OkStatus();
  }
  return Unimplemented("{} is not supported; supported are {}", Quote(name), PreTokenizerPresetNames());
}

absl::StatusOr<Token> MakeByteLevelToken(std::string_view piece, TokenKind kind) {
  Token token;
  token.kind = kind;
  if (kind == TokenKind::kUserDefined) {
    token.key = token.bytes = std::string(piece);
    return token;
  }
  // Bytes have pieces of their own here, whatever a file calls them.
  if (kind == TokenKind::kByte || kind == TokenKind::kUnused) token.kind = TokenKind::kNormal;
  if (std::optional<std::string> bytes = DecodeByteLevel(piece)) {
    token.key = token.bytes = *std::move(bytes);
  } else {
    token.bytes = std::string(piece);
  }
  if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) token.bytes.clear();
  return token;
}

absl::Status AddWholeToken(std::string_view token, int32_t id, TokenMatcher* matcher) {
  if (token.size() > TokenMatcher::kMaxTokenBytes) {
    return InvalidArgument("the token {} is matched whole in text and has {} bytes; at most {} are supported",
                           Quote(token), token.size(), TokenMatcher::kMaxTokenBytes);
  }
  if (token.empty()) return InvalidArgument("an empty token cannot be matched in text");
  if (!matcher->Add(token, id)) return InvalidArgument("the token {} is there twice", Quote(token));
  return absl::OkStatus();
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t begin = 0;;) {
    const size_t found = text.find(from, begin);
    out.append(text.substr(begin, found - begin));
    if (found == std::string_view::npos) return out;
    out.append(to);
    begin = found + from.size();
  }
}

std::optional<MergeParts> SplitMerge(std::string_view merge) {
  const size_t space = merge.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == merge.size()) return std::nullopt;
  if (merge.find(' ', space + 1) != std::string_view::npos) return std::nullopt;
  return MergeParts{merge.substr(0, space), merge.substr(space + 1)};
}

absl::StatusOr<MergeTable> MakeMergeTable(const Vocabulary& vocabulary, const MergeList& merges,
                                          const std::string& field) {
  // Control and byte tokens have rules in some files; such a rule is known, though no text gets there.
  std::unordered_map<std::string_view, int32_t> hidden;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    if (vocabulary.Find(vocabulary.Key(id)) != id) hidden.emplace(vocabulary.Key(id), id);
  }
  MergeTable table(merges.size);
  for (size_t i = 0; i < merges.size; ++i) {
    const std::optional<MergeParts> parts = merges.get(i);
    if (!parts) return InvalidArgument("{}[{}] is not two pieces", field, i);
    std::string left(parts->first), right(parts->second);
    if (merges.spelling == MergeSpelling::kByteLevel) {
      left = DecodeByteLevel(left).value_or("");
      right = DecodeByteLevel(right).value_or("");
    }
    const std::string merged = left + right;
    for (const std::string& piece : {left, right, merged}) {
      if (vocabulary.Find(piece) < 0 && !hidden.contains(piece)) {
        return InvalidArgument("{}[{}] is {} + {}, but {} is no token", field, i, Quote(parts->first),
                               Quote(parts->second), Quote(piece));
      }
    }
    const int32_t left_id = vocabulary.Find(left), right_id = vocabulary.Find(right), id = vocabulary.Find(merged);
    if (left_id >= 0 && right_id >= 0 && id >= 0) table.Add(left_id, right_id, static_cast<uint32_t>(i), id);
  }
  return table;
}

}  // namespace toolformer
