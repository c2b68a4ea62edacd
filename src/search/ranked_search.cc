#include "src/search/ranked_search.h"

#include <algorithm>
#include <memory>

#include "src/base/status.h"
#include "src/search/posting_cursor.h"

namespace toolformer {
namespace {

// Scores are compared after sums in different orders: a bound is passed over only where it is this far below.
constexpr double kSlack = 1.0 + 1e-9;
// How often a long search looks at the caller's interrupt, in passages.
constexpr uint32_t kCheckEvery = 4096;

// A passage ranks behind another one.
bool Worse(const RankedPassage& a, const RankedPassage& b) {
  return a.score != b.score ? a.score < b.score : a.passage > b.passage;
}
bool Better(const RankedPassage& a, const RankedPassage& b) { return Worse(b, a); }

struct Term {
  double weight;
  double bound;  // no posting scores more
  std::unique_ptr<PostingCursor> cursor;
};

// Which passages may be results at all.
class Filter {
 public:
  Filter(const PartQuery& query, uint32_t passages) {
    for (const TermPostings& postings : query.required) {
      required_.push_back(std::make_unique<PostingCursor>(postings, passages));
    }
    for (const TermPostings& postings : query.excluded) {
      excluded_.push_back(std::make_unique<PostingCursor>(postings, passages));
    }
  }

  // `passage` where it may, else a later one before which none may; kEnd where there is none. Ascending calls.
  uint32_t FirstFrom(uint32_t passage) {
    for (const auto& cursor : required_) {
      cursor->SeekTo(passage);
      passage = cursor->passage();
    }
    for (const auto& cursor : excluded_) {
      cursor->SeekTo(passage);
      if (passage != PostingCursor::kEnd && cursor->passage() == passage) return passage + 1;
    }
    return passage;
  }

  bool damaged() const {
    const auto bad = [](const auto& cursor) { return cursor->damaged(); };
    return std::any_of(required_.begin(), required_.end(), bad) || std::any_of(excluded_.begin(), excluded_.end(), bad);
  }

 private:
  std::vector<std::unique_ptr<PostingCursor>> required_, excluded_;
};

}  // namespace

void TopPassages::Offer(const RankedPassage& passage) {
  if (heap_.size() < limit_) {
    heap_.push_back(passage);
    std::push_heap(heap_.begin(), heap_.end(), Better);
  } else if (Worse(heap_.front(), passage)) {
    std::pop_heap(heap_.begin(), heap_.end(), Better);
    heap_.back() = passage;
    std::push_heap(heap_.begin(), heap_.end(), Better);
  }
}

std::vector<RankedPassage> TopPassages::Sorted() const {
  std::vector<RankedPassage> sorted = heap_;
  std::sort(sorted.begin(), sorted.end(), Better);
  return sorted;
}

absl::Status TopPassages::AddPart(const PartQuery& query, std::span<const uint32_t> lengths, const Bm25& bm25,
                                  uint64_t first, const Interrupt& interrupt) {
  if (limit_ == 0 || query.terms.empty()) return absl::OkStatus();
  std::vector<Term> terms;
  Filter filter(query, static_cast<uint32_t>(lengths.size()));
  for (const WeightedTerm& term : query.terms) {
    const double bound = term.weight * bm25.Of(term.postings.most_often, term.postings.shortest);
    terms.push_back(
        {term.weight, bound, std::make_unique<PostingCursor>(term.postings, static_cast<uint32_t>(lengths.size()))});
  }
  // Those that say least first. `sums[i]`: the most that the terms before i give together. A passage that has none of
  // the terms from `essential` on cannot reach the threshold.
  std::sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.bound < b.bound; });
  std::vector<double> sums = {0.0};
  for (const Term& term : terms) sums.push_back(sums.back() + term.bound);
  size_t essential = 0;
  for (uint32_t steps = 1;; ++steps) {
    if (steps % kCheckEvery == 0) TF_RETURN_IF_ERROR(interrupt.Check());
    while (essential < terms.size() && sums[essential + 1] * kSlack <= threshold()) ++essential;
    uint32_t passage = PostingCursor::kEnd;
    for (size_t i = essential; i < terms.size(); ++i) passage = std::min(passage, terms[i].cursor->passage());
    if (passage == PostingCursor::kEnd) break;
    if (const uint32_t next = filter.FirstFrom(passage); next != passage) {
      for (size_t i = essential; i < terms.size(); ++i) terms[i].cursor->SeekTo(next);
      continue;
    }

    double score = 0.0;
    for (size_t i = essential; i < terms.size(); ++i) {
      PostingCursor& cursor = *terms[i].cursor;
      if (cursor.passage() != passage) continue;
      score += terms[i].weight * bm25.Of(cursor.times(), lengths[passage]);
      cursor.Next();
    }
    bool reaches = true;
    for (size_t i = essential; i-- > 0 && reaches;) {
      if ((score + sums[i + 1]) * kSlack <= threshold()) {
        reaches = false;
        break;
      }
      PostingCursor& cursor = *terms[i].cursor;
      if (const BlockHeader* block = cursor.BlockAt(passage); block != nullptr && cursor.passage() < passage) {
        const double most = terms[i].weight * bm25.Of(block->most_often, block->shortest);
        if ((score + most + sums[i]) * kSlack <= threshold()) {
          reaches = false;
          break;
        }
      }
      cursor.SeekTo(passage);
      if (cursor.passage() == passage) score += terms[i].weight * bm25.Of(cursor.times(), lengths[passage]);
    }
    // As a float: sums in different orders are then equal.
    if (reaches) Offer({static_cast<float>(score), first + passage});
  }
  bool damaged = filter.damaged();
  for (const Term& term : terms) damaged = damaged || term.cursor->damaged();
  if (damaged) return InvalidArgument("damaged: postings that cannot be; build the index again");
  return absl::OkStatus();
}

}  // namespace toolformer
