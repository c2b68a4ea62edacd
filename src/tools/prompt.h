// Texts with calls, rewritten for prompts.
#ifndef TOOLFORMER_SRC_TOOLS_PROMPT_H_
#define TOOLFORMER_SRC_TOOLS_PROMPT_H_

#include <string>
#include <string_view>

namespace toolformer {

// `text` without its calls of `tool`. A call goes with the blank before it; one that has none before it, with the blank
// after it.
std::string RemoveCalls(std::string_view text, std::string_view tool);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_PROMPT_H_
