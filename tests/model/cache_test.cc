// However a sequence is split over calls, caches, forks and batches, its logits are the same.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/max.h>
#include <ATen/ops/tensor.h>

#include <random>

#include "src/model/transformer.h"
#include "tests/model/fixture.h"

namespace toolformer::cache_test {
namespace {

using testing::AllLogits;
using testing::AllOf;
using testing::Fixture;
using testing::Forward;
using testing::LoadModel;

constexpr double kTolerance = 2e-5;

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a - b).abs().max().item<double>();
}

std::vector<int32_t> RandomIds(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % 90);
  return ids;
}

at::Tensor Append(const LanguageModel& model, KvCache* cache, std::span<const int32_t> ids) {
  const std::vector<int64_t> wanted = AllOf(ids.size());
  const ForwardRow row{ids, cache, wanted};
  return Forward(model, {&row, 1});
}

const std::vector<std::string> kModels = {"gpt2_small",  "llama_gqa",     "gemma3_small",
                                          "bloom_plain", "gemma2_capped", "smollm3_nope"};

TEST_CASE("a sequence in chunks has the logits of the whole") {
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = LoadModel(Fixture("models/" + name));
    const std::vector<int32_t> ids = RandomIds(40, 1);
    const at::Tensor whole = AllLogits(*model, ids);
    for (const std::vector<size_t>& chunks : std::vector<std::vector<size_t>>{{1, 39}, {13, 1, 1, 25}, {20, 20}}) {
      const std::unique_ptr<KvCache> cache = model->NewCache();
      size_t done = 0;
      for (const size_t chunk : chunks) {
        const at::Tensor logits = Append(*model, cache.get(), std::span(ids).subspan(done, chunk));
        CHECK(MaxDifference(logits, whole.narrow(0, static_cast<int64_t>(done), static_cast<int64_t>(chunk))) <
              kTolerance);
        done += chunk;
      }
      CHECK(cache->length() == 40);
    }
  }
}

TEST_CASE("truncated and forked caches continue as if they had been read anew") {
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = LoadModel(Fixture("models/" + name));
    const std::vector<int32_t> prefix = RandomIds(44, 2);  // long enough to be shared, not copied, when forked
    const std::unique_ptr<KvCache> base = model->NewCache();
    Append(*model, base.get(), prefix);
    for (const int64_t kept : {44, 41, 7, 1, 0}) {
      CAPTURE(kept);
      const std::unique_ptr<KvCache> fork = base->Fork();
      REQUIRE(fork->Truncate(kept).ok());
      const std::vector<int32_t> suffix = RandomIds(6, static_cast<uint32_t>(kept) + 10);
      std::vector<int32_t> all(prefix.begin(), prefix.begin() + kept);
      all.insert(all.end(), suffix.begin(), suffix.end());
      const at::Tensor whole = AllLogits(*model, all).narrow(0, kept, 6);
      CHECK(MaxDifference(Append(*model, fork.get(), std::span(suffix).first(2)), whole.narrow(0, 0, 2)) < kTolerance);
      // A fork of the fork shares two segments, or copies the short tail.
      const std::unique_ptr<KvCache> second = fork->Fork();
      CHECK(MaxDifference(Append(*model, second.get(), std::span(suffix).subspan(2)), whole.narrow(0, 2, 4)) <
            kTolerance);
      CHECK(fork->length() == kept + 2);
      CHECK(second->length() == kept + 6);
      REQUIRE(second->Truncate(kept + 1).ok());
      CHECK(MaxDifference(Append(*model, second.get(), std::span(suffix).subspan(1)), whole.narrow(0, 1, 5)) <
            kTolerance);
    }
    CHECK(base->length() == 44);
    CHECK(absl::IsOutOfRange(base->Truncate(45)));
    CHECK(absl::IsOutOfRange(base->Truncate(-1)));
  }
}

TEST_CASE("rows of a batch do not see each other") {
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = LoadModel(Fixture("models/" + name));
    const std::vector<int32_t> prefix = RandomIds(40, 3);
    const std::unique_ptr<KvCache> base = model->NewCache();
    Append(*model, base.get(), prefix);
    // Rows that share a prefix of different lengths, rows of their own, one row without a cache.
    const std::vector<int64_t> kept = {40, 40, 33, 0, 12};
    std::vector<std::unique_ptr<KvCache>> caches;
    std::vector<std::vector<int32_t>> suffixes;
    std::vector<std::vector<int64_t>> wanted;
    std::vector<ForwardRow> rows;
    for (size_t r = 0; r < kept.size(); ++r) {
      caches.push_back(base->Fork());
      REQUIRE(caches.back()->Truncate(kept[r]).ok());
      suffixes.push_back(RandomIds(r == 1 ? 1 : r + 2, static_cast<uint32_t>(r) + 20));
      wanted.push_back(AllOf(suffixes.back().size()));
    }
    suffixes.push_back(RandomIds(17, 30));
    wanted.push_back({3, 16});
    for (size_t r = 0; r < suffixes.size(); ++r) {
      rows.push_back({suffixes[r], r < caches.size() ? caches[r].get() : nullptr, wanted[r]});
    }
    // Twice: the second step decodes one token a row.
    for (int step = 0; step < 2; ++step) {
      const at::Tensor logits = Forward(*model, rows);
      int64_t done = 0;
      for (size_t r = 0; r < rows.size(); ++r) {
        CAPTURE(r);
        std::vector<int32_t> all;
        if (r < caches.size()) all.assign(prefix.begin(), prefix.begin() + kept[r]);
        if (step == 1 && r < caches.size()) all.insert(all.end(), suffixes[r].begin(), suffixes[r].end());
        const auto offset = static_cast<int64_t>(all.size());
        all.insert(all.end(), rows[r].ids.begin(), rows[r].ids.end());
        const at::Tensor alone = AllLogits(*model, all);
        for (const int64_t index : rows[r].wanted) {
          CHECK(MaxDifference(logits[done++], alone[offset + index]) < kTolerance);
        }
      }
      static const std::vector<int32_t> one = {7};
      static const std::vector<int64_t> first = {0};
      for (size_t r = 0; r < rows.size(); ++r) {
        rows[r].ids = one;
        rows[r].wanted = first;
      }
    }
  }
}

// Texts can be annotated in batches of any composition because of this.
TEST_CASE("logits of a row do not depend on the batch, to the bit") {
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = LoadModel(Fixture("models/" + name));
    const std::vector<int32_t> prefix = RandomIds(40, 3);
    const auto base = [&] {
      std::unique_ptr<KvCache> cache = model->NewCache();
      Append(*model, cache.get(), prefix);
      return cache;
    };
    const std::unique_ptr<KvCache> shared = base();
    const std::vector<int64_t> kept = {40, 40, 33, 0, 12, 40};
    std::vector<std::unique_ptr<KvCache>> together;
    std::vector<std::vector<int32_t>> suffixes;
    std::vector<std::vector<int64_t>> wanted;
    std::vector<ForwardRow> rows;
    for (size_t r = 0; r < kept.size(); ++r) {
      together.push_back(shared->Fork());
      REQUIRE(together.back()->Truncate(kept[r]).ok());
      suffixes.push_back(RandomIds(r == 1 ? 1 : r + 2, static_cast<uint32_t>(r) + 20));
      wanted.push_back(AllOf(suffixes.back().size()));
    }
    for (size_t r = 0; r < kept.size(); ++r) rows.push_back({suffixes[r], together[r].get(), wanted[r]});
    const std::vector<int32_t> vocabulary = {1, 5, 31, 32, 60};
    const at::Tensor logits = Forward(*model, rows);
    int64_t done = 0;
    for (size_t r = 0; r < kept.size(); ++r) {
      CAPTURE(r);
      const std::unique_ptr<KvCache> own = base(), over = own->Fork(), alone = own->Fork();
      REQUIRE(alone->Truncate(kept[r]).ok());
      REQUIRE(over->Truncate(kept[r]).ok());
      const ForwardRow row{suffixes[r], alone.get(), wanted[r]};
      const at::Tensor same = Forward(*model, {&row, 1});
      CHECK(at::equal(same, logits.narrow(0, done, same.size(0))));
      const ForwardRow row_over{suffixes[r], over.get(), wanted[r]};
      const absl::StatusOr<at::Tensor> some = model->ForwardOver({&row_over, 1}, vocabulary);
      REQUIRE(some.ok());
      const std::vector<int64_t> columns(vocabulary.begin(), vocabulary.end());
      CHECK(at::equal(*some, same.index_select(1, at::tensor(columns))));
      done += same.size(0);
    }
    for (const std::vector<int32_t>& bad : std::vector<std::vector<int32_t>>{{}, {3, 3}, {5, 4}, {-1}, {1 << 20}}) {
      CHECK(absl::IsInvalidArgument(model->ForwardOver(rows, bad).status()));
    }
  }
}

TEST_CASE("what a batch must not be is refused and changes nothing") {
  const std::unique_ptr<Model> model = LoadModel(Fixture("models/llama_gqa"));
  const std::unique_ptr<Model> other = LoadModel(Fixture("models/llama_gqa"));
  const std::unique_ptr<KvCache> cache = model->NewCache();
  const std::unique_ptr<KvCache> foreign = other->NewCache();
  const std::vector<int32_t> ids = {1, 2, 3};
  const std::vector<int64_t> wanted = {0, 2};
  Append(*model, cache.get(), ids);
  const auto refused = [&](const std::vector<ForwardRow>& rows) {
    const absl::Status status = model->Forward(rows).status();
    CHECK(cache->length() == 3);
    return status;
  };
  CHECK(absl::IsInvalidArgument(refused({})));
  CHECK(absl::IsInvalidArgument(refused({{{}, cache.get(), {}}})));
  const std::vector<int32_t> too_large = {320}, negative = {-1};
  CHECK(absl::IsInvalidArgument(refused({{too_large, cache.get(), {}}})));
  CHECK(absl::IsInvalidArgument(refused({{negative, cache.get(), {}}})));
  const std::vector<int64_t> outside = {3}, descending = {2, 0}, below = {-1};
  CHECK(absl::IsInvalidArgument(refused({{ids, cache.get(), outside}})));
  CHECK(absl::IsInvalidArgument(refused({{ids, cache.get(), descending}})));
  CHECK(absl::IsInvalidArgument(refused({{ids, cache.get(), below}})));
  CHECK(absl::IsInvalidArgument(refused({{ids, foreign.get(), wanted}})));
  CHECK(absl::IsInvalidArgument(refused({{ids, cache.get(), wanted}, {ids, cache.get(), wanted}})));
  const std::vector<int32_t> long_row(model->context_length() - 2, 5);
  CHECK(absl::IsOutOfRange(refused({{long_row, cache.get(), {}}})));
  const std::vector<int32_t> full_row(model->context_length() - 3, 5);
  CHECK(model->Forward(std::vector<ForwardRow>{{full_row, cache.get(), wanted}}).ok());
}

// LongRoPE: all keys change when a sequence outgrows the original context of 60 tokens, and change back.
TEST_CASE("a cache may grow over the length at which rotary frequencies change, and be cut below it") {
  const std::unique_ptr<Model> model = LoadModel(Fixture("models/phi3_longrope"));
  const std::vector<int32_t> ids = RandomIds(90, 3);
  const at::Tensor whole = AllLogits(*model, ids);
  const at::Tensor begin = AllLogits(*model, std::span(ids).first(50));
  const std::unique_ptr<KvCache> cache = model->NewCache();
  Append(*model, cache.get(), std::span(ids).first(59));
  const std::unique_ptr<KvCache> fork = cache->Fork();
  for (size_t t = 59; t < 90; ++t) {
    const at::Tensor logits = Append(*model, cache.get(), std::span(ids).subspan(t, 1));
    if (t == 59) continue;  // the sequence is still short, and the whole was not
    CHECK(MaxDifference(logits[0], whole[static_cast<int64_t>(t)]) < kTolerance);
  }
  CHECK(MaxDifference(Append(*model, fork.get(), std::span(ids).subspan(59, 31)).slice(0, 0, 31),
                      whole.slice(0, 59, 90)) < kTolerance);
  REQUIRE(cache->Truncate(40).ok());
  CHECK(MaxDifference(Append(*model, cache.get(), std::span(ids).subspan(40, 10)), begin.slice(0, 40, 50)) <
        kTolerance);
  CHECK(cache->length() == 50);
}

}  // namespace
}  // namespace toolformer::cache_test
