// Programs that are kept between calls: one line of JSON in, one out.
#ifndef TOOLFORMER_SRC_HOST_KEPT_PROGRAM_H_
#define TOOLFORMER_SRC_HOST_KEPT_PROGRAM_H_

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/program_tool.h"

namespace toolformer {

// Safe to use from several threads at once: each call has a process to itself.
class KeptProgram {
 public:
  explicit KeptProgram(ProgramToolOptions options);
  ~KeptProgram();

  absl::StatusOr<std::string> Call(std::string_view input, const ToolContext& context);

 private:
  class Worker;
  // One that waits for work, or a new one; null, with no error, where as many as allowed are at work.
  absl::StatusOr<std::unique_ptr<Worker>> Take();
  void Return(std::unique_ptr<Worker> worker);

  const ProgramToolOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> idle_;
  int at_work_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_KEPT_PROGRAM_H_
