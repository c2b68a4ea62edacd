#include <cmath>
#include <string>
#include <vector>

#include "tests/check.h"
#include "toolformer/question_suite.h"

namespace toolformer::math_test {
namespace {

constexpr const char* kPath = "math_test.json";

QuestionSet Read(const std::string& content) {
  const absl::StatusOr<QuestionSet> read = MathSuite().read(kPath, content);
  REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
  return *read;
}

double Number(const Question& question) { return std::get<double>(question.answer); }

std::string Refusal(const std::string& content) {
  const absl::Status status = MathSuite().read(kPath, content).status();
  CHECK(absl::IsInvalidArgument(status));
  return std::string(status.message());
}

TEST_CASE("the first number, or the first behind an equals sign") {
  const auto predicted = [](std::string_view text) { return MathSuite().predicted(text); };
  const auto number = [&](std::string_view text) { return std::get<double>(predicted(text).value_or(std::nan(""))); };
  CHECK(number(" 42 apples, or 43") == 42);
  CHECK(number(" 3 * 4 = 12 apples") == 12);
  CHECK(number(" 3 * 4 = 12 = 13") == 12);
  CHECK(number(" 1,234.50 dollars") == 1234.5);
  CHECK(number(" -7 degrees") == -7);
  CHECK(number(" 5-7 days") == 5);
  CHECK(number("$.75") == 0.75);
  CHECK(number(" x = unknown, perhaps 9") == 9);
  CHECK(number(" 12.") == 12);
  CHECK(!predicted("").has_value());
  CHECK(!predicted(" none = none.").has_value());
}

TEST_CASE("SVAMP") {
  const QuestionSet read = Read(R"x([{"ID": "chal-1", "Body": "Packs cost 76 dollars. There is a discount of 25",
      "Question": "How much is a pack?", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0, "Type": "Subtraction"}])x");
  REQUIRE(read.questions.size() == 1);
  CHECK(read.questions[0].id == "chal-1");
  CHECK(Number(read.questions[0]) == 51);
  CHECK(MathSuite().prompt(read.questions[0]) ==
        "Packs cost 76 dollars. There is a discount of 25 How much is a pack? The answer is");
}

TEST_CASE("a set is named after its file") {
  const std::string content = R"([{"problem": "Who?", "gold_answer": "Ann"}])";
  CHECK(MathSuite().read("a/AddSub.json", content)->name == "AddSub");
  CHECK(MathSuite().read("a/AddSub.json.gz", content)->name == "AddSub");
  CHECK(MathSuite().read("a/AddSub.json.gz", content)->left_out == 1);
}

TEST_CASE("MAWPS, with answers as numbers or as text") {
  const QuestionSet read = Read(R"([{"problem": "She has 2 . How many ? ", "gold_answer": "2"},
                                     {"problem": "And 3?", "gold_answer": 3.5}, {"problem": "Who?", "gold_answer": "Ann"}])");
  REQUIRE(read.questions.size() == 2);
  CHECK(read.questions[0].text == "She has 2 . How many ?");
  CHECK(Number(read.questions[1]) == 3.5);
  CHECK(read.left_out == 1);
}

TEST_CASE("ASDiv, whose answers carry units") {
  const QuestionSet read = Read(R"(<?xml version="1.0" encoding="UTF-8" ?>
<Machine-Reading-Corpus-File><ProblemSet>
 <Problem ID="a" Grade="1"><Body>Seven &amp; two apples.</Body><Question>How many?</Question><Answer>9 (apples)</Answer></Problem>
 <Problem ID="b"><Body>x</Body><Question>When?</Question><Answer>3:30 p.m.</Answer></Problem>
 <Problem ID="c"><Body>x</Body><Question>How much?</Question><Answer>1,200</Answer></Problem>
</ProblemSet></Machine-Reading-Corpus-File>)");
  REQUIRE(read.questions.size() == 2);
  CHECK(read.questions[0].text == "Seven & two apples. How many?");
  CHECK(Number(read.questions[1]) == 1200);
  CHECK(read.left_out == 1);
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
}

TEST_CASE("a number is right within a ten-thousandth") {
  const auto right = [](double predicted, double answer) { return MathSuite().is_right(predicted, answer); };
  CHECK(right(0.3333, 1.0 / 3.0));
  CHECK(right(20000.5, 20000.0));
  CHECK(!right(0.33, 1.0 / 3.0));
  CHECK(!right(-7, 7));
}

}  // namespace
}  // namespace toolformer::math_test
