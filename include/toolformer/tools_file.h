// Tools that a JSON file declares: built-in ones, programs, HTTP services, servers of the Model Context Protocol.
#ifndef TOOLFORMER_TOOLS_FILE_H_
#define TOOLFORMER_TOOLS_FILE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "toolformer/clock.h"
#include "toolformer/export.h"
#include "toolformer/tool_registry.h"

namespace toolformer {

struct TOOLFORMER_API ToolsFileOptions {
  std::shared_ptr<const Clock> clock;  // of the Calendar, where the file states no day; null: SystemClock()
  // Is told what was left out and why, as of a server's tool whose schema is none. Null: nobody is.
  std::function<void(std::string_view)> on_warning;
};

// Adds the tools that the file at `path` declares, all or none; docs/tools.md describes the file. It says which
// programs are run and which servers are connected to, so it is to be trusted like a program; paths in it are relative
// to its folder. Servers are started and asked for their tools here. Errors name the file, the tool and the field:
// kNotFound and kUnavailable (the file cannot be read), kInvalidArgument, kAlreadyExists (two tools of a name), and
// whatever keeps a server from being used.
TOOLFORMER_API absl::Status LoadTools(const std::string& path, const ToolsFileOptions& options, ToolRegistry* registry);

// The same of the content of such a file. Relative paths are those of `folder`.
TOOLFORMER_API absl::Status LoadToolsFromText(std::string_view text, const std::string& folder,
                                              const ToolsFileOptions& options, ToolRegistry* registry);

// "calculator, calendar, http, ...": what `kind` may be.
TOOLFORMER_API std::string ToolKindNames();

}  // namespace toolformer

#endif  // TOOLFORMER_TOOLS_FILE_H_
