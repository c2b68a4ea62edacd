// LAMA: what is read, asked, and taken for an answer.
#include <fstream>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/question_suite.h"

namespace toolformer::lama_test {
namespace {

absl::StatusOr<QuestionSet> ReadFrom(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadDataFile(path);
  REQUIRE_MESSAGE(content.ok(), std::string(content.status().message()));
  return LamaSuite().read(path, *content);
}

QuestionSet Sample(const std::string& name) {
  const absl::StatusOr<QuestionSet> read = ReadFrom(testing::Fixture("lama/" + name));
  REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
  return *read;
}

std::string Refusal(const std::string& content) {
  const absl::Status status = LamaSuite().read("some.jsonl", content).status();
  CHECK(absl::IsInvalidArgument(status));
  const std::string message(status.message());
  CHECK(message.find("SQuAD, Google-RE and T-REx (JSON lines) are read") != std::string::npos);
  return message;
}

TEST_CASE("statements whose missing word is the last are asked, others are counted") {
  const QuestionSet squad = Sample("Squad/test.jsonl");
  CHECK(squad.name == "SQuAD");
  REQUIRE(squad.questions.size() == 2);
  CHECK(squad.left_out == 2);
  CHECK(squad.questions[0].id == "own-1");
  CHECK(squad.questions[0].text == "The bridge in the valley is made of");
  CHECK(squad.questions[1].text == "The colour of the old lighthouse is");
  CHECK(squad.questions[1].answer == Answer("white"));
  CHECK(LamaSuite().prompt(squad.questions[0]) ==
        "Please complete the following text so that it is factually correct: The bridge in the valley is made of");
}

TEST_CASE("Google-RE: what stands before the sentence belongs to the statement") {
  const QuestionSet google = Sample("Google_RE/place_of_birth_test.jsonl");
  CHECK(google.name == "Google-RE");
  REQUIRE(google.questions.size() == 1);
  CHECK(google.left_out == 1);
  CHECK(google.questions[0].text == "Ada Example was a painter . She was born in");
}

TEST_CASE("T-REx takes the relation's template") {
  const QuestionSet born = Sample("TREx/P19.jsonl");
  CHECK(born.name == "T-REx");
  REQUIRE(born.questions.size() == 2);
  CHECK(born.questions[0].text == "Carla Model was born in");
  CHECK(born.questions[1].answer == Answer("Porto"));
  CHECK(Sample("TREx/P1303.jsonl").questions[0].text == "Emil Entwurf plays the");
  // Nothing to ask, and no error: other files of the set may have something.
  const QuestionSet citizens = Sample("TREx/P27.jsonl");
  CHECK(citizens.questions.empty());
  CHECK(citizens.left_out == 1);
}

TEST_CASE("the answer must be among the first five words") {
  const auto right = [](std::string_view prediction, const std::string& answer) {
    const std::optional<Answer> predicted = LamaSuite().predicted(prediction);
    return predicted && LamaSuite().is_right(*predicted, answer);
  };
  CHECK(right(" Paris, the capital of France", "Paris"));
  CHECK(right(" the city of\n\n (PARIS).", "Paris"));
  CHECK(right(" one two three four Paris!", "Paris"));
  CHECK(!right(" one two three four five Paris", "Paris"));
  CHECK(!right(" Parisian", "Paris"));
  CHECK(!right(" non-Paris", "Paris"));
  CHECK(right(" in New York, I think", "New York"));
  CHECK(!right(" in New, the York", "new york"));
  CHECK(!right(" a b c d New York", "New York"));
  CHECK(right(" \"\u00c9mile\"", "\u00e9mile"));
  CHECK(right(" 1941.", "1941"));
  CHECK(!right(" 19411", "1941"));
  CHECK(!right(" \xff\xfe", "x"));
  CHECK(!LamaSuite().predicted(" \n ").has_value());
  CHECK(LamaSuite().predicted(" a  b\tc d e f") == Answer("a b c d e"));
}

TEST_CASE("other formats are named with line, field and what is read") {
  CHECK(Refusal("").find("holds no statements") != std::string::npos);
  CHECK(Refusal("\n[1]").find("some.jsonl:2: is not an object") != std::string::npos);
  CHECK(Refusal("{").find("some.jsonl:1: ") != std::string::npos);
  CHECK(Refusal("{}").find("neither 'masked_sentences' nor 'predicate_id'") != std::string::npos);
  CHECK(Refusal(R"({"masked_sentences": [], "id": "a"})").find("'obj_label' is missing") != std::string::npos);
  CHECK(Refusal(R"({"masked_sentences": [], "id": 1, "obj_label": "a"})").find("'id' is not a string") !=
        std::string::npos);
  CHECK(Refusal(R"({"masked_sentences": "x", "id": "a", "obj_label": "a"})").find("is not a list") !=
        std::string::npos);
  CHECK(Refusal(R"({"masked_sentences": [1], "id": "a", "obj_label": "a"})").find("other than strings") !=
        std::string::npos);
}

TEST_CASE("T-REx without its templates says where they are looked for") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("P19.jsonl");
  std::ofstream(path) << R"({"uuid": "a", "obj_label": "b", "sub_label": "c", "predicate_id": "P19"})";
  absl::Status status = ReadFrom(path).status();
  CHECK(absl::IsNotFound(status));
  CHECK(std::string(status.message()).find("relations.jsonl") != std::string::npos);
  std::ofstream(folder.file("relations.jsonl")) << R"({"relation": "P20", "template": "[X] died in [Y] ."})";
  status = ReadFrom(path).status();
  CHECK(std::string(status.message()).find("no template for 'P19'") != std::string::npos);
  std::ofstream(folder.file("relations.jsonl")) << R"({"relation": "P20"})";
  status = ReadFrom(path).status();
  CHECK(std::string(status.message()).find("relations.jsonl:1: field 'template' is missing") != std::string::npos);
}

TEST_CASE("suites tell their files apart") {
  const std::string svamp = " [{\"Body\": 1}]", asdiv = "<?xml", squad = R"({"masked_sentences": ["x"]})",
                    trex = R"({"uuid": "x", "predicate_id": "P1"})";
  for (const std::string& content : {svamp, asdiv}) {
    CHECK(MathSuite().recognises(content));
    CHECK(!LamaSuite().recognises(content));
  }
  for (const std::string& content : {squad, trex}) {
    CHECK(!MathSuite().recognises(content));
    CHECK(LamaSuite().recognises(content));
  }
  for (const std::string content : {"", "plain text", "{\"a\": 1}"}) {
    CHECK(!MathSuite().recognises(content));
    CHECK(!LamaSuite().recognises(content));
  }
}

TEST_CASE("the published files") {
  const auto folder = testing::SharedData("data/eval/lama");
  if (!folder) {
    MESSAGE("skipped: the evaluation data is not there");
    return;
  }
  // Counted by other means.
  const QuestionSet squad = *ReadFrom(*folder + "/Squad/test.jsonl.gz");
  CHECK(squad.questions.size() == 210);
  CHECK(squad.left_out == 95);
  int64_t google = 0;
  for (const std::string name : {"date_of_birth", "place_of_birth", "place_of_death"}) {
    google += std::ssize(ReadFrom(*folder + "/Google_RE/" + name + "_test.jsonl.gz")->questions);
  }
  CHECK(google == 542);
  CHECK(ReadFrom(*folder + "/TREx/P19.jsonl.gz")->questions.size() == 944);
  CHECK(ReadFrom(*folder + "/TREx/P413.jsonl.gz")->questions.empty());
}

}  // namespace
}  // namespace toolformer::lama_test
