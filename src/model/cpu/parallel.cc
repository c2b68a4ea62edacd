#include "src/model/cpu/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace toolformer {

namespace {

thread_local bool use_open_mp = false;

}  // namespace

UseOpenMpThreads::UseOpenMpThreads() : before_(use_open_mp) { use_open_mp = true; }
UseOpenMpThreads::~UseOpenMpThreads() { use_open_mp = before_; }

namespace internal {
namespace {

// How long a helper looks for work before it sleeps: longer than the gaps between the parts of a forward pass.
constexpr std::chrono::microseconds kPatience{100};
constexpr int kMostHelpers = 255;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct Job {
  int64_t count = 0, grain = 0;
  RangeFunction function = nullptr;
  const void* work = nullptr;
};

class Helpers {
 public:
  // Never destroyed: its threads may outlive main.
  static Helpers& Get() {
    static auto* const helpers = new Helpers;
    return *helpers;
  }

  // False where another job is running.
  bool TryRun(const Job& job, int helpers) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    Grow(helpers);
    job_ = job;
    error_ = nullptr;
    failed_.store(false);
    wanted_.store(helpers);
    next_.store(0);
    open_.store(true);
    generation_.fetch_add(1);
    generation_.notify_all();
    Work();
    // A helper counts itself in before it looks whether the job is open: either it sees that it is closed, or it is
    // seen.
    open_.store(false);
    while (inside_.load() > 0) Pause();
    if (failed_.load()) std::rethrow_exception(error_);
    return true;
  }

 private:
  void Grow(int helpers) {
    for (; started_ < std::min(helpers, kMostHelpers); ++started_) {
      try {
        std::thread([this, index = started_] { Help(index); }).detach();
      } catch (const std::system_error&) {
        return;  // with fewer, then
      }
    }
  }

  void Work() {
    try {
      for (int64_t first = next_.fetch_add(job_.grain); first < job_.count; first = next_.fetch_add(job_.grain)) {
        job_.function(job_.work, first, std::min(job_.count, first + job_.grain));
      }
    } catch (...) {
      if (!failed_.exchange(true)) error_ = std::current_exception();
      next_.store(job_.count);
    }
  }

  [[noreturn]] void Help(int index) {
    uint32_t seen = 0;
    for (;;) {
      seen = AwaitJob(seen);
      inside_.fetch_add(1);
      if (open_.load() && index < wanted_.load()) Work();
      inside_.fetch_sub(1);
    }
  }

  // Until there is a job other than the one `seen`.
  uint32_t AwaitJob(uint32_t seen) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    for (uint32_t i = 0; generation_.load() == seen; ++i) {
      Pause();
      if (i % 64 == 63 && std::chrono::steady_clock::now() > until) generation_.wait(seen);
    }
    return generation_.load();
  }

  std::mutex mutex_;
  int started_ = 0;
  Job job_;
  std::exception_ptr error_;
  std::atomic<bool> failed_ = false;
  alignas(64) std::atomic<uint32_t> generation_ = 0;
  std::atomic<bool> open_ = false;
  std::atomic<int> wanted_ = 0;
  alignas(64) std::atomic<int64_t> next_ = 0;
  alignas(64) std::atomic<int> inside_ = 0;
};

// Whether this thread is within a job: a mutex must not be tried again by its owner.
thread_local bool in_job = false;

void RunOnOpenMpThreads(const Job& job, int64_t threads) {
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t first = next.fetch_add(job.grain); first < job.count; first = next.fetch_add(job.grain)) {
      job.function(job.work, first, std::min(job.count, first + job.grain));
    }
  });
}

}  // namespace

void RunRanges(int64_t count, int64_t grain, RangeFunction function, const void* work) {
  const int64_t tasks = (count + grain - 1) / grain;
  const auto helpers = static_cast<int>(std::min<int64_t>(at::get_num_threads(), tasks)) - 1;
  if (at::in_parallel_region()) return function(work, 0, count);
  if (helpers > 0 && use_open_mp) return RunOnOpenMpThreads({count, grain, function, work}, helpers + 1);
  if (helpers > 0 && !in_job) {
    in_job = true;
    try {
      const bool done = Helpers::Get().TryRun({count, grain, function, work}, helpers);
      in_job = false;
      if (done) return;
    } catch (...) {
      in_job = false;
      throw;
    }
  }
  function(work, 0, count);
}

}  // namespace internal
}  // namespace toolformer
