// Completes two sentences with the calculator and a tool of the host's own.
//
//     build/release/bin/quickstart MODEL.gguf
#include <toolformer/toolformer.h>

#include <iostream>
#include <string>
#include <utility>

using namespace toolformer;  // NOLINT(google-build-using-namespace): an example of use

namespace {

// A tool is a struct: what teaches a model to call it, and a function that answers.
Tool MakeCelsius() {
  Tool tool;
  tool.name = "Celsius";
  tool.instruction = "You can convert degrees Fahrenheit by writing \"[Celsius(degrees)]\".";
  tool.examples = {
      {"Water boils at 212 F, that is 100 C.", "Water boils at 212 F, that is [Celsius(212) -> 100] 100 C."},
      {"A fever of 104 F, that is 40 C, is dangerous.",
       "A fever of 104 F, that is [Celsius(104) -> 40] 40 C, is dangerous."},
      {"The attic was at 86 F, that is 30 C.", "The attic was at 86 F, that is [Celsius(86) -> 30] 30 C."},
  };
  tool.input_characters = "0123456789.-";
  tool.free_of_side_effects = true;
  tool.call = [](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
    const absl::StatusOr<std::string> value = Calculate("(" + std::string(input) + " - 32) * 5 / 9");
    return value.ok() ? value : absl::InvalidArgumentError("not a temperature");
  };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: quickstart MODEL\n";
    return 2;
  }
  const absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(argv[1], {});
  if (!model.ok()) {
    std::cerr << model.status().message() << "\n";
    return 1;
  }
  ToolRegistry tools;
  for (Tool tool : {MakeCelsius(), MakeCalculator()}) {
    if (const absl::Status status = tools.Register(std::move(tool)); !status.ok()) {
      std::cerr << status.message() << "\n";
      return 1;
    }
  }
  ToolExecutor executor(tools);
  const AugmentingDecoder decoder(**model, tools, executor);
  for (const char* prompt : {"A ticket costs 17 dollars, so 23 tickets cost", "The oven was at 350 F, that is"}) {
    DecodeOptions options;
    options.tool_use = ToolUse::kInContext;
    const absl::StatusOr<Decoded> decoded = decoder.Decode(prompt, options);
    if (!decoded.ok()) {
      std::cerr << decoded.status().message() << "\n";
      return 1;
    }
    std::cout << prompt << decoded->text << "\n";
  }
  return 0;
}
