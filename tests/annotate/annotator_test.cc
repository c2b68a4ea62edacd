// Documents through all five boxes.
#include "toolformer/annotator.h"

#include <cmath>

#include "src/base/json.h"
#include "tests/check.h"
#include "tests/paths.h"
#include "tests/toy_model.h"

namespace toolformer::annotator_test {
namespace {

using testing::ToyModel;
using testing::ToyTokenizer;

const std::vector<std::string> kMerged = {" [", " ->"};

// 'Q' is improbable unless the prefix names it: the results of tools that answer "Q" help where a Q follows, "QQ" helps
// more.
std::vector<float> QLogits(const std::vector<int32_t>& sequence) {
  static const ToyTokenizer tokenizer(kMerged);
  const std::string text = tokenizer.Decode(sequence);
  std::vector<float> logits(tokenizer.vocab_size(), 0.0f);
  if (text.find("-> Q") != std::string::npos) logits[ToyTokenizer::kFirstByte + 'Q'] = 4.0f;
  if (text.find("-> QQ") != std::string::npos) logits[ToyTokenizer::kFirstByte + 'Q'] = 8.0f;
  logits[tokenizer.Encode(" [")[0]] = text.ends_with("a") || text.ends_with("Output:") ? 3.0f : -5.0f;
  return logits;
}

Tool Answering(const std::string& name, const std::string& answer) {
  Tool tool;
  tool.name = name;
  tool.instruction = "Add calls.";
  tool.takes_input = false;
  tool.returns_at_once = true;
  tool.free_of_side_effects = true;
  tool.parameters = {0.01, 5, 2, 0.5};
  tool.call = [answer](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    if (answer.empty()) return absl::InvalidArgumentError("no answer");
    return answer;
  };
  return tool;
}

AnnotatedDocument Annotate(const LanguageModel& model, const ToolRegistry& registry, const Document& document,
                           AnnotatorOptions options = {}) {
  const auto annotator = Annotator::Create(model, registry, std::move(options));
  REQUIRE_MESSAGE(annotator.ok(), std::string(annotator.status().message()));
  const auto annotated = (*annotator)->Annotate(document, {});
  REQUIRE_MESSAGE(annotated.ok(), std::string(annotated.status().message()));
  return *annotated;
}

Document Text(const std::string& text) {
  Document document;
  document.text = text;
  return document;
}

TEST_CASE("calls that help are kept in place, others are not, and each says why") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  REQUIRE(registry.Register(Answering("Two", "QQ")).ok());
  REQUIRE(registry.Register(Answering("Three", "Z")).ok());
  REQUIRE(registry.Register(Answering("Four", "")).ok());
  const AnnotatedDocument annotated = Annotate(model, registry, Text("xxxxxxaQQQQQ xxaxxxxx"));
  REQUIRE(annotated.tools.size() == 4);
  const auto verdict = [&](size_t tool, size_t call) { return annotated.tools[tool].calls.at(call).verdict; };
  // Positions: the text's start and both places after an 'a'.
  for (const ToolOutcome& outcome : annotated.tools) {
    REQUIRE(outcome.positions.size() == 3);
    CHECK(outcome.positions[1].index == 7);
    CHECK(outcome.positions[2].index == 16);
  }
  CHECK(verdict(0, 0) == Verdict::kBelowThreshold);
  CHECK(verdict(0, 1) == Verdict::kSmallerGain);
  CHECK(verdict(1, 1) == Verdict::kKept);
  CHECK(verdict(1, 2) == Verdict::kBelowThreshold);
  CHECK(verdict(2, 1) == Verdict::kBelowThreshold);
  CHECK(verdict(3, 1) == Verdict::kToolError);
  CHECK(annotated.tools[3].calls[1].error == "no answer");
  CHECK(annotated.kept() == 1);
  CHECK(annotated.augmented_text == "xxxxxxa [Two() -> QQ]QQQQQ xxaxxxxx");
  CHECK(model.tokenizer().Decode(annotated.augmented_ids) == annotated.augmented_text);
  CHECK(annotated.tools[1].calls[1].losses->gain() > 0.5);
}

TEST_CASE("a call at the start of the text opens without a blank; calls at different positions are all kept") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  const AnnotatedDocument annotated = Annotate(model, registry, Text("QQQQaQQQQQ"));
  CHECK(annotated.augmented_text == "[One() -> Q]QQQQa [One() -> Q]QQQQQ");
  CHECK(annotated.kept() == 2);
}

// A toy model that says it is rounded.
class ApproximateModel : public ToyModel {
 public:
  using ToyModel::ToyModel;
  bool approximate() const override { return true; }
};

TEST_CASE("a proposer samples the calls, the model judges them") {
  const ToyModel model(kMerged, QLogits);
  // Opens everywhere alike, so other positions come first.
  const ApproximateModel proposer(kMerged, [](const std::vector<int32_t>& ids) {
    std::vector<float> logits(QLogits(ids).size(), 0.0f);
    logits[ToyTokenizer(kMerged).Encode(" [")[0]] = 3.0f;
    return logits;
  });
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  const Document text = Text("xxxxxxaQQQQQ xxaxxxxx");
  const AnnotatedDocument alone = Annotate(model, registry, text);
  AnnotatorOptions options;
  options.proposer = &proposer;
  const auto annotator = Annotator::Create(model, registry, options);
  REQUIRE(annotator.ok());
  const auto annotated = (*annotator)->Annotate(text, {});
  REQUIRE(annotated.ok());
  CHECK(annotated->tools[0].positions.size() != alone.tools[0].positions.size());
  const auto losses_at = [](const AnnotatedDocument& document, int64_t position) {
    for (const JudgedCall& call : document.tools[0].calls) {
      if (call.position == position) return call.losses;
    }
    return std::optional<CallLosses>();
  };
  REQUIRE(losses_at(alone, 0).has_value());
  REQUIRE(losses_at(*annotated, 0).has_value());
  CHECK(losses_at(*annotated, 0)->result == losses_at(alone, 0)->result);

  CHECK(absl::IsInvalidArgument(Annotator::Create(proposer, registry, {}).status()));
  const ToyModel other({"zz"}, QLogits);
  options.proposer = &other;
  CHECK(absl::IsInvalidArgument(Annotator::Create(model, registry, options).status()));
}

TEST_CASE("texts that cannot be annotated are skipped and say why") {
  ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  CHECK(Annotate(model, registry, Text("")).skip == Skip::kEmpty);
  CHECK(Annotate(model, registry, Text("see [One() -> 1] there")).skip == Skip::kContainsCalls);
  CHECK(Annotate(model, registry, Text("see [Other() -> 1] there")).skip == Skip::kNone);
  model.context = 200;
  const AnnotatedDocument annotated = Annotate(model, registry, Text(std::string(250, 'x')));
  CHECK(annotated.skip == Skip::kTooLong);
  CHECK(annotated.augmented_text == annotated.document.text);
  // The text alone fits, but not beside the prompt.
  CHECK(Annotate(model, registry, Text(std::string(190, 'x'))).skip == Skip::kTooLong);
}

TEST_CASE("the document heuristic decides before the model is asked") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  Tool tool = Answering("One", "Q");
  tool.accepts = [](const Document& document, uint64_t) { return document.text.size() > 5; };
  REQUIRE(registry.Register(tool).ok());
  const AnnotatedDocument annotated = Annotate(model, registry, Text("aQQQ"));
  CHECK_FALSE(annotated.tools.at(0).document_accepted);
  CHECK(model.forwards == 0);
  CHECK(Annotate(model, registry, Text("aQQQQQQ")).tools.at(0).document_accepted);
}

TEST_CASE("parameters can be replaced per tool; wrong ones are refused") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  AnnotatorOptions options;
  options.parameters["One"] = {0.01, 5, 2, 100.0};
  CHECK(Annotate(model, registry, Text("xaQQQQQ"), options).kept() == 0);
  const auto refused = [&](const std::string& name, const AnnotationParameters& parameters) {
    AnnotatorOptions bad;
    bad.parameters[name] = parameters;
    return Annotator::Create(model, registry, bad).status();
  };
  CHECK(absl::IsInvalidArgument(refused("Nope", {})));
  CHECK(absl::IsInvalidArgument(refused("One", {0.0, 5, 5, NAN})));
  CHECK(absl::IsInvalidArgument(refused("One", {-0.1, 5, 5, 1.0})));
  CHECK(absl::IsInvalidArgument(refused("One", {0.0, 0, 5, 1.0})));
  CHECK(absl::IsInvalidArgument(refused("One", {0.0, 5, 0, 1.0})));
  CHECK(absl::IsInvalidArgument(Annotator::Create(model, ToolRegistry(), {}).status()));
}

TEST_CASE("tools that may change something are refused, by name and with the remedy") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  Tool sends = Answering("Send", "Q");
  sends.free_of_side_effects = false;
  REQUIRE(registry.Register(sends).ok());
  const absl::Status status = Annotator::Create(model, registry, {}).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK(status.message().find("'Send'") != std::string::npos);
  CHECK(status.message().find("free_of_side_effects") != std::string::npos);
}

TEST_CASE("a tool's own check drops calls before they run, and they are counted") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  Tool tool = Answering("One", "QQ");
  int runs = 0;
  tool.call = [&runs](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    ++runs;
    return "QQ";
  };
  tool.cacheable = false;
  std::vector<size_t> asked;
  tool.keeps = [&asked](const Document& document, size_t byte_offset, const Call& call) {
    CHECK(document.text == "xxxxxxaQQQQQ xxaxxxxx");
    CHECK(call.tool == "One");
    asked.push_back(byte_offset);
    return byte_offset != 7;
  };
  REQUIRE(registry.Register(tool).ok());
  const AnnotatedDocument annotated = Annotate(model, registry, Text("xxxxxxaQQQQQ xxaxxxxx"));
  const ToolOutcome& outcome = annotated.tools[0];
  CHECK(asked == std::vector<size_t>{0, 7, 16});
  CHECK(outcome.sampling.candidates == 3);
  CHECK(outcome.sampling.dropped == 1);
  REQUIRE(outcome.calls.size() == 2);
  CHECK(outcome.calls[0].position == 0);
  CHECK(outcome.calls[1].position == 16);
  CHECK(runs == 2);
  CHECK(annotated.kept() == 0);
  // Counted in what is written, too.
  const auto again = ParseAnnotation(FormatAnnotation(annotated));
  REQUIRE_MESSAGE(again.ok(), std::string(again.status().message()));
  CHECK(again->tools[0].sampling.dropped == 1);
}

TEST_CASE("an annotation survives being written and read") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q \"quoted\"\\")).ok());
  REQUIRE(registry.Register(Answering("Four", "")).ok());
  Document document = Text(
      "x\xc3\xa9"
      "aQQQQQ\t\x01");
  document.id = "7";
  document.url = "https://example.org/2023/01/30/x";
  document.date = Date{2023, 1, 30};
  const AnnotatedDocument annotated = Annotate(model, registry, document);
  REQUIRE(annotated.kept() >= 1);
  const std::string line = FormatAnnotation(annotated);
  CHECK(line.find('\n') == std::string::npos);
  const auto read = ParseAnnotation(line);
  REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
  CHECK(FormatAnnotation(*read) == line);
  CHECK(read->augmented_ids == annotated.augmented_ids);
  CHECK(read->tools[0].calls[0].losses->gain() == annotated.tools[0].calls[0].losses->gain());
  CHECK(read->document.date == document.date);
}

TEST_CASE("a gain that is only bounded is written and read as such") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("Three", "Z")).ok());
  const AnnotatedDocument annotated = Annotate(model, registry, Text("xaQQQQQ"));
  REQUIRE(annotated.tools[0].calls.size() == 2);
  REQUIRE(annotated.tools[0].calls[0].losses->gain_is_bound());
  const std::string line = FormatAnnotation(annotated);
  CHECK(line.find("\"loss_call\"") == std::string::npos);
  CHECK(line.find("\"gain\"") == std::string::npos);
  CHECK(line.find("\"gain_at_most\"") != std::string::npos);
  const auto read = ParseAnnotation(line);
  REQUIRE(read.ok());
  CHECK(read->tools[0].calls[0].losses->gain_is_bound());
  CHECK(FormatAnnotation(*read) == line);
  AnnotatorOptions options;
  options.exact_gains = true;
  const std::string exact = FormatAnnotation(Annotate(model, registry, Text("xaQQQQQ"), options));
  CHECK(exact.find("\"gain_at_most\"") == std::string::npos);
  CHECK(exact.find("\"gain\"") != std::string::npos);
}

TEST_CASE("a damaged annotation is refused with the field's name") {
  const ToyModel model(kMerged, QLogits);
  ToolRegistry registry;
  REQUIRE(registry.Register(Answering("One", "Q")).ok());
  const std::string line = FormatAnnotation(Annotate(model, registry, Text("xaQQQQQ")));
  nlohmann::json json = nlohmann::json::parse(line);
  const auto refused = [&](const nlohmann::json& damaged, const std::string& name) {
    const absl::Status status = ParseAnnotation(damaged.dump()).status();
    CAPTURE(std::string(status.message()));
    return absl::IsInvalidArgument(status) && std::string(status.message()).find(name) != std::string::npos;
  };
  nlohmann::json damaged = json;
  damaged.erase("skip");
  CHECK(refused(damaged, "skip"));
  damaged = json;
  damaged["tools"][0]["calls"][0]["verdict"] = "fine";
  CHECK(refused(damaged, "fine"));
  damaged = json;
  damaged["tools"][0]["calls"][0]["loss_call"] = "x";
  CHECK(refused(damaged, "loss_call"));
  damaged = json;
  damaged["tools"] = 3;
  CHECK(refused(damaged, "tools"));
  damaged = json;
  damaged["token_ids"] = {1, "x"};
  CHECK(refused(damaged, "token_ids"));
  damaged = json;
  damaged["tools"][0] = 5;
  CHECK(refused(damaged, "tool"));
  CHECK_FALSE(ParseAnnotation(line.substr(0, line.size() / 2)).ok());
}

}  // namespace
}  // namespace toolformer::annotator_test
