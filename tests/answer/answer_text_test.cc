// Questions and answers as text.
#include "src/answer/answer_text.h"

#include <string>

#include "tests/check.h"

namespace toolformer::answer_text_test {
namespace {

TEST_CASE("a question is one line with a question mark") {
  CHECK(AskedQuestion("Where is it") == "Where is it?");
  CHECK(AskedQuestion(" \"Where is it?\" ") == "Where is it?");
  CHECK(AskedQuestion("Where\nis\tit?") == "Where is it?");
  CHECK(AskedQuestion("'Where is it'") == "Where is it?");
  CHECK(AskedQuestion("\u201cWo ist es?\u201d") == "Wo ist es?");
  CHECK(AskedQuestion("Who wrote \"Emma\"") == "Who wrote \"Emma\"?");
  CHECK(AskedQuestion("\"Emma\" or \"Persuasion\"") == "\"Emma\" or \"Persuasion\"?");
  for (const std::string nothing : {"", " ", "\"\"", "?", "\n\n", "...", "\xff\xfe"})
    CHECK(AskedQuestion(nothing).empty());
}

TEST_CASE("questions that cannot be asked") {
  CHECK(*CheckedQuestion(std::string(kMaxQuestionBytes, 'a')) == std::string(kMaxQuestionBytes, 'a') + "?");
  CHECK(absl::IsResourceExhausted(CheckedQuestion(std::string(kMaxQuestionBytes + 1, 'a')).status()));
  CHECK(absl::IsInvalidArgument(CheckedQuestion("\"\"").status()));
}

TEST_CASE("the answer in what a model wrote") {
  const struct {
    std::string written, answer;
  } cases[] = {
      {" Paris", "Paris"},
      {" Paris.", "Paris"},
      {"\n\n Paris\nQuestion: and", "Paris"},
      {" Answer: Paris", "Paris"},
      {"answer: ANSWER: \"Paris\".", "Paris"},
      {" the U.S.", "the U.S."},
      {" 6 p.m.", "6 p.m."},
      {" Dr. No!", "Dr. No"},
      {" 'Paris'", "Paris"},
      {" \u201cParis\u201d,", "Paris"},
      {" (Paris)", "Paris"},
      {" Paris (France)", "Paris (France)"},
      {" Paris (", "Paris"},
      {" \"Paris", "Paris"},
      {" Paris)", "Paris"},
      {" dogs' home", "dogs' home"},
      {" 3.5", "3.5"},
      {" a\tb\x01", "a b"},
      {" ...", ""},
      {"", ""},
      {"Answer:", ""},
      {"\r\n", ""},
  };
  for (const auto& one : cases) {
    CAPTURE(one.written);
    CHECK(WrittenAnswer(one.written) == one.answer);
  }
  // Marks heaped up cost no more than their length.
  CHECK(WrittenAnswer(std::string(1 << 16, '"')).empty());
  CHECK(WrittenAnswer("x" + std::string(1 << 16, '.')) == "x");
}

}  // namespace
}  // namespace toolformer::answer_text_test
