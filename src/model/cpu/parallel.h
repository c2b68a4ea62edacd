// Work shared by threads.
#ifndef TOOLFORMER_SRC_MODEL_CPU_PARALLEL_H_
#define TOOLFORMER_SRC_MODEL_CPU_PARALLEL_H_

#include <cstdint>

namespace toolformer {

namespace internal {

using RangeFunction = void (*)(const void* work, int64_t first, int64_t last);
void RunRanges(int64_t count, int64_t grain, RangeFunction function, const void* work);

}  // namespace internal

// Calls work(first, last) for ranges of at most `grain` of [0, count), each once, in any order, on this thread and on
// as many more as libtorch may use. Returns when all are done; an exception that leaves `work` is rethrown here.
//
// OpenMP's regions end when every thread has come and gone, and one that the machine has no time for holds up all the
// others. Here a thread that comes late finds the work done and is not waited for. While another thread's ranges are
// being run, inside of `work` and in parallel regions of OpenMP, all is done on the calling thread.
template <typename Work>
void ForRanges(int64_t count, int64_t grain, const Work& work) {
  if (count <= grain) {
    if (count > 0) work(0, count);
    return;
  }
  internal::RunRanges(
      count, grain,
      [](const void* erased, int64_t first, int64_t last) { (*static_cast<const Work*>(erased))(first, last); }, &work);
}

// While one lives, ForRanges of its thread shares work with OpenMP's threads instead. For work that alternates with
// libtorch's operators, as training does: OpenMP's threads wait busily for a while after each operator, and others
// would have to take the cores from them (a fifth of a training step on two cores).
class UseOpenMpThreads {
 public:
  UseOpenMpThreads();
  ~UseOpenMpThreads();
  UseOpenMpThreads(const UseOpenMpThreads&) = delete;
  UseOpenMpThreads& operator=(const UseOpenMpThreads&) = delete;

 private:
  const bool before_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CPU_PARALLEL_H_
