// Open questions (section 4.2.3): Natural Questions, WebQuestions and TriviaQA in the formats in which they are
// published.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "src/base/blanks.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/eval/json_lines.h"
#include "src/eval/python_list.h"
#include "src/text/words.h"
#include "toolformer/question_suite.h"

namespace toolformer {
namespace {

constexpr std::string_view kQaFormats =
    "NQ-open (JSON lines), WebQuestions (a JSON list) and TriviaQA (question, tab, list of answers) are read";
constexpr size_t kQaWords = 20;

// What the suite asks for, where there is something to find.
void Add(std::string id, std::string_view text, std::vector<std::string> answers, QuestionSet* set) {
  std::erase_if(answers, [](const std::string& answer) { return Trimmed(answer).empty(); });
  if (answers.empty() || Trimmed(text).empty()) {
    ++set->left_out;
  } else {
    set->questions.push_back({std::move(id), std::string(Trimmed(text)), std::move(answers)});
  }
}

// The strings of a list, or nothing where it is none.
std::optional<std::vector<std::string>> Strings(const nlohmann::json& entry, const char* field) {
  const auto found = entry.find(field);
  if (found == entry.end() || !found->is_array()) return std::nullopt;
  std::vector<std::string> strings;
  for (const nlohmann::json& value : *found) {
    if (!value.is_string()) return std::nullopt;
    strings.push_back(value.get<std::string>());
  }
  return strings;
}

absl::StatusOr<QuestionSet> ReadNaturalQuestions(const std::string& path, std::string_view content) {
  JsonLines lines(path, content, kQaFormats);
  QuestionSet set;
  set.name = "NQ";
  nlohmann::json entry;
  while (true) {
    TF_ASSIGN_OR_RETURN(const bool more, lines.Next(&entry));
    if (!more) return set;
    TF_ASSIGN_OR_RETURN(const std::string question, lines.Text(entry, "question"));
    std::optional<std::vector<std::string>> answers = Strings(entry, "answer");
    if (!answers) return lines.Refuse("field 'answer' is not a list of strings");
    Add(fmt::format("nq-{}", lines.number()), question, *std::move(answers), &set);
  }
}

absl::StatusOr<QuestionSet> ReadWebQuestions(const std::string& path, std::string_view content) {
  const absl::StatusOr<nlohmann::json> list = ParseJson(content);
  if (!list.ok()) return Annotate(list.status(), path);
  if (!list->is_array()) return InvalidArgument("{}: is not a list of questions; {}", path, kQaFormats);
  QuestionSet set;
  set.name = "WebQuestions";
  for (size_t i = 0; i < list->size(); ++i) {
    const nlohmann::json& entry = (*list)[i];
    for (const char* field : {"qId", "qText"}) {
      if (entry.is_object() && entry.contains(field) && entry[field].is_string()) continue;
      return InvalidArgument("{}: entry {} lacks the string '{}'; {}", path, i, field, kQaFormats);
    }
    std::optional<std::vector<std::string>> answers = Strings(entry, "answers");
    if (!answers) return InvalidArgument("{}: entry {} lacks the list of strings 'answers'; {}", path, i, kQaFormats);
    Add(entry["qId"].get<std::string>(), entry["qText"].get<std::string>(), *std::move(answers), &set);
  }
  return set;
}

// Records of fields between tabs. A field that begins with a quote ends with the next single one and may hold tabs,
// line breaks and, doubled, quotes.
class TabRecords {
 public:
  explicit TabRecords(std::string_view content) : content_(content) {}

  // The next record that is not empty; none at the end.
  absl::StatusOr<std::vector<std::string>> Next() {
    std::vector<std::string> fields;
    while (at_ < content_.size() && (content_[at_] == '\n' || content_[at_] == '\r')) TakeLineBreak();
    line_ = next_line_;
    while (at_ < content_.size()) {
      TF_ASSIGN_OR_RETURN(fields.emplace_back(), Field());
      if (at_ == content_.size()) break;
      if (content_[at_] == '\t') {
        ++at_;
        continue;
      }
      TakeLineBreak();
      break;
    }
    return fields;
  }

  int64_t line() const { return line_; }  // that the record begins in, from 1

 private:
  void TakeLineBreak() { next_line_ += content_[at_++] == '\n' ? 1 : 0; }

  absl::StatusOr<std::string> Field() {
    std::string field;
    if (content_[at_] == '"') {
      for (++at_;; ++at_) {
        if (at_ == content_.size()) return InvalidArgument("a quote is not closed");
        next_line_ += content_[at_] == '\n' ? 1 : 0;
        if (content_[at_] == '"' && !content_.substr(at_ + 1).starts_with('"')) break;
        if (content_[at_] == '"') ++at_;
        field += content_[at_];
      }
      ++at_;
    }
    const size_t end = std::min(content_.find_first_of("\t\r\n", at_), content_.size());
    field += content_.substr(at_, end - at_);
    at_ = end;
    return field;
  }

  const std::string_view content_;
  size_t at_ = 0;
  int64_t line_ = 1, next_line_ = 1;
};

absl::StatusOr<QuestionSet> ReadTriviaQa(const std::string& path, std::string_view content) {
  TabRecords records(content);
  QuestionSet set;
  set.name = "TriviaQA";
  while (true) {
    const absl::StatusOr<std::vector<std::string>> fields = records.Next();
    const auto refuse = [&](const std::string& why) {
      return InvalidArgument("{}:{}: {}; {}", path, records.line(), why, kQaFormats);
    };
    if (!fields.ok()) return refuse(std::string(fields.status().message()));
    if (fields->empty()) return set;
    if (fields->size() != 2) return refuse(fmt::format("has {} fields, not question and answers", fields->size()));
    absl::StatusOr<std::vector<std::string>> answers = ReadPythonList((*fields)[1]);
    if (!answers.ok()) return refuse(std::string(answers.status().message()));
    Add(fmt::format("trivia-{}", records.line()), (*fields)[0], *std::move(answers), &set);
  }
}

absl::StatusOr<QuestionSet> ReadQuestions(const std::string& path, std::string_view content) {
  const std::string_view begin = Trimmed(content);
  TF_ASSIGN_OR_RETURN(QuestionSet set, begin.starts_with('[')   ? ReadWebQuestions(path, content)
                                       : begin.starts_with('{') ? ReadNaturalQuestions(path, content)
                                                                : ReadTriviaQa(path, content));
  if (set.questions.empty() && set.left_out == 0)
    return InvalidArgument("{}: holds no questions; {}", path, kQaFormats);
  return set;
}

bool HoldsOpenQuestions(std::string_view content) {
  content = Trimmed(content);
  if (content.starts_with('[')) return content.substr(0, 4096).find("\"qText\"") != std::string_view::npos;
  const std::string_view line = content.substr(0, content.find('\n'));
  const auto names = [&](std::string_view field) { return line.find(field) != std::string_view::npos; };
  if (line.starts_with('{')) return names("\"question\"") && (names("\"answer\": [") || names("\"answer\":["));
  return names("\t[") || names("\t\"[");
}

// With a question mark, where the question has none.
std::string Ask(const Question& question) {
  return "Answer the following question: " + question.text + (question.text.ends_with('?') ? "" : "?");
}

std::optional<Answer> FirstTwenty(std::string_view prediction) {
  std::string text;
  for (const std::string_view word : FirstWords(prediction, kQaWords)) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text.empty() ? std::nullopt : std::optional<Answer>(text);
}

// What is left of a text to compare. Names such as "The The" are nothing without articles: they are compared as they
// are.
std::string Comparable(std::string_view text) {
  std::string normalized = NormalizedAnswer(text);
  return normalized.empty() ? LowerCase(Trimmed(text)) : normalized;
}

// Whether the words of any of the answers follow each other in the predicted ones.
bool HoldsQaAnswer(const Answer& predicted, const Answer& answer) {
  const std::string text = ' ' + Comparable(std::get<std::string>(predicted)) + ' ';
  const auto& accepted = std::get<std::vector<std::string>>(answer);
  return std::any_of(accepted.begin(), accepted.end(), [&](const std::string& one) {
    return text.find(' ' + Comparable(one) + ' ') != std::string::npos;
  });
}

bool IsAnswer(std::string_view prediction, const Answer& answer) {
  prediction = Trimmed(prediction);
  const std::string text = Comparable(prediction.substr(0, prediction.find('\n')));
  const auto& accepted = std::get<std::vector<std::string>>(answer);
  return !text.empty() &&
         std::any_of(accepted.begin(), accepted.end(), [&](const std::string& one) { return Comparable(one) == text; });
}

}  // namespace

const QuestionSuite& QaSuite() {
  static constexpr QuestionSuite kSuite = {
      "qa",          kQaFormats, "questions without an answer", HoldsOpenQuestions, ReadQuestions, Ask, FirstTwenty,
      HoldsQaAnswer, IsAnswer};
  return kSuite;
}

}  // namespace toolformer
