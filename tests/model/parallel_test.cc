// Ranges of work on several threads: each once, whoever calls, whatever is thrown.
#include "src/model/cpu/parallel.h"

#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace toolformer::parallel_test {
namespace {

// Threads of libtorch for the length of a test.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  const int before_;
};

std::vector<int> CountVisits(int64_t count, int64_t grain) {
  std::vector<std::atomic<int>> visits(count);
  ForRanges(count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) ++visits[i];
  });
  return {visits.begin(), visits.end()};
}

TEST_CASE("every element is visited once") {
  for (const int threads : {1, 2, 5}) {
    const Threads set(threads);
    for (const int64_t count : {0, 1, 2, 7, 1000}) {
      for (const int64_t grain : {1, 3, 999, 5000}) {
        CHECK(CountVisits(count, grain) == std::vector<int>(count, 1));
      }
    }
  }
}

TEST_CASE("thousands of small jobs one after the other") {
  const Threads set(4);
  for (int job = 0; job < 5000; ++job) {
    std::atomic<int64_t> sum = 0;
    ForRanges(16, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) sum += i;
    });
    REQUIRE(sum == 120);
  }
}

TEST_CASE("ranges within ranges, and callers side by side") {
  const Threads set(3);
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum = 0;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int job = 0; job < 50; ++job) {
        ForRanges(8, 1, [&](int64_t first, int64_t last) {
          for (int64_t i = first; i < last; ++i) {
            ForRanges(4, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
          }
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(sum == 4 * 50 * 8 * 4);
}

TEST_CASE("what the work throws reaches the caller, and the next job runs") {
  const Threads set(4);
  for (int64_t bad = 0; bad < 40; ++bad) {
    const auto work = [&](int64_t first, int64_t last) {
      if (first <= bad && bad < last) throw std::runtime_error("range");
    };
    CHECK_THROWS_AS(ForRanges(40, 1, work), std::runtime_error);
    CHECK(CountVisits(40, 1) == std::vector<int>(40, 1));
  }
}

}  // namespace
}  // namespace toolformer::parallel_test
