// Word problems with a number for an answer (section 4.2.2): ASDiv, SVAMP, MAWPS in the formats in which they are
// published.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "src/base/blanks.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/tools/decimal.h"
#include "toolformer/question_suite.h"

namespace toolformer {
namespace {

constexpr std::string_view kMathFormats = "ASDiv (XML), SVAMP and MAWPS (JSON lists) are read";

// "43", "-1,234.5"; in ASDiv a unit in parentheses may follow.
std::optional<double> NumberIn(std::string_view text) {
  text = Trimmed(text);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::optional<Decimal> number = ReadDecimal(text);
  if (!number || !std::isfinite(number->value)) return std::nullopt;
  text = Trimmed(text.substr(number->length));
  if (!text.empty() && !(text.starts_with('(') && text.ends_with(')'))) return std::nullopt;
  return negative ? -number->value : number->value;
}

std::string Joined(std::string_view body, std::string_view question) {
  return std::string(Trimmed(fmt::format("{} {}", Trimmed(body), Trimmed(question))));
}

absl::StatusOr<QuestionSet> ReadAsdiv(const std::string& path, std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) return InvalidArgument("{}: byte {}: {}", path, parsed.offset, parsed.description());
  QuestionSet read;
  for (const pugi::xml_node& problem : document.child("Machine-Reading-Corpus-File").child("ProblemSet")) {
    const std::string id = problem.attribute("ID").value();
    for (const char* field : {"Question", "Answer"}) {
      if (!problem.child(field)) return InvalidArgument("{}: problem '{}' has no field '{}'", path, id, field);
    }
    const std::optional<double> answer = NumberIn(problem.child_value("Answer"));
    if (!answer) {
      ++read.left_out;
      continue;
    }
    read.questions.push_back({id, Joined(problem.child_value("Body"), problem.child_value("Question")), *answer});
  }
  return read;
}

// A string, or a number.
std::optional<double> AnswerOf(const nlohmann::json& value) {
  if (value.is_number()) return value.get<double>();
  return value.is_string() ? NumberIn(value.get_ref<const std::string&>()) : std::nullopt;
}

absl::StatusOr<QuestionSet> ReadJsonList(const std::string& path, std::string_view text) {
  const absl::StatusOr<nlohmann::json> list = ParseJson(text);
  if (!list.ok()) return Annotate(list.status(), path);
  if (!list->is_array()) return InvalidArgument("{}: is not a list of problems; {}", path, kMathFormats);
  QuestionSet read;
  for (size_t i = 0; i < list->size(); ++i) {
    const nlohmann::json& entry = (*list)[i];
    const bool mawps = entry.is_object() && entry.contains("problem");
    const auto field = [&](const char* name) {
      return entry.is_object() && entry.contains(name) && entry[name].is_string()
                 ? std::optional<std::string>(entry[name].get<std::string>())
                 : std::nullopt;
    };
    const std::optional<std::string> body = field(mawps ? "problem" : "Body");
    const std::optional<std::string> question = mawps ? std::string() : field("Question");
    const char* answer_name = mawps ? "gold_answer" : "Answer";
    if (!body || !question || !entry.contains(answer_name)) {
      return InvalidArgument("{}: entry {} lacks '{}'; {}", path, i,
                             !body ? "Body' or 'problem" : (!question ? "Question" : answer_name), kMathFormats);
    }
    const std::optional<double> answer = AnswerOf(entry[answer_name]);
    if (!answer) {
      ++read.left_out;
      continue;
    }
    const std::string id = field("ID").value_or(std::to_string(i));
    read.questions.push_back({id, mawps ? std::string(Trimmed(*body)) : Joined(*body, *question), *answer});
  }
  return read;
}

absl::StatusOr<QuestionSet> ReadProblems(const std::string& path, std::string_view content) {
  TF_ASSIGN_OR_RETURN(QuestionSet read,
                      Trimmed(content).starts_with('<') ? ReadAsdiv(path, content) : ReadJsonList(path, content));
  if (read.questions.empty() && read.left_out == 0)
    return InvalidArgument("{}: holds no problems; {}", path, kMathFormats);
  std::filesystem::path name = std::filesystem::path(path).filename();
  if (name.extension() == ".gz") name = name.stem();
  read.name = name.stem().string();
  return read;
}

bool IsXmlOrJsonList(std::string_view content) {
  content = Trimmed(content);
  // Of the open questions of WebQuestions "qText" is a field.
  return content.starts_with('<') ||
         (content.starts_with('[') && content.substr(0, 4096).find("\"qText\"") == std::string_view::npos);
}

std::string AskForAnswer(const Question& question) { return question.text + " The answer is"; }

std::optional<double> FirstNumber(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsDecimalDigit(text[i]) && text[i] != '.') continue;
    const std::optional<Decimal> number = ReadDecimal(text.substr(i));
    if (!number || !std::isfinite(number->value)) continue;
    const bool negative = i > 0 && text[i - 1] == '-' && (i == 1 || !IsDecimalDigit(text[i - 2]));
    return negative ? -number->value : number->value;
  }
  return std::nullopt;
}

// "1,234.5" and "-3" are numbers.
std::optional<Answer> PredictedNumber(std::string_view prediction) {
  const size_t equals = prediction.find('=');
  if (equals != std::string_view::npos) {
    if (const std::optional<double> number = FirstNumber(prediction.substr(equals + 1))) return *number;
  }
  if (const std::optional<double> number = FirstNumber(prediction)) return *number;
  return std::nullopt;
}

bool SameNumber(const Answer& predicted, const Answer& answer) {
  const double a = std::get<double>(predicted), b = std::get<double>(answer);
  return std::abs(a - b) <= 1e-4 * std::max(1.0, std::abs(b));
}

}  // namespace

const QuestionSuite& MathSuite() {
  static constexpr QuestionSuite kSuite = {"math",          kMathFormats, "problems whose answers are no numbers",
                                           IsXmlOrJsonList, ReadProblems, AskForAnswer,
                                           PredictedNumber, SameNumber};
  return kSuite;
}

}  // namespace toolformer
