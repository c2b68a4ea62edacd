// Two models decode the same rows, whatever happens to the rows between two steps.
#ifndef TOOLFORMER_TESTS_MODEL_TWINS_H_
#define TOOLFORMER_TESTS_MODEL_TWINS_H_

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "tests/model/internal_fixture.h"

namespace toolformer::testing {

// The same rows in two models.
class Twins {
 public:
  Twins(const Transformer& ordinary, const Transformer& fixed, double tolerance)
      : models_{&ordinary, &fixed}, tolerance_(tolerance) {}

  struct Row {
    std::unique_ptr<KvCache> caches[2];
    int32_t next = 0;

    int64_t length() const { return caches[0]->length(); }
  };

  Row New() const {
    Row row;
    for (int m = 0; m < 2; ++m) row.caches[m] = std::make_unique<SegmentedCache>(models_[m]->cache_layout());
    return row;
  }

  static Row Fork(const Row& row) {
    Row fork;
    for (int m = 0; m < 2; ++m) fork.caches[m] = row.caches[m]->Fork();
    fork.next = row.next;
    return fork;
  }

  // The rows' next tokens; those after them become next. Of each row the logits of the last token are wanted, those of
  // the first row only where it is alone.
  void Append(const std::vector<Row*>& rows, const std::vector<std::vector<int32_t>>& ids,
              std::span<const int32_t> vocabulary = {}) const {
    std::vector<std::vector<int64_t>> wanted;
    for (const std::vector<int32_t>& row : ids) wanted.push_back({static_cast<int64_t>(row.size()) - 1});
    if (rows.size() > 1) wanted[0].clear();
    at::Tensor logits[2];
    for (int m = 0; m < 2; ++m) {
      std::vector<ForwardRow> batch;
      for (size_t r = 0; r < rows.size(); ++r) batch.push_back({ids[r], rows[r]->caches[m].get(), wanted[r]});
      logits[m] = Forward(*models_[m], batch, vocabulary);
    }
    REQUIRE(logits[0].sizes() == logits[1].sizes());
    const double difference = (logits[0] - logits[1]).abs().max().item<double>();
    CHECK(difference < tolerance_);
    const at::Tensor best[2] = {logits[0].argmax(1), logits[1].argmax(1)};
    int64_t at = 0;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (wanted[r].empty()) continue;
      const auto next = best[0][at].item<int64_t>();
      if (tolerance_ < 2e-3) CHECK(best[1][at].item<int64_t>() == next);
      rows[r]->next = static_cast<int32_t>(next % 90);
      ++at;
    }
    for (Row* row : rows) CHECK(row->caches[0]->length() == row->caches[1]->length());
  }

  void Step(const std::vector<Row*>& rows) const {
    std::vector<std::vector<int32_t>> ids;
    for (const Row* row : rows) ids.push_back({row->next});
    Append(rows, ids);
  }

 private:
  const Transformer* const models_[2];
  const double tolerance_;
};

inline std::vector<int32_t> RandomIds(size_t count, std::mt19937* random) {
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>((*random)() % 90);
  return ids;
}

// Decodes rows that share prefixes and join, leave, fork, are cut and are appended to between steps. Returns the number
// of decode steps.
inline int RunAtRandom(const Twins& twins, uint32_t seed, int64_t longest) {
  std::mt19937 random(seed);
  const auto below = [&](size_t count) { return static_cast<size_t>(random() % count); };
  std::vector<Twins::Row> rows;
  const auto join = [&](size_t tokens) {
    rows.push_back(twins.New());
    twins.Append({&rows.back()}, {RandomIds(tokens, &random)});
  };
  // Two prefixes that are long enough to be shared, one that is not.
  join(36);
  join(40);
  join(5);
  int steps = 0;
  for (int i = 0; i < 90; ++i) {
    CAPTURE(i);
    // What has become too long leaves.
    std::erase_if(rows, [&](const Twins::Row& row) { return row.length() + 4 > longest; });
    if (rows.empty()) join(34 + below(6));
    Twins::Row& row = rows[below(rows.size())];
    switch (below(10)) {
      case 0:
      case 1:
        if (rows.size() < 12) rows.push_back(Twins::Fork(row));
        break;
      case 2:
        if (rows.size() > 4) rows.erase(rows.begin() + static_cast<int64_t>(below(rows.size())));
        break;
      case 3: {
        const int64_t kept = row.length() - static_cast<int64_t>(below(8));
        for (const auto& cache : row.caches) REQUIRE(cache->Truncate(std::max<int64_t>(kept, 1)).ok());
        break;
      }
      case 4:
        twins.Append({&row}, {RandomIds(1 + below(3), &random)});
        break;
      default: {
        std::vector<Twins::Row*> some;
        for (Twins::Row& candidate : rows) {
          if (i % 3 != 0 || below(4) != 0) some.push_back(&candidate);
        }
        std::shuffle(some.begin(), some.end(), random);
        if (some.empty()) break;
        twins.Step(some);
        ++steps;
      }
    }
  }
  return steps;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_MODEL_TWINS_H_
