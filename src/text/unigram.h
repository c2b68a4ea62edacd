// The segmentation of highest probability under a unigram language model: Kudo, "Subword regularization" (2018).
#ifndef TOOLFORMER_SRC_TEXT_UNIGRAM_H_
#define TOOLFORMER_SRC_TEXT_UNIGRAM_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/piece_trie.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {

struct UnigramOptions {
  // Hugging Face adds scores as doubles. SentencePiece keeps the sum of a path as a float, so that near ties fall
  // differently, and takes kUserDefined tokens wherever they fit, however improbable.
  enum class Dialect { kHuggingFace, kSentencePiece };
  Dialect dialect = Dialect::kHuggingFace;
  bool byte_fallback = false;  // unknown text becomes kByte tokens, where all of its bytes have one
};

class Unigram {
 public:
  // scores[id]: the logarithm of a token's probability; tokens that were added to the vocabulary have none.
  // kInvalidArgument, beginning with `where`: a score that is no number, or a piece too long.
  static absl::StatusOr<Unigram> Create(const std::string& where, Vocabulary vocabulary,
                                        const std::vector<double>& scores, const UnigramOptions& options);

  // What Encode needs while it runs; one a thread.
  struct Scratch {
    struct Node {
      double score;
      int32_t id;
      uint32_t length;  // of the last piece; 0 where no path ends
    };
    std::vector<Node> nodes;
    std::vector<int32_t> reversed;
  };

  // Appends the ids of `word`. O(n * longest piece). A run of unknown characters is one unknown token; without one it
  // is left out.
  void Encode(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  Unigram(Vocabulary vocabulary, const UnigramOptions& options, PieceTrie trie);
  void FindPaths(std::string_view word, std::vector<Scratch::Node>* nodes) const;
  void AddUnknown(std::string_view text, std::vector<int32_t>* reversed) const;
  void EncodePart(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const;

  Vocabulary vocabulary_;
  UnigramOptions options_;
  PieceTrie trie_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_UNIGRAM_H_
