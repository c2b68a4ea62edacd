// Turns exceptions of libtorch into a Status where they arise, and keeps its warnings off the process's output.
#ifndef TOOLFORMER_SRC_MODEL_LIBTORCH_GUARD_H_
#define TOOLFORMER_SRC_MODEL_LIBTORCH_GUARD_H_

#include <c10/util/Exception.h>

#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "src/base/status.h"

namespace toolformer {

class SilentWarnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

// What an error of libtorch means to a caller.
inline absl::Status StatusOfTorchError(std::string_view what) {
  const bool out_of_memory = what.find("not enough memory") != std::string_view::npos ||
                             what.find("can't allocate memory") != std::string_view::npos ||
                             what.find("out of memory") != std::string_view::npos;
  // One line: libtorch appends stack traces.
  const std::string_view first_line = what.substr(0, what.find('\n'));
  return out_of_memory ? ResourceExhausted("out of memory: {}", first_line) : Internal("libtorch: {}", first_line);
}

// Runs `body`, which returns a Status or StatusOr.
template <typename Body>
auto GuardLibtorch(Body&& body) -> decltype(body()) {
  SilentWarnings silent;
  c10::WarningUtils::WarningHandlerGuard guard(&silent);
  try {
    return std::forward<Body>(body)();
  } catch (const c10::Error& error) {
    return StatusOfTorchError(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory");
  } catch (const std::exception& error) {
    return StatusOfTorchError(error.what());
  }
}

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_LIBTORCH_GUARD_H_
