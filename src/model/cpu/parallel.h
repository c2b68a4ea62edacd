// Work shared by the threads that libtorch computes with.
#ifndef TOOLFORMER_SRC_MODEL_CPU_PARALLEL_H_
#define TOOLFORMER_SRC_MODEL_CPU_PARALLEL_H_

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace toolformer {

// Calls work(first, last) for ranges of at most `grain` of [0, count), each once, in any order and on any thread. Who
// is done takes the next range, so that a thread which the machine holds up does not hold up the others.
template <typename Work>
void ForRanges(int64_t count, int64_t grain, const Work& work) {
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), (count + grain - 1) / grain);
  if (threads <= 1) {
    if (count > 0) work(0, count);
    return;
  }
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t first = next.fetch_add(grain); first < count; first = next.fetch_add(grain)) {
      work(first, std::min(count, first + grain));
    }
  });
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_PARALLEL_H_
