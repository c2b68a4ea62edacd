// The program of examples/c/convert.c in C++, against the C++ interface.
//
//     build/release/bin/convert_cpp MODEL.gguf
#include <fmt/format.h>
#include <toolformer/toolformer.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <utility>

using namespace toolformer;  // NOLINT(google-build-using-namespace): an example of use

namespace {

struct Unit {
  double factor;  // in metres, or in grams
  char kind;
};
const std::map<std::string, Unit> kUnits = {
    {"km", {1000.0, 'm'}},        {"kilometers", {1000.0, 'm'}}, {"m", {1.0, 'm'}},     {"meters", {1.0, 'm'}},
    {"miles", {1609.344, 'm'}},   {"feet", {0.3048, 'm'}},       {"kg", {1000.0, 'g'}}, {"kilograms", {1000.0, 'g'}},
    {"pounds", {453.59237, 'g'}}, {"lbs", {453.59237, 'g'}},
};

bool IsNumber(const std::string& text) {
  return text.find_first_not_of("0123456789.") == std::string::npos && text.find('.') == text.rfind('.') && text != ".";
}

// "26.2 miles to km" -> "42.16". The input is whatever the model wrote.
absl::StatusOr<std::string> Convert(std::string_view input) {
  std::istringstream words{std::string(input)};
  std::string number, from, to, target, rest;
  words >> number >> from >> to >> target;
  if (input.size() >= 64 || !words || (words >> rest) || to != "to" || !IsNumber(number)) {
    return absl::InvalidArgumentError("write it like this: 5 km to miles");
  }
  const auto source_unit = kUnits.find(from);
  const auto target_unit = kUnits.find(target);
  if (source_unit == kUnits.end() || target_unit == kUnits.end() ||
      source_unit->second.kind != target_unit->second.kind) {
    return absl::InvalidArgumentError("not units of one kind");
  }
  return fmt::format("{:.2f}",
                     std::strtod(number.c_str(), nullptr) * source_unit->second.factor / target_unit->second.factor);
}

Tool MakeConvert() {
  Tool tool;
  tool.name = "Convert";
  tool.instruction =
      "You can convert lengths and weights by writing \"[Convert(number unit to unit)]\". The units are km, m, miles, "
      "feet, kg and pounds.";
  tool.examples = {
      {"The race is 5 miles long, that is 8.05 km.",
       "The race is 5 miles long, that is [Convert(5 miles to km) -> 8.05] 8.05 km."},
      {"The bag weighs 20 kg, or 44.09 pounds.",
       "The bag weighs 20 kg, or [Convert(20 kg to pounds) -> 44.09] 44.09 pounds."},
      {"At 300 m, that is 984.25 feet, the tower is tall.",
       "At 300 m, that is [Convert(300 m to feet) -> 984.25] 984.25 feet, the tower is tall."},
  };
  tool.input_characters = "0123456789. abcdefghijklmnopqrstuvwxyz";
  tool.parameters = {.tau_s = 0.0, .k = 3, .m = 2, .tau_f = 0.25};
  tool.returns_at_once = true;
  tool.free_of_side_effects = true;
  tool.call = [](std::string_view input, const ToolContext&) { return Convert(input); };
  return tool;
}

absl::Status AnnotateTexts(const LanguageModel& model, const ToolRegistry& registry) {
  AnnotatorOptions options;
  options.sampler.seed = 1;
  options.sampler.max_call_tokens = 24;
  options.exact_gains = true;
  const absl::StatusOr<std::unique_ptr<Annotator>> annotator = Annotator::Create(model, registry, options);
  if (!annotator.ok()) return annotator.status();
  for (const char* text : {"A marathon is 26.2 miles long, that is 42.16 km.",
                           "The suitcase weighs 23 kg, or 50.71 pounds, and is too heavy.",
                           "The weather was fine and nobody wanted to go home."}) {
    Document document;
    document.text = text;
    const absl::StatusOr<AnnotatedDocument> annotated = (*annotator)->Annotate(document, {});
    if (!annotated.ok()) return annotated.status();
    std::cout << "text: " << annotated->augmented_text << "\n";
    for (const JudgedCall& call : annotated->tools[0].calls) {
      std::cout << fmt::format("  {} at {}: ", PrintCallBody(call.call), call.byte_offset);
      if (call.verdict == Verdict::kToolError) {
        std::cout << "error: " << call.error << "\n";
      } else {
        std::cout << fmt::format("{}, gain {:.3f}{}\n", *call.result, call.losses->gain(),
                                 call.verdict == Verdict::kKept ? ", kept" : "");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CompletePrompt(const LanguageModel& model, const ToolRegistry& registry) {
  ToolExecutor executor(registry);
  DecodeOptions options;
  options.tool_use = ToolUse::kInContext;
  options.max_new_tokens = 48;
  const std::string prompt = "The lake is 12 miles long, that is";
  const absl::StatusOr<Decoded> decoded = AugmentingDecoder(model, registry, executor).Decode(prompt, options);
  if (!decoded.ok()) return decoded.status();
  std::cout << "prompt: " << prompt << "\noutput:" << decoded->text << "\nwithout calls:" << decoded->plain_text
            << "\n";
  for (const DecodedCall& call : decoded->calls) {
    std::cout << fmt::format("  {}: {}\n", PrintCallBody(call.call),
                             call.result ? *call.result : "error: " + call.error);
  }
  return absl::OkStatus();
}

absl::Status Run(const std::string& path) {
  const absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(path, {});
  if (!model.ok()) return model.status();
  ToolRegistry registry;
  absl::Status status = registry.Register(MakeConvert());
  std::cout << "toolformer " << TOOLFORMER_VERSION << "\n";
  if (status.ok()) status = AnnotateTexts(**model, registry);
  return status.ok() ? CompletePrompt(**model, registry) : status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: convert_cpp MODEL\n";
    return 2;
  }
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
