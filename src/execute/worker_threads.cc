#include "src/execute/worker_threads.h"

#include <system_error>
#include <thread>
#include <utility>

#include "src/base/status.h"

namespace toolformer {

struct WorkerThreads::Worker {
  std::condition_variable wake;
  std::function<void()> task;  // null: idle
};

// Outlives the pool where a task does.
struct WorkerThreads::Shared {
  std::mutex mutex;
  std::condition_variable gone;
  std::vector<std::shared_ptr<Worker>> idle;
  size_t threads = 0;
  size_t leaving = 0;  // idle threads that have been told to end
  bool closed = false;
};

WorkerThreads::WorkerThreads() : shared_(std::make_shared<Shared>()) {}

WorkerThreads::~WorkerThreads() {
  std::unique_lock lock(shared_->mutex);
  shared_->closed = true;
  shared_->leaving = shared_->idle.size();
  for (const std::shared_ptr<Worker>& worker : shared_->idle) worker->wake.notify_one();
  shared_->idle.clear();
  shared_->gone.wait(lock, [&] { return shared_->leaving == 0; });
}

void WorkerThreads::Work(std::shared_ptr<Shared> shared, std::shared_ptr<Worker> worker) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    {
      const std::function<void()> task = std::exchange(worker->task, nullptr);
      lock.unlock();
      task();
    }  // what the task holds goes before the thread counts as idle
    lock.lock();
    if (shared->closed) return;
    shared->idle.push_back(worker);  // has room for all threads: nothing may fail here
    worker->wake.wait(lock, [&] { return worker->task != nullptr || shared->closed; });
    if (worker->task == nullptr) {
      --shared->leaving;
      shared->gone.notify_all();
      return;
    }
  }
}

absl::Status WorkerThreads::Run(std::function<void()> task) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->idle.empty()) {
      const std::shared_ptr<Worker> worker = std::move(shared_->idle.back());
      shared_->idle.pop_back();
      worker->task = std::move(task);
      worker->wake.notify_one();
      return absl::OkStatus();
    }
  }
  auto worker = std::make_shared<Worker>();
  worker->task = std::move(task);
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->idle.reserve(++shared_->threads);
  }
  try {
    std::thread(Work, shared_, std::move(worker)).detach();
  } catch (const std::system_error& error) {
    return ResourceExhausted("no thread could be started for the tool: {}", error.what());
  }
  return absl::OkStatus();
}

}  // namespace toolformer
