// The search for the most probable sequence, step by step: greedy, or with beams as transformers 5 keeps them.
#ifndef TOOLFORMER_SRC_SEQ2SEQ_BEAM_SEARCH_H_
#define TOOLFORMER_SRC_SEQ2SEQ_BEAM_SEARCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "src/seq2seq/generation_rules.h"
#include "toolformer/seq2seq_model.h"

namespace toolformer {

// One sentence. Feed it the scores of its rows until it is done.
class BeamSearch {
 public:
  // `start` are the tokens that every sequence begins with; at least one. rules.max_length must exceed their number.
  BeamSearch(const GenerationRules& rules, std::span<const int32_t> start);

  bool done() const { return done_; }
  // Rows that are being extended: 1 before the first step and without beams, else the number of beams.
  size_t rows() const { return running_.size(); }
  // The last token of each row, and the row of the step before that it goes on from.
  const std::vector<int32_t>& tokens() const { return tokens_; }
  const std::vector<int64_t>& parents() const { return parents_; }

  // `scores` [rows, vocabulary] of the next token: logits where there is one beam, else log-probabilities. They are
  // changed.
  void Advance(std::span<float> scores);

  // The best sequence, without the tokens that it started with.
  GeneratedSequence Result() const;

 private:
  struct Sequence {
    std::vector<int32_t> ids;
    float score = 0.0f;
    bool finished = false;
  };
  struct Candidate {
    float score;
    size_t row;
    int32_t id;
    bool stops;
  };

  void AdvanceGreedily(std::span<float> scores);
  std::vector<Candidate> BestCandidates(std::span<const float> scores) const;
  void KeepFinished(std::span<const Candidate> candidates);
  void KeepRunning(std::span<const Candidate> candidates);
  void CheckHeuristic();
  bool AllFinished() const;
  bool IsEnd(int32_t id) const;
  Sequence Extended(const Candidate& candidate) const;

  const GenerationRules rules_;
  const size_t start_;
  std::vector<Sequence> running_, finished_;
  std::vector<int32_t> tokens_;
  std::vector<int64_t> parents_;
  bool improvable_ = true;  // a running sequence may still become the best
  bool done_ = false;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEQ2SEQ_BEAM_SEARCH_H_
