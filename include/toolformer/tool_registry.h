// The tools that a model may call.
#ifndef TOOLFORMER_TOOL_REGISTRY_H_
#define TOOLFORMER_TOOL_REGISTRY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "toolformer/export.h"
#include "toolformer/tool.h"

namespace toolformer {

// Filled once, then read from any number of threads.
class TOOLFORMER_API ToolRegistry {
 public:
  // Takes the tool. kInvalidArgument (a name that is not one, no function, a parameter or limit out of range, an
  // example whose output is not its input with calls of this tool), kAlreadyExists.
  absl::Status Register(Tool tool);

  // Null where there is none. The name must match exactly. The pointer shares ownership: a call that outlives its
  // deadline keeps its tool alive.
  std::shared_ptr<const Tool> Find(std::string_view name) const;

  // In the order of registration.
  const std::vector<std::shared_ptr<const Tool>>& tools() const { return tools_; }

  // "Calculator, Calendar".
  std::string Names() const;

 private:
  std::vector<std::shared_ptr<const Tool>> tools_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_TOOL_REGISTRY_H_
