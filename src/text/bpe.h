// Byte-pair encoding of one word: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword
// units" (2016); with scores in place of merge rules it is the BPE of SentencePiece.
#ifndef TOOLFORMER_SRC_TEXT_BPE_H_
#define TOOLFORMER_SRC_TEXT_BPE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/text/flat_map.h"
#include "src/text/piece_joints.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {

// Rules: left id and right id -> rank and merged id.
class MergeTable {
 public:
  struct Rule {
    uint32_t rank;  // the smallest merges first
    int32_t merged;
  };
  explicit MergeTable(size_t expected) : rules_(expected) {}
  // A pair that is added again takes the later rank.
  void Add(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
    *rules_.Insert(Pair(left, right), {}).first = {rank, merged};
  }
  // Null where there is no rule.
  const Rule* Find(int32_t left, int32_t right) const { return rules_.Find(Pair(left, right)); }

 private:
  static uint64_t Pair(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  FlatMap<Rule> rules_;
};

struct BpeOptions {
  enum class Alphabet { kBytes, kCharacters };
  Alphabet alphabet = Alphabet::kBytes;
  bool ignore_merges = false;  // a word that is a piece is not taken apart
  bool byte_fallback = false;  // characters without a piece become kByte tokens, where all of theirs exist
  bool fuse_unknown = false;   // one unknown token for a run of unknown characters
  // What the pieces of characters begin with that do not begin a word, and end with where they end one.
  std::string continuing_prefix = {};
  std::string end_suffix = {};
};

class Bpe {
 public:
  // With merge rules, or with a score for each token (the highest merges first). Both: the leftmost of equals.
  Bpe(Vocabulary vocabulary, MergeTable merges, const BpeOptions& options);
  Bpe(Vocabulary vocabulary, const std::vector<float>& scores, const BpeOptions& options);

  // What Encode needs while it runs; one a thread.
  struct Scratch;

  // Appends the ids of `word`. O(n log n). Characters that nothing can stand for are left out.
  void Encode(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const;

  // Null where the parts of a word cannot be encoded one by one.
  const PieceJoints* joints() const { return joints_ ? &*joints_ : nullptr; }

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Symbol {
    uint32_t begin, length;
    int32_t id;  // -1: no piece
  };
  struct Link {
    uint32_t previous, next;  // kNone at the ends
  };
  struct Candidate {
    uint32_t position;  // of the left symbol
    uint32_t length;    // of both; differs once either has grown
    MergeTable::Rule rule;
  };

  bool has_affixes() const { return !options_.continuing_prefix.empty() || !options_.end_suffix.empty(); }
  void FindJoints();
  void Split(std::string_view word, Scratch* scratch) const;
  int32_t FindAffixed(std::string_view word, std::string_view character) const;
  MergeTable::Rule FindMerge(std::string_view word, const Symbol& left, const Symbol& right, Scratch* scratch) const;
  void MergeFew(std::string_view word, Scratch* scratch) const;
  void MergeMany(std::string_view word, Scratch* scratch) const;
  void Emit(std::string_view word, const Scratch& scratch, std::vector<int32_t>* ids) const;
  void EmitMissing(std::string_view bytes, const Scratch& scratch, std::vector<int32_t>* ids) const;
  void EmitUnused(std::string_view piece, const Scratch& scratch, std::vector<int32_t>* ids) const;
  void EncodeChunk(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::vector<uint32_t> priorities_;  // of tokens, from scores; empty with merge rules
  BpeOptions options_;
  std::optional<PieceJoints> joints_;
  int32_t byte_pieces_[256];

 public:
  struct Scratch {
    std::vector<Symbol> symbols;
    size_t few = 24;  // symbols; any number gives the same ids
    std::vector<MergeTable::Rule> merges;
    std::vector<Link> links;
    std::vector<Candidate> heap;
    size_t first_id = 0;  // how many ids there were before the word
    // Where a merge made an unused piece: the bytes of its left part.
    std::unordered_map<std::string_view, uint32_t> unused_parts;
  };
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_BPE_H_
