#include "src/tools/prompt.h"

#include <doctest/doctest.h>

#include <string>

#include "toolformer/tool.h"

namespace toolformer::prompt_test {
namespace {

TEST_CASE("SamplingPrompt: instruction, examples without results, text") {
  Tool tool;
  tool.name = "T";
  tool.instruction = "Add calls.";
  tool.examples = {{"a b", "a [T(x) -> 1] b"}, {"c", "[T(y) -> ] [T(z)] c"}};
  CHECK(SamplingPromptHead(tool) ==
        "Add calls. Here are some examples of API calls:\nInput: a b\nOutput: a [T(x)] b\n"
        "Input: c\nOutput: [T(y)] [T(z)] c\nInput: ");
  CHECK(SamplingPrompt(tool, "the text") == SamplingPromptHead(tool) + "the text\nOutput:");
  CHECK(InContextExamples(tool) == "a [T(x) -> 1] b\n[T(y) -> ] [T(z)] c\n");
  tool.examples.clear();
  CHECK(SamplingPromptHead(tool) == "Add calls.\nInput: ");
  CHECK(InContextExamples(tool).empty());
}

TEST_CASE("InContextExamples: one example a line") {
  Tool tool;
  tool.examples = {{"a\nb", "a\n[T(x) -> 1] b"}, {"c", "[T(y) -> 2] c"}};
  CHECK(InContextExamples(tool) == "a [T(x) -> 1] b\n[T(y) -> 2] c\n");
}

TEST_CASE("RemoveCalls: a call goes with one blank") {
  CHECK(RemoveCalls("a [T(1) -> 2] b", "T") == "a b");
  CHECK(RemoveCalls("a [T(1)] [T(2)] b", "T") == "a b");
  CHECK(RemoveCalls("[T(1)] b", "T") == "b");
  CHECK(RemoveCalls("a [T(1)]", "T") == "a");
  CHECK(RemoveCalls("($[T(1)] 5)", "T") == "($5)");
  CHECK(RemoveCalls("a [U(1)] b", "T") == "a [U(1)] b");
  CHECK(RemoveCalls("", "T").empty());
}

}  // namespace
}  // namespace toolformer::prompt_test
