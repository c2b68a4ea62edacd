// The best passages for a query: BM25 with MaxScore (Turtle and Flood 1995), which passes over what cannot be among
// them.
#ifndef TOOLFORMER_SRC_SEARCH_RANKED_SEARCH_H_
#define TOOLFORMER_SRC_SEARCH_RANKED_SEARCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "src/search/index_part.h"
#include "toolformer/interrupt.h"

namespace toolformer {

// f / (f + k1 * (1 - b + b * length / average)).
struct Bm25 {
  double k1 = 0.0, b = 0.0, average = 1.0;
  double Of(uint32_t times, uint32_t length) const {
    const double f = times;
    return f / (f + k1 * (1.0 - b + b * length / average));
  }
};

// A term of the query in a part.
struct WeightedTerm {
  double weight = 0.0;  // times in the query, times its logarithm of rareness
  TermPostings postings;
};

// A query in a part. Without terms nothing is found.
struct PartQuery {
  std::vector<WeightedTerm> terms;
  std::vector<TermPostings> required, excluded;
};

struct RankedPassage {
  double score = 0.0;
  uint64_t passage = 0;  // in the index
};

// The `limit` best ones of the parts that it was given, one after the other.
class TopPassages {
 public:
  explicit TopPassages(size_t limit) : limit_(limit) {}

  // Adds those of a part whose first passage is the index's `first`. A damaged posting is an error without a file name.
  absl::Status AddPart(const PartQuery& query, std::span<const uint32_t> lengths, const Bm25& bm25, uint64_t first,
                       const Interrupt& interrupt);

  // Best first; equal ones by their number.
  std::vector<RankedPassage> Sorted() const;

 private:
  // What a passage has to exceed. Later passages lose against equal earlier ones.
  double threshold() const { return heap_.size() < limit_ ? 0.0 : heap_.front().score; }
  void Offer(const RankedPassage& passage);

  const size_t limit_;
  std::vector<RankedPassage> heap_;  // the worst one first
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_RANKED_SEARCH_H_
