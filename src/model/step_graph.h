// A step of work that is recorded once and run again.
#ifndef TOOLFORMER_SRC_MODEL_STEP_GRAPH_H_
#define TOOLFORMER_SRC_MODEL_STEP_GRAPH_H_

#include <functional>
#include <memory>
#include <utility>

namespace toolformer {

class StepGraph {
 public:
  virtual ~StepGraph() = default;

  // The same operations on the same memory. Throws what libtorch throws.
  virtual void Replay() = 0;
};

// Records what `step` does; may run it, any number of times. `step` may be called again later.
using CaptureStep = std::function<std::unique_ptr<StepGraph>(const std::function<void()>& step)>;

// Where nothing can be recorded: calls the step.
inline std::unique_ptr<StepGraph> RunAgain(const std::function<void()>& step) {
  class Again : public StepGraph {
   public:
    explicit Again(std::function<void()> again) : step_(std::move(again)) {}
    void Replay() override { step_(); }

   private:
    const std::function<void()> step_;
  };
  return std::make_unique<Again>(step);
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_STEP_GRAPH_H_
