// Sets of word problems in the formats in which they are published.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/tools/decimal.h"
#include "toolformer/math_suite.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxBytes = 256 << 20;
constexpr std::string_view kFormats = "ASDiv (XML), SVAMP and MAWPS (JSON lists) are read";

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

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

absl::StatusOr<MathProblems> ReadAsdiv(const std::string& path, const std::string& text) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) return InvalidArgument("{}: byte {}: {}", path, parsed.offset, parsed.description());
  MathProblems read;
  for (const pugi::xml_node& problem : document.child("Machine-Reading-Corpus-File").child("ProblemSet")) {
    const std::string id = problem.attribute("ID").value();
    for (const char* field : {"Question", "Answer"}) {
      if (!problem.child(field)) return InvalidArgument("{}: problem '{}' has no field '{}'", path, id, field);
    }
    const std::optional<double> answer = NumberIn(problem.child_value("Answer"));
    if (!answer) {
      ++read.not_numbers;
      continue;
    }
    read.problems.push_back({id, Joined(problem.child_value("Body"), problem.child_value("Question")), *answer});
  }
  if (read.problems.empty()) return InvalidArgument("{}: holds no problems; {}", path, kFormats);
  return read;
}

// A string, or a number.
std::optional<double> AnswerOf(const nlohmann::json& value) {
  if (value.is_number()) return value.get<double>();
  return value.is_string() ? NumberIn(value.get_ref<const std::string&>()) : std::nullopt;
}

absl::StatusOr<MathProblems> ReadJsonList(const std::string& path, const std::string& text) {
  const absl::StatusOr<nlohmann::json> list = ParseJson(text);
  if (!list.ok()) return Annotate(list.status(), path);
  if (!list->is_array()) return InvalidArgument("{}: is not a list of problems; {}", path, kFormats);
  MathProblems read;
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
                             !body ? "Body' or 'problem" : (!question ? "Question" : answer_name), kFormats);
    }
    const std::optional<double> answer = AnswerOf(entry[answer_name]);
    if (!answer) {
      ++read.not_numbers;
      continue;
    }
    const std::string id = field("ID").value_or(std::to_string(i));
    read.problems.push_back({id, mawps ? std::string(Trimmed(*body)) : Joined(*body, *question), *answer});
  }
  if (read.problems.empty()) return InvalidArgument("{}: holds no problems; {}", path, kFormats);
  return read;
}

}  // namespace

absl::StatusOr<MathProblems> ReadMathProblems(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  return Trimmed(text).starts_with('<') ? ReadAsdiv(path, text) : ReadJsonList(path, text);
}

}  // namespace toolformer
