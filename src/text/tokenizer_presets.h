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

// Appends the steps of the pre-tokenizer that GGUF files call `name`. kUnimplemented, listing all names.
absl::Status ApplyPreTokenizerPreset(std::string_view name, std::vector<PreTokenizerStep>* steps, BpeOptions* options);
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
