// Open questions: what is read, asked, and taken for an answer.
#include <string>
#include <vector>

#include "src/base/json.h"
#include "src/eval/python_list.h"
#include "src/text/words.h"
#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/question_suite.h"

namespace toolformer::qa_test {
namespace {

using Strings = std::vector<std::string>;

absl::StatusOr<QuestionSet> ReadFrom(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadDataFile(path);
  REQUIRE_MESSAGE(content.ok(), std::string(content.status().message()));
  return QaSuite().read(path, *content);
}

nlohmann::json Expected(const std::string& name) { return *ParseJson(*ReadDataFile(testing::Fixture("qa/" + name))); }

std::string Refusal(const std::string& content) {
  const absl::Status status = QaSuite().read("some.file", content).status();
  CHECK(absl::IsInvalidArgument(status));
  return std::string(status.message());
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("answers are normalised as the evaluation of SQuAD does it") {
  const nlohmann::json pairs = Expected("normalized.json");
  REQUIRE(pairs.size() > 500);
  for (const nlohmann::json& pair : pairs) {
    const auto text = pair[0].get<std::string>();
    CAPTURE(text);
    CHECK(NormalizedAnswer(text) == pair[1].get<std::string>());
  }
  CHECK(NormalizedAnswer("the \xff\xfe end.") == "\xff\xfe end");
}

TEST_CASE("TriviaQA as Python's csv and repr write it") {
  const absl::StatusOr<QuestionSet> set = ReadFrom(testing::Fixture("qa/trivia.txt"));
  REQUIRE_MESSAGE(set.ok(), std::string(set.status().message()));
  const nlohmann::json expected = Expected("trivia.json");
  CHECK(set->name == "TriviaQA");
  CHECK(set->left_out == 1);  // the last one, without an answer
  REQUIRE(set->questions.size() + 1 == expected.size());
  for (size_t i = 0; i < set->questions.size(); ++i) {
    CHECK(set->questions[i].text == expected[i][0].get<std::string>());
    CHECK(set->questions[i].answer == Answer(expected[i][1].get<Strings>()));
  }
  CHECK(set->questions[0].id == "trivia-1");
}

TEST_CASE("NQ-open and WebQuestions") {
  const QuestionSet nq = *QaSuite().read("x",
                                         "{\"question\": \"who is it\", \"answer\": [\"He\", \" \"]}\n\n"
                                         "{\"question\": \"nobody\", \"answer\": []}\n");
  CHECK(nq.name == "NQ");
  CHECK(nq.left_out == 1);
  REQUIRE(nq.questions.size() == 1);
  CHECK(nq.questions[0].id == "nq-1");
  CHECK(nq.questions[0].answer == Answer(Strings{"He"}));
  CHECK(QaSuite().prompt(nq.questions[0]) == "Answer the following question: who is it?");
  const QuestionSet web = *QaSuite().read("x", R"([{"qId": "w1", "qText": "where?", "answers": ["Here", "There"]}])");
  CHECK(web.name == "WebQuestions");
  CHECK(web.questions[0].id == "w1");
  CHECK(QaSuite().prompt(web.questions[0]) == "Answer the following question: where?");
  CHECK(PrintAnswer(web.questions[0].answer) == "Here / There");
}

TEST_CASE("an answer must be among the first twenty words; exact is the first line and nothing else") {
  const auto right = [](std::string_view prediction, const Strings& answers) {
    const std::optional<Answer> predicted = QaSuite().predicted(prediction);
    return predicted && QaSuite().is_right(*predicted, answers);
  };
  const auto exact = [](std::string_view prediction, const Strings& answers) {
    return QaSuite().is_exact(prediction, answers);
  };
  CHECK(right(" It was Lola Pint, I think.", {"nobody", "lola pint"}));
  CHECK(!right(" It was Lola Pinter", {"Lola Pint"}));
  CHECK(right("in the U.S.", {"US"}));
  CHECK(right("\n\nThe year\n1941.", {"1941"}));
  CHECK(right("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 here", {"Here"}));
  CHECK(!right("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 here", {"Here"}));
  CHECK(!right("", {"x"}));
  CHECK(!right(" \n", {"x"}));
  CHECK(!right("The", {"x"}));
  CHECK(right("by The The", {"The The"}) == false);  // nothing of it is left beside other words
  CHECK(right("The The", {"The The"}));
  CHECK(exact(" The Lola Pint.\nQuestion:", {"nobody", "lola pint"}));
  CHECK(!exact(" It was Lola Pint.", {"Lola Pint"}));
  CHECK(!exact("", {"x"}));
  CHECK(!exact(" ", {"."}));
}

TEST_CASE("other formats are named with line, field and what is read") {
  for (const std::string content : {"", "\n\n", "[]"}) CHECK(Contains(Refusal(content), "holds no questions"));
  CHECK(Contains(Refusal("{"), "some.file:1: "));
  CHECK(Contains(Refusal("{\"question\": \"a\", \"answer\": [\"b\"]}\n[1]"), "some.file:2: is not an object"));
  CHECK(Contains(Refusal("{\"question\": 1}"), "field 'question' is not a string"));
  CHECK(Contains(Refusal("{\"question\": \"a\"}"), "field 'answer' is not a list of strings"));
  CHECK(Contains(Refusal("{\"question\": \"a\", \"answer\": [1]}"), "field 'answer' is not a list of strings"));
  CHECK(Contains(Refusal("[1]"), "entry 0 lacks the string 'qId'"));
  CHECK(Contains(Refusal(R"([{"qId": "a", "qText": 1}])"), "entry 0 lacks the string 'qText'"));
  CHECK(Contains(Refusal(R"([{"qId": "a", "qText": "b", "answers": "c"}])"), "the list of strings 'answers'"));
  CHECK(Contains(Refusal("one field"), "some.file:1: has 1 fields"));
  CHECK(Contains(Refusal("a\t['b']\n\na\tb\tc"), "some.file:3: has 3 fields"));
  CHECK(Contains(Refusal("a\t['b']\n\"a"), "some.file:2: a quote is not closed"));
  CHECK(Contains(Refusal("a\t__import__('os')"), "expected '[' at byte 0"));
  CHECK(Contains(Refusal("a\t['b', f()]"), "expected a string at byte 6"));
}

TEST_CASE("lists that Python would not write so") {
  CHECK(*ReadPythonList(" [ ] ") == Strings{});
  CHECK(*ReadPythonList("['a',\"b\" , 'c',]") == Strings{"a", "b", "c"});
  CHECK(*ReadPythonList(R"(['\x41\u00e9\U0001f600\'\"\\\n\r\t'])") == Strings{"A\u00e9\U0001f600'\"\\\n\r\t"});
  for (const std::string text :
       {"", "[", "['a'", "['a' 'b']", "[,]", "['a',,'b']", "['a]", "['a'] x", "[['a']]", R"(['\q'])", R"(['\)",
        R"(['\x4'])", R"(['\xg0'])", R"(['\ud800'])", R"(['\U00110000'])", R"(['\U0000)", "[b'a']", "['a'*9]"}) {
    CAPTURE(text);
    CHECK(absl::IsInvalidArgument(ReadPythonList(text).status()));
  }
  const std::string deep(1 << 20, '[');
  CHECK(absl::IsInvalidArgument(ReadPythonList(deep).status()));
}

TEST_CASE("suites tell open questions apart") {
  const std::string nq = R"({"question": "a", "answer": ["b"]})",
                    web = R"( [{"qId": "a", "answers": [], "qText": "b"}])", trivia = "Who?\t['He']\r\n",
                    quoted = "\"Who \"\"was\"\" it?\"\t\"[\"\"it's\"\"]\"\n";
  for (const std::string& content : {nq, web, trivia, quoted}) {
    CHECK(QaSuite().recognises(content));
    CHECK(!MathSuite().recognises(content));
    CHECK(!LamaSuite().recognises(content));
  }
  // GSM8K's answers are texts, a table is none of lists.
  for (const std::string content : {"", "text", "[{\"Body\": 1}]", R"({"question": "a", "answer": "b"})", "a\tb\n"}) {
    CHECK(!QaSuite().recognises(content));
  }
}

TEST_CASE("the published files of questions") {
  const auto folder = testing::SharedData("data/eval");
  if (!folder) {
    MESSAGE("skipped: the evaluation data is not there");
    return;
  }
  // Counted with Python.
  const struct {
    std::string file, name;
    size_t questions;
  } files[] = {{"nq_open/NQ-open.dev.jsonl.gz", "NQ", 3610},
               {"webquestions/test.json.gz", "WebQuestions", 2032},
               {"triviaqa/topics.dpr.trivia.test.txt.gz", "TriviaQA", 11313}};
  for (const auto& file : files) {
    const absl::StatusOr<QuestionSet> set = ReadFrom(*folder + "/" + file.file);
    REQUIRE_MESSAGE(set.ok(), std::string(set.status().message()));
    CHECK(set->name == file.name);
    CHECK(set->questions.size() == file.questions);
    CHECK(set->left_out == 0);
  }
}

}  // namespace
}  // namespace toolformer::qa_test
