#include "src/text/tokenizer_presets.h"

#include <algorithm>
#include <unordered_map>

#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

// Parts that many patterns share.
#define TF_ENDINGS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TF_SPACES R"(\s*[\r\n]+|\s+(?!\S)|\s+)"
#define TF_WORD R"([^\r\n\p{L}\p{N}]?\p{L}+)"
#define TF_OTHER R"( ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define TF_OTHER_SLASH R"( ?[^\s\p{L}\p{N}]+[\r\n/]*)"
// Words with at most one change from capitals to small letters.
#define TF_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define TF_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define TF_START R"([^\r\n\p{L}\p{N}]?)"
#define TF_CASED_WORD \
  TF_START TF_UPPER "*" TF_LOWER "+" TF_ENDINGS "?|" TF_START TF_UPPER "+" TF_LOWER "*" TF_ENDINGS "?"
// The same without Chinese characters: a class of what is left of all categories.
#define TF_UPPER_NOT_HAN R"([^\p{C}\p{N}\p{P}\p{S}\p{Z}\p{Ll}\p{Han}])"
#define TF_LOWER_NOT_HAN R"([^\p{C}\p{N}\p{P}\p{S}\p{Z}\p{Lu}\p{Lt}\p{Han}])"
#define TF_MARKED_WORD R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
#define TF_CODE_WORD R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"

constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kUpToThreeDigits = R"(\p{N}{1,3})";
constexpr std::string_view kHanAndKana = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view kLines = R"([^\n]+|[\n]+)";
constexpr std::string_view kLlama3 = TF_ENDINGS "|" TF_WORD R"(|\p{N}{1,3}|)" TF_OTHER "|" TF_SPACES;
constexpr std::string_view kQwen2 = TF_ENDINGS "|" TF_WORD R"(|\p{N}|)" TF_OTHER "|" TF_SPACES;
constexpr std::string_view kQwen35 =
    TF_ENDINGS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" TF_SPACES;
constexpr std::string_view kJais2 =
    TF_ENDINGS "|" TF_WORD R"(|\p{N}{1,3}|)" TF_OTHER
               R"(|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S))"
               R"(|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
constexpr std::string_view kGpt4o = TF_CASED_WORD R"(|\p{N}{1,3}|)" TF_OTHER_SLASH "|" TF_SPACES;
constexpr std::string_view kTekken =
    TF_START TF_UPPER "*" TF_LOWER "+|" TF_START TF_UPPER "+" TF_LOWER R"(*|\p{N}|)" TF_OTHER_SLASH "|" TF_SPACES;
constexpr std::string_view kYoutu = TF_CASED_WORD R"(|\p{N}|)" TF_OTHER_SLASH "|" TF_SPACES;
constexpr std::string_view kKimiK2 =
    R"(\p{Han}+|)" TF_START TF_UPPER_NOT_HAN "*" TF_LOWER_NOT_HAN "+" TF_ENDINGS "?|" TF_START TF_UPPER_NOT_HAN
    "+" TF_LOWER_NOT_HAN "*" TF_ENDINGS R"(?|\p{N}{1,3}|)" TF_OTHER "|" TF_SPACES;
constexpr std::string_view kDeepSeekV3 = TF_CODE_WORD "|" TF_MARKED_WORD R"(| ?[\p{P}\p{S}]+[\r\n]*|)" TF_SPACES;
constexpr std::string_view kSpark25 = TF_CODE_WORD "|" TF_MARKED_WORD R"(| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|)" TF_WORD R"(|\p{N}|)" TF_OTHER R"(|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kSeedCoder = TF_ENDINGS "|" TF_WORD R"(|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|)" TF_SPACES;
// Possessive, so that a long text of letters needs no memory to go back.
constexpr std::string_view kExaoneMoe = TF_ENDINGS R"(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*+(?: \p{L}\p{M}*+)*+)++)"
                                                   R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kUfakzeka = TF_WORD R"(|\p{N}|)" TF_OTHER "|" TF_SPACES;
constexpr std::string_view kMiniCpm5 = TF_ENDINGS "|" TF_WORD R"(|\p{N}+|)" TF_OTHER "|" TF_SPACES;
constexpr std::string_view kBloom = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";
constexpr std::string_view kAsianScripts =
    "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-"
    "\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-"
    "\ua9ff\uac00-"
    "\ud7af\u1100-"
    "\u11ff]"
    "+";
constexpr std::string_view kDeepSeekLetters =
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-"
    "\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-"
    "\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-"
    "\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-"
    "\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-"
    "\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-"
    "\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-"
    "\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-"
    "\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-"
    "\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+";
constexpr std::string_view kDeepSeekMarks = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";
constexpr std::string_view kDeepSeekCjk = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
// At the end of a word; looking behind keeps a run of spaces from being read again from each of them.
constexpr std::string_view kLastSpaces = R"((?<!\s)\s++\z)";
constexpr std::string_view kPunctuation = R"([\p{P}!-/:-@\[-`{-~])";

// Numbers cut into threes from their end; the second form says so to those who have only regular expressions.
constexpr PresetCut kThrees = {R"(\p{N}+)", R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))"};
constexpr PresetCut kDecimalThrees = {R"(\d+)", R"(\d{1,3}(?=(?:\d{3})*(?!\d)))"};
constexpr PresetCut kThreesOfWholeWords = {R"((?<!\d)\d++(?!\w))", R"(\d{1,3}(?=(?:\d{3})*(?!\w)))"};

using enum PreTokenizerPreset::Flag;

constexpr PreTokenizerPreset kPresets[] = {
    {"default", {{R"([\p{P}$+<=>^~|]+)"}, {kGpt2Pattern}, {R"(\p{N}+)"}, {"[0-9][0-9][0-9]"}}},
    {"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code "
     "roberta-bpe mpt olmo jais trillion granite-docling exaone4",
     {{kGpt2Pattern}}},
    {"smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", {{kDigit}, {kGpt2Pattern}}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     {{kLlama3}},
     kIgnoreMerges | kAddsBos},
    {"glm4 glm5", {{kLlama3}}, kIgnoreMerges},
    {"dbrx smaug-bpe chatglm-bpe", {{kLlama3}}},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2", {{kQwen2}}},
    {"qwen35", {{kQwen35}}},
    {"deepseek-llm",
     {{"[\\r\\n]"}, {kDeepSeekLetters}, {kDeepSeekMarks}, {kLastSpaces}, {kDeepSeekCjk}, {R"(\p{N}+)"}}},
    {"deepseek-coder", {{"[\\r\\n]"}, {R"(\s?\p{L}+)"}, {R"(\s?\p{P}+)"}, {kDeepSeekCjk}, {kDigit}}},
    {"deepseek-v3 hunyuan-dense hy_v4 joyai-llm", {{kUpToThreeDigits}, {kHanAndKana}, {kDeepSeekV3}}},
    {"spark2_5", {{kUpToThreeDigits}, {kHanAndKana}, {kSpark25}, {kDigit}}},
    {"falcon", {{R"([\p{P}$+<=>^~|`]+)"}, {kGpt2Pattern}, {"[0-9][0-9][0-9]"}}},
    {"bloom poro-chat gpt3-finnish", {{kBloom}}},
    {"viking", {{kBloom}, {kDigit}}},
    {"tekken", {{kTekken}}, kIgnoreMerges | kAddsBos},
    {"gpt-4o llama4 kanana2 talkie minimax-m2", {{kGpt4o}}},
    {"granite-embed-multi-97m", {{kGpt4o}}, kIgnoreMerges},
    {"tiny_aya cohere2moe", {kThreesOfWholeWords, {kGpt4o}}},
    {"youtu",
     {{"[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-"
       "\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"},
      {kYoutu}},
     kIgnoreMerges},
    {"kimi-k2", {{kKimiK2}}},
    {"superbpe", {{R"(\p{N}+)"}, kDecimalThrees}},
    {"afmoe", {kThrees, {kAsianScripts}, {kDeepSeekV3}}},
    {"chameleon",
     {{"<sentinel:[0-9]+>"}, {"IMGIMG[A-I]{1,4}Z"}, {R"([\t\n]|    |  )"}, {kDigit}, {kPunctuation}, {kGpt2Pattern}},
     kAddsBos},
    {"jais-2", {{kJais2}}},
    {"bailingmoe bailingmoe2 llada-moe", {{kBailing}}},
    {"seed-coder", {{kSeedCoder}}},
    {"exaone-moe", {{kExaoneMoe}}},
    {"ufakzeka", {{kUfakzeka}}},
    {"laguna", {{kLines}, {kQwen2}}},
    {"minicpm5", {{kUpToThreeDigits}, {kMiniCpm5}}, kIgnoreMerges},
    {"gemma4 granite-embed-multi-311m", {{kLines}}, kCharacters | kAddsBos},
    {"sarvam-moe", {{kLines}}, kCharacters},
};

#undef TF_ENDINGS
#undef TF_SPACES
#undef TF_WORD
#undef TF_OTHER
#undef TF_OTHER_SLASH
#undef TF_UPPER
#undef TF_LOWER
#undef TF_START
#undef TF_CASED_WORD
#undef TF_UPPER_NOT_HAN
#undef TF_LOWER_NOT_HAN
#undef TF_MARKED_WORD
#undef TF_CODE_WORD

// Calls visit(name) for each of the names of `preset`.
template <typename Visit>
void ForEachName(const PreTokenizerPreset& preset, Visit visit) {
  for (std::string_view names = preset.names; !names.empty();) {
    const size_t end = std::min(names.find(' '), names.size());
    visit(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

}  // namespace

absl::StatusOr<PreTokenizerStep> SplitAt(std::string_view pattern) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kSplit;
  TF_ASSIGN_OR_RETURN(step.pattern, Regex::Compile(pattern));
  return step;
}

std::string PreTokenizerPresetNames() {
  std::string names;
  for (const PreTokenizerPreset& preset : kPresets) {
    ForEachName(preset, [&](std::string_view name) {
      if (!names.empty()) names += ", ";
      names += name;
    });
  }
  return names;
}

absl::StatusOr<const PreTokenizerPreset*> FindPreTokenizerPreset(std::string_view name) {
  for (const PreTokenizerPreset& preset : kPresets) {
    bool found = false;
    ForEachName(preset, [&](std::string_view other) { found = found || other == name; });
    if (found) return &preset;
  }
  return Unimplemented("{} is not supported; supported are {}", Quote(name), PreTokenizerPresetNames());
}

absl::StatusOr<std::vector<PreTokenizerStep>> MakePreTokenizer(const PreTokenizerPreset& preset) {
  std::vector<PreTokenizerStep> steps;
  for (const PresetCut& cut : preset.cuts) {
    if (cut.pattern.empty()) break;
    TF_ASSIGN_OR_RETURN(PreTokenizerStep step, SplitAt(cut.pattern));
    if (!cut.threes.empty()) step.group = 3;
    steps.push_back(std::move(step));
  }
  return steps;
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
