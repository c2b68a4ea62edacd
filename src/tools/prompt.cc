// P(x) of the paper (section 2, App. A.2) and the demonstrations for models that were not trained.
#include "src/tools/prompt.h"

#include <algorithm>
#include <optional>

#include "toolformer/call_syntax.h"
#include "toolformer/tool.h"

namespace toolformer {
namespace {

// `text` with every call e(c, r) written as e(c): what the model is to continue with, before any tool has run.
std::string WithoutResults(std::string_view text) {
  std::string out;
  size_t copied = 0;
  for (const CallSpan& span : FindCalls(text)) {
    out.append(text.substr(copied, span.begin - copied));
    out += PrintCall(span.call, std::nullopt);
    copied = span.end;
  }
  return out.append(text.substr(copied));
}

}  // namespace

std::string RemoveCalls(std::string_view text, std::string_view tool) {
  std::string out;
  size_t copied = 0;
  for (const CallSpan& span : FindCalls(text)) {
    if (span.call.tool != tool) continue;
    out.append(text.substr(copied, span.begin - copied));
    copied = span.end;
    if (!out.empty() && out.back() == ' ') {
      out.pop_back();
    } else if (copied < text.size() && text[copied] == ' ') {
      ++copied;
    }
  }
  return out.append(text.substr(copied));
}

std::string SamplingPromptHead(const Tool& tool) {
  std::string prompt = tool.instruction;
  if (!tool.examples.empty()) prompt += " Here are some examples of API calls:";
  prompt += '\n';
  for (const ToolExample& example : tool.examples) {
    prompt += "Input: " + example.input + "\nOutput: " + WithoutResults(example.output) + "\n";
  }
  return prompt + "Input: ";
}

std::string SamplingPrompt(const Tool& tool, std::string_view text) {
  return SamplingPromptHead(tool).append(text).append("\nOutput:");
}

std::string InContextExamples(const Tool& tool) {
  std::string out;
  for (const ToolExample& example : tool.examples) {
    std::string line = example.output;
    // One a line, whatever the example holds.
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out += line + "\n";
  }
  return out;
}

}  // namespace toolformer
