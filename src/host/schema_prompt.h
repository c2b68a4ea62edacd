// Prompts for tools of which only a schema and a description are known.
#ifndef TOOLFORMER_SRC_HOST_SCHEMA_PROMPT_H_
#define TOOLFORMER_SRC_HOST_SCHEMA_PROMPT_H_

#include <string>
#include <string_view>
#include <vector>

#include "src/host/argument_table.h"
#include "toolformer/tool.h"

namespace toolformer {

// Fills takes_input and, where they are empty, instruction and examples of a tool that has its name.
void DescribeTool(const JsonSchema& schema, const std::vector<Argument>& arguments, std::string_view description,
                  Tool* tool);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_SCHEMA_PROMPT_H_
