// One model, many threads.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>

#include <thread>

#include "tests/model/fixture.h"

namespace toolformer::threads_test {
namespace {

using testing::AllOf;
using testing::Fixture;
using testing::LoadModel;

TEST_CASE("threads with caches of their own get what one thread alone gets") {
  const std::unique_ptr<Model> model = LoadModel(Fixture("models/llama_gqa"));
  const std::vector<int32_t> prefix(40, 9);
  const std::unique_ptr<KvCache> base = model->NewCache();
  const std::vector<int64_t> wanted = AllOf(prefix.size());
  const ForwardRow row{prefix, base.get(), wanted};
  testing::Forward(*model, {&row, 1});
  constexpr int kThreads = 4;
  std::vector<std::unique_ptr<KvCache>> forks;
  for (int t = 0; t < kThreads; ++t) forks.push_back(base->Fork());

  const std::vector<int64_t> first = {0};
  const auto continue_from = [&](int t, KvCache* cache) {
    at::Tensor logits;
    for (int32_t step = 0; step < 10; ++step) {
      const std::vector<int32_t> id = {t * 20 + step};
      const ForwardRow next{id, cache, first};
      auto result = model->Forward({&next, 1});
      if (!result.ok()) return at::Tensor();
      logits = *std::move(result);
    }
    return logits;
  };
  std::vector<at::Tensor> together(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] { together[t] = continue_from(t, forks[t].get()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    const at::Tensor alone = continue_from(t, base->Fork().get());
    REQUIRE(together[t].defined());
    CHECK((together[t] - alone).abs().max().item<double>() < 1e-5);
  }
}

}  // namespace
}  // namespace toolformer::threads_test
