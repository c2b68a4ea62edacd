// The tokenizer that every supported file becomes: whole tokens, normaliser, words, pieces of words.
#ifndef TOOLFORMER_SRC_TEXT_PIECE_TOKENIZER_H_
#define TOOLFORMER_SRC_TEXT_PIECE_TOKENIZER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "src/text/bpe.h"
#include "src/text/token_matcher.h"
#include "src/text/tokenizer_pipeline.h"
#include "src/text/unigram.h"
#include "src/text/word_cache.h"
#include "src/text/wordpiece.h"
#include "toolformer/tokenizer.h"

namespace toolformer {

// Makes ids of words.
using WordEncoder = std::variant<Bpe, Unigram, WordPiece>;

struct TokenizerParts {
  TokenMatcher raw_tokens;         // matched in the text as it is
  TokenMatcher normalized_tokens;  // matched after the normaliser
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  int32_t start_id = 0;
  std::vector<int32_t> end_ids;
  std::map<std::string, int32_t, std::less<>> control_tokens;  // by their spelling
};

class PieceTokenizer : public Tokenizer {
 public:
  PieceTokenizer(TokenizerParts parts, WordEncoder encoder)
      : parts_(std::move(parts)), encoder_(std::move(encoder)), cache_owner_(WordCache::NewOwner()) {}

  std::vector<int32_t> Encode(std::string_view text) const override;
  std::vector<int32_t> EncodeContinuation(std::string_view text) const override;
  std::string_view TokenBytes(int32_t id) const override;
  int32_t vocab_size() const override { return vocabulary().size(); }
  int32_t start_id() const override { return parts_.start_id; }
  const std::vector<int32_t>& end_ids() const override { return parts_.end_ids; }
  const std::map<std::string, int32_t, std::less<>>& control_tokens() const { return parts_.control_tokens; }

 private:
  struct Scratch;
  const Vocabulary& vocabulary() const;
  std::vector<int32_t> EncodeAt(std::string_view text, TextPosition position) const;
  void EncodeSection(std::string_view section, TextPosition position, Scratch* scratch) const;
  void EncodePart(const Bpe& bpe, std::string_view part, WordCache* cache, Scratch* scratch) const;
  void EncodeWords(std::string_view section, TextPosition position, Scratch* scratch) const;

  TokenizerParts parts_;
  WordEncoder encoder_;
  uint32_t cache_owner_;
};

// `file` begins the error messages of all of these.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadGgufTokenizer(const std::string& file);
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadJsonTokenizer(const std::string& file);
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadSentencePieceTokenizer(const std::string& file);
// A model of SentencePiece by itself, whatever stands beside it, and the spelling of its pieces by id.
struct PlainSentencePiece {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<std::string> pieces;
};
absl::StatusOr<PlainSentencePiece> LoadPlainSentencePiece(const std::string& file);
// A folder with vocab.json and merges.txt, or with vocab.txt.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadMergesTokenizer(const std::string& path);
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadWordPieceTokenizer(const std::string& path);

// Whether a control token spelled so ends a turn or a text, in whatever field a file names it or not.
bool IsEndSpelling(std::string_view piece);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_PIECE_TOKENIZER_H_
