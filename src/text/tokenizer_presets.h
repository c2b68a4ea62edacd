// What the loaders of tokenizer files share: named pre-tokenizers, pieces and merge rules.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_PRESETS_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_PRESETS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/bpe.h"
#include "src/text/tokenizer_pipeline.h"

namespace toolformer {

// The pattern by which GPT-2 cuts words.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// One pattern at whose matches text is cut.
struct PresetCut {
  std::string_view pattern;
  // Where it is there: matches of `pattern` are cut into threes from their end, and these are the matches of `threes`.
  std::string_view threes = {};
};

// What GGUF files name in tokenizer.ggml.pre.
struct PreTokenizerPreset {
  enum Flag : unsigned {
    kIgnoreMerges = 1,  // as BpeOptions::ignore_merges
    kAddsBos = 2,       // texts start with BOS where the file says nothing
    kCharacters = 4,    // the pieces spell characters, not bytes; spaces become U+2581
  };
  std::string_view names;  // separated by spaces
  PresetCut cuts[6];       // applied one after the other; the first empty one ends them
  unsigned flags = 0;
};

// kUnimplemented, listing all names.
absl::StatusOr<const PreTokenizerPreset*> FindPreTokenizerPreset(std::string_view name);
absl::StatusOr<std::vector<PreTokenizerStep>> MakePreTokenizer(const PreTokenizerPreset& preset);
std::string PreTokenizerPresetNames();

// A kSplit step at the matches of `pattern`, each a word.
absl::StatusOr<PreTokenizerStep> SplitAt(std::string_view pattern);

// A token of a byte-level vocabulary. Pieces outside the alphabet of such vocabularies stand for their own text and
// can be reached only whole.
absl::StatusOr<Token> MakeByteLevelToken(std::string_view piece, TokenKind kind);

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);

// kInvalidArgument where the token is empty, there already, or longer than the matcher takes.
absl::Status AddWholeToken(std::string_view token, int32_t id, TokenMatcher* matcher);

enum class MergeSpelling { kByteLevel, kPlain };
using MergeParts = std::pair<std::string_view, std::string_view>;
// "left right"; nothing where there is not exactly one space between two parts.
std::optional<MergeParts> SplitMerge(std::string_view merge);

struct MergeList {
  size_t size = 0;
  std::function<std::optional<MergeParts>(size_t)> get;
  MergeSpelling spelling = MergeSpelling::kByteLevel;
};

// The rules in the order of their rank; those that would make a control token are left out. kInvalidArgument,
// beginning with `field`, for a malformed rule or one of an unknown piece.
absl::StatusOr<MergeTable> MakeMergeTable(const Vocabulary& vocabulary, const MergeList& merges,
                                          const std::string& field);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_PRESETS_H_
