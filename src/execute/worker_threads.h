// Threads that run what may not come back.
#ifndef TOOLFORMER_SRC_EXECUTE_WORKER_THREADS_H_
#define TOOLFORMER_SRC_EXECUTE_WORKER_THREADS_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"

namespace toolformer {

// Starts a thread where none is idle; idle ones stay for the next task. How many run at a time is for the caller to
// bound.
class WorkerThreads {
 public:
  WorkerThreads();
  // Idle threads have ended when it returns; those that run something end after it, by themselves.
  ~WorkerThreads();
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  // Runs `task`, which must not throw, on a thread. kResourceExhausted where none can be had.
  absl::Status Run(std::function<void()> task);

 private:
  struct Shared;
  struct Worker;
  static void Work(std::shared_ptr<Shared> shared, std::shared_ptr<Worker> worker);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EXECUTE_WORKER_THREADS_H_
