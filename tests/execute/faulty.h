// Tools that misbehave, and a clock that a test moves.
#ifndef TOOLFORMER_TESTS_EXECUTE_FAULTY_H_
#define TOOLFORMER_TESTS_EXECUTE_FAULTY_H_

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "toolformer/tool_executor.h"
#include "toolformer/tool_registry.h"

namespace toolformer::testing {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

inline Tool Named(const std::string& name, ToolFunction call) {
  Tool tool;
  tool.name = name;
  tool.instruction = "Calls help.";
  tool.call = std::move(call);
  return tool;
}

inline ToolRegistry RegistryOf(std::vector<Tool> tools) {
  ToolRegistry registry;
  for (Tool& tool : tools) REQUIRE(registry.Register(std::move(tool)).ok());
  return registry;
}

// Time for options.now: stands still but for what the test adds.
class MovableTime {
 public:
  void Advance(milliseconds time) { *ahead_ += time.count(); }
  std::function<steady_clock::time_point()> Function() const {
    return [start = start_, ahead = ahead_] { return start + milliseconds(ahead->load()); };
  }

 private:
  steady_clock::time_point start_ = steady_clock::now();
  std::shared_ptr<std::atomic<int64_t>> ahead_ = std::make_shared<std::atomic<int64_t>>(0);
};

inline ToolStatistics StatisticsOf(const ToolExecutor& executor, const std::string& tool) {
  for (const ToolStatistics& statistics : executor.Statistics()) {
    if (statistics.tool == tool) return statistics;
  }
  return {};
}

inline int64_t Errors(const ToolStatistics& s) {
  int64_t errors = 0;
  for (const auto& [code, count] : s.errors) errors += count;
  return errors;
}

// Every request is accounted for, once by its end and once by where that came from.
inline void CheckAddsUp(const ToolStatistics& s) {
  CHECK(s.requests == s.answered + Errors(s));
  CHECK(s.requests == s.shared + s.from_memory + s.from_disk + s.refused + s.called);
  CHECK(s.attempts == s.called + s.retries);
}

template <typename Condition>
bool Becomes(Condition condition) {
  const auto give_up = steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (steady_clock::now() >= give_up) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_EXECUTE_FAULTY_H_
