#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/toy_model.h"
#include "toolformer/math_suite.h"

namespace toolformer {
namespace {

namespace fs = std::filesystem;

class File {
 public:
  explicit File(const std::string& content)
      : path_(fs::temp_directory_path() / ("math_test." + std::to_string(getpid()))) {
    std::ofstream(path_) << content;
  }
  ~File() { fs::remove(path_); }
  std::string path() const { return path_; }

 private:
  const fs::path path_;
};

MathProblems Read(const std::string& content) {
  const File file(content);
  const absl::StatusOr<MathProblems> read = ReadMathProblems(file.path());
  REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
  return *read;
}

std::string Refusal(const std::string& content) {
  const File file(content);
  const absl::Status status = ReadMathProblems(file.path()).status();
  CHECK(absl::IsInvalidArgument(status));
  return std::string(status.message());
}

TEST_CASE("the first number, or the first behind an equals sign") {
  const auto number = [](std::string_view text) { return PredictedNumber(text).value_or(std::nan("")); };
  CHECK(number(" 42 apples, or 43") == 42);
  CHECK(number(" 3 * 4 = 12 apples") == 12);
  CHECK(number(" 3 * 4 = 12 = 13") == 12);
  CHECK(number(" 1,234.50 dollars") == 1234.5);
  CHECK(number(" -7 degrees") == -7);
  CHECK(number(" 5-7 days") == 5);
  CHECK(number("$.75") == 0.75);
  CHECK(number(" x = unknown, perhaps 9") == 9);
  CHECK(number(" 12.") == 12);
  CHECK(!PredictedNumber("").has_value());
  CHECK(!PredictedNumber(" none = none.").has_value());
}

TEST_CASE("SVAMP") {
  const MathProblems read = Read(R"x([{"ID": "chal-1", "Body": "Packs cost 76 dollars. There is a discount of 25",
      "Question": "How much is a pack?", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0, "Type": "Subtraction"}])x");
  REQUIRE(read.problems.size() == 1);
  CHECK(read.problems[0].id == "chal-1");
  CHECK(read.problems[0].answer == 51);
  CHECK(MathPrompt(read.problems[0]) ==
        "Packs cost 76 dollars. There is a discount of 25 How much is a pack? The answer is");
}

TEST_CASE("MAWPS, with answers as numbers or as text") {
  const MathProblems read = Read(R"([{"problem": "She has 2 . How many ? ", "gold_answer": "2"},
                                     {"problem": "And 3?", "gold_answer": 3.5}, {"problem": "Who?", "gold_answer": "Ann"}])");
  REQUIRE(read.problems.size() == 2);
  CHECK(read.problems[0].text == "She has 2 . How many ?");
  CHECK(read.problems[1].answer == 3.5);
  CHECK(read.not_numbers == 1);
}

TEST_CASE("ASDiv, whose answers carry units") {
  const MathProblems read = Read(R"(<?xml version="1.0" encoding="UTF-8" ?>
<Machine-Reading-Corpus-File><ProblemSet>
 <Problem ID="a" Grade="1"><Body>Seven &amp; two apples.</Body><Question>How many?</Question><Answer>9 (apples)</Answer></Problem>
 <Problem ID="b"><Body>x</Body><Question>When?</Question><Answer>3:30 p.m.</Answer></Problem>
 <Problem ID="c"><Body>x</Body><Question>How much?</Question><Answer>1,200</Answer></Problem>
</ProblemSet></Machine-Reading-Corpus-File>)");
  REQUIRE(read.problems.size() == 2);
  CHECK(read.problems[0].text == "Seven & two apples. How many?");
  CHECK(read.problems[1].answer == 1200);
  CHECK(read.not_numbers == 1);
}

TEST_CASE("other formats are named with what is read") {
  CHECK(Refusal("{}").find("ASDiv (XML), SVAMP and MAWPS") != std::string::npos);
  CHECK(Refusal("[]").find("holds no problems") != std::string::npos);
  CHECK(Refusal("[1]").find("entry 0 lacks") != std::string::npos);
  CHECK(Refusal(R"([{"Body": "x", "Answer": 1}])").find("'Question'") != std::string::npos);
  CHECK(Refusal(R"([{"problem": "x"}])").find("'gold_answer'") != std::string::npos);
  CHECK(Refusal("[{").find("math_test") != std::string::npos);
  CHECK(Refusal("<a><b></a>").find("byte") != std::string::npos);
  CHECK(Refusal("<a/>").find("holds no problems") != std::string::npos);
  CHECK(absl::IsNotFound(ReadMathProblems("/nowhere/at/all.json").status()));
}

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
  const std::vector<MathProblem> problems = {{"a", "A?", 8}, {"b", "B?", 8}, {"c", "C?", 1}, {"d", too_long, 1}};
  int reports = 0;
  const absl::StatusOr<MathScore> score = ScoreMath(decoder, problems, options, [&](const MathScore&) { ++reports; });
  REQUIRE_MESSAGE(score.ok(), std::string(score.status().message()));
  CHECK(score->correct == 1);
  CHECK(score->with_call == 1);
  CHECK(score->accuracy() == 0.25);
  CHECK(score->predictions[0].predicted == 8.0);
  CHECK(score->predictions[1].predicted == 7.0);
  CHECK(!score->predictions[2].predicted.has_value());
  CHECK(!score->predictions[3].error.empty());
  CHECK(reports == 1);
}

}  // namespace
}  // namespace toolformer
