// Questions asked, judged, counted, written and read.
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/paths.h"
#include "tests/toy_model.h"
#include "toolformer/question_suite.h"

namespace toolformer::questions_test {
namespace {

TEST_CASE("predictions are scored by what the model says around its calls") {
  const std::vector<std::string> merged = {" [", " ->"};
  const std::vector<std::string> scripts = {"A? The answer is [Twice(4) -> 8] 8.", "B? The answer is 7.",
                                            "C? The answer is unknown."};
  const testing::ToyModel model(merged, [&](const std::vector<int32_t>& sequence) {
    static const testing::ToyTokenizer tokenizer(merged);
    const std::string text = tokenizer.Decode(sequence);
    for (const std::string& script : scripts) {
      if (!script.starts_with(text) || text.size() == script.size()) continue;
      return testing::Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(script).substr(text.size()))[0],
                           -1);
    }
    return testing::Peak(tokenizer.vocab_size(), testing::ToyTokenizer::kEnd, -1);
  });
  ToolRegistry registry;
  Tool tool;
  tool.name = "Twice";
  tool.instruction = "Calls help.";
  tool.returns_at_once = true;
  tool.call = [](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> { return "8"; };
  REQUIRE(registry.Register(tool).ok());
  ToolExecutor executor(registry);
  const AugmentingDecoder decoder(model, registry, executor);
  DecodeOptions options;
  options.opening_top_k = 1;
  const std::string too_long(static_cast<size_t>(model.context_length()), 'x');
  const std::vector<Question> problems = {{"a", "A?", 8.0}, {"b", "B?", 8.0}, {"c", "C?", 1.0}, {"d", too_long, 1.0}};
  const auto predictions = AnswerQuestions(MathSuite(), decoder, problems, options);
  REQUIRE_MESSAGE(predictions.ok(), std::string(predictions.status().message()));
  REQUIRE(predictions->size() == 4);
  const std::vector<Prediction>& made = *predictions;
  CHECK(made[0].correct);
  CHECK(made[0].result_correct);
  CHECK(made[0].predicted == Answer(8.0));
  CHECK(made[0].called());
  CHECK(!made[0].call_failed());
  CHECK(made[1].predicted == Answer(7.0));
  CHECK(!made[1].correct);
  CHECK(!made[2].predicted.has_value());
  CHECK(!made[3].error.empty());
  // The opening is the most likely token before the first call, and one of many that have nothing elsewhere.
  const double rest = static_cast<double>(model.vocab_size()) - 1.0;
  CHECK(made[0].opening_probability == doctest::Approx(std::exp(20) / (std::exp(20) + rest)));
  CHECK(made[1].opening_probability == doctest::Approx(2.0 / (std::exp(20) + rest)).epsilon(1e-6));
  const PredictionCounts counts = CountPredictions(made);
  CHECK(counts.correct == 1);
  CHECK(counts.with_call == 1);
  CHECK(counts.call_failed == 0);
  CHECK(counts.accuracy() == 0.25);
  CHECK(counts.call_share() == 0.25);
}

Prediction Made(double opening_probability, const bool correct, const std::optional<std::string>& result) {
  Prediction prediction;
  prediction.opening_probability = opening_probability;
  prediction.correct = correct;
  if (opening_probability > 0.05) {
    prediction.calls.push_back({{"Tool", "x"}, result, result ? "" : "broken", 1, opening_probability});
    prediction.result_correct = result.has_value();
  }
  return prediction;
}

TEST_CASE("a tool is asked by itself") {
  Tool tool;
  tool.name = "QA";
  tool.call = [](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
    if (input == "who?" || input == R"("\"Who\" was \\it?")") return "The Painter.";
    return absl::NotFoundError("nothing is known");
  };
  const std::vector<std::string> painter = {"Painter"};
  const std::vector<Question> questions = {{"a", "who?", painter}, {"b", "where?", painter}};
  const std::vector<Question> quoted = {{"c", R"("Who" was \it?)", painter}};
  CHECK((*AskTool(QaSuite(), tool, quoted, {}))[0].correct);
  const auto predictions = AskTool(QaSuite(), tool, questions, {});
  REQUIRE(predictions.ok());
  REQUIRE(predictions->size() == 2);
  const Prediction& right = (*predictions)[0];
  CHECK(right.correct);
  CHECK(right.exact);
  CHECK(right.result_correct);
  CHECK(right.text == "The Painter.");
  const Prediction& none = (*predictions)[1];
  CHECK(!none.correct);
  CHECK(none.call_failed());
  CHECK(none.calls[0].error == "nothing is known");
  const auto back = ParsePrediction(FormatPrediction(questions[0], right));
  REQUIRE(back.ok());
  CHECK(back->exact);
  CHECK(CountPredictions(*predictions).exact == 1);
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(AskTool(QaSuite(), tool, questions, {.cancel = &cancel}).status()));
}

TEST_CASE("bins of the probability of calling hold every prediction once") {
  const std::vector<Prediction> predictions = {Made(0.0, true, "1"),  Made(0.02, false, "1"), Made(0.3, true, "1"),
                                               Made(0.49, false, {}), Made(0.9, true, "1"),   Made(1.0, false, "1")};
  const PredictionCounts counts = CountPredictions(predictions);
  REQUIRE(counts.calibration.size() == kCalibrationBins.size());
  int64_t sum = 0;
  for (const CalibrationBin& bin : counts.calibration) sum += bin.predictions;
  CHECK(sum == 6);
  CHECK(counts.calibration[0].predictions == 1);  // 0
  CHECK(counts.calibration[0].with_call == 0);
  CHECK(counts.calibration[3].predictions == 1);  // 0.02
  CHECK(counts.calibration[6].predictions == 2);  // 0.3 itself, and 0.49
  CHECK(counts.calibration[6].with_call == 2);
  CHECK(counts.calibration[6].with_call_correct == 1);
  CHECK(counts.calibration[6].results_correct == 1);
  CHECK(counts.calibration[9].predictions == 2);  // 0.9 itself, and 1
  CHECK(counts.call_failed == 1);
  CHECK(counts.with_call == 4);
}

TEST_CASE("a prediction is the same after writing and reading") {
  Prediction prediction = Made(0.1 + 0.2, true, {});
  prediction.text = "a \"b\" [Tool(x) ->] \n c";
  prediction.calls.push_back({{"Tool", "y"}, "", "", 7, 1.0 / 3.0});
  for (const std::optional<Answer>& answer :
       {std::optional<Answer>(), std::optional<Answer>(0.1), std::optional<Answer>("two words")}) {
    prediction.predicted = answer;
    const std::string line = FormatPrediction({"id", "text", 3.0}, prediction);
    CHECK(line.find('\n') == std::string::npos);
    const absl::StatusOr<Prediction> read = ParsePrediction(line);
    REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
    CHECK(read->text == prediction.text);
    CHECK(read->predicted == prediction.predicted);
    CHECK(read->correct);
    CHECK(!read->result_correct);
    CHECK(read->opening_probability == 0.1 + 0.2);
    REQUIRE(read->calls.size() == 2);
    CHECK(read->calls[0].error == "broken");
    CHECK(!read->calls[0].result.has_value());
    CHECK(read->calls[1].result == "");
    CHECK(read->calls[1].byte_offset == 7);
    CHECK(read->calls[1].opening_probability == 1.0 / 3.0);
    CHECK(FormatPrediction({"id", "text", 3.0}, *read) == line);
  }
  for (const std::string line : {"", "{}", "[]", R"({"text": 1})", R"({"text": "x", "correct": true})"}) {
    CHECK(!ParsePrediction(line).ok());
  }
}

// "bread\n" twice, as two members: what `printf 'bread\n' | gzip -n` writes.
std::string Gzipped() {
  const char member[] =
      "\x1f"
      "\x8b"
      "\x08"
      "\x00"
      "\x00"
      "\x00"
      "\x00"
      "\x00"
      "\x00"
      "\x03"
      "\x4b"
      "\x2a"
      "\x4a"
      "\x4d"
      "\x4c"
      "\xe1"
      "\x02"
      "\x00"
      "\xc6"
      "\x5d"
      "\x45"
      "\xd3"
      "\x06"
      "\x00"
      "\x00"
      "\x00";
  return std::string(member, sizeof member - 1) + std::string(member, sizeof member - 1);
}

TEST_CASE("data files are read gzipped or not") {
  const testing::TemporaryFolder folder;
  const auto write = [&](const std::string& content) {
    std::ofstream(folder.file("f"), std::ios::binary) << content;
    return ReadDataFile(folder.file("f"));
  };
  CHECK(*write("bread\n") == "bread\n");
  CHECK(*write("") == "");
  const std::string packed = Gzipped();
  CHECK(*write(packed) == "bread\nbread\n");
  for (const std::string& damaged : {packed.substr(0, 12), packed.substr(0, packed.size() - 3), packed + "x",
                                     std::string("\x1f\x8b"), packed.substr(0, 14) + "!!" + packed.substr(16)}) {
    const absl::Status status = write(damaged).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK(std::string(status.message()).find("damaged gzip data") != std::string::npos);
  }
  CHECK(absl::IsNotFound(ReadDataFile(folder.file("absent")).status()));
  CHECK(absl::IsInvalidArgument(ReadDataFile(folder.path()).status()));
}

}  // namespace
}  // namespace toolformer::questions_test
