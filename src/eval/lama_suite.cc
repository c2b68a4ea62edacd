// LAMA (section 4.2.1): statements with a missing word, of which those are asked whose missing word is the last.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "src/base/blanks.h"
#include "src/base/file.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/eval/json_lines.h"
#include "src/text/unicode.h"
#include "src/text/words.h"
#include "toolformer/question_suite.h"

namespace toolformer {
namespace {

constexpr std::string_view kLamaFormats = "LAMA's SQuAD, Google-RE and T-REx (JSON lines) are read";
constexpr uint64_t kMaxTemplateBytes = uint64_t{16} << 20;
constexpr std::string_view kMask = "[MASK]", kSubject = "[X]", kObject = "[Y]";
constexpr size_t kLamaWords = 5;

std::string_view WithoutTrailing(std::string_view text, std::string_view characters) {
  const size_t last = text.find_last_not_of(characters);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

// What stands before `hole`, where that occurs once and nothing but a full stop follows it.
std::optional<std::string> BeforeLast(std::string_view statement, std::string_view hole) {
  const size_t at = statement.find(hole);
  if (at == std::string_view::npos) return std::nullopt;
  if (!WithoutTrailing(statement.substr(at + hole.size()), " \t\r\n.?!").empty()) return std::nullopt;
  const std::string_view before = WithoutTrailing(statement.substr(0, at), kBlanks);
  return before.empty() ? std::nullopt : std::optional<std::string>(before);
}

// Templates of relations, as "P19" -> "[X] was born in [Y] .".
using Templates = std::map<std::string, std::string>;

absl::StatusOr<Templates> ReadTemplates(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::filesystem::path& candidate : {folder / "relations.jsonl", folder / ".." / "relations.jsonl"}) {
    const std::string name = candidate.string();
    absl::StatusOr<std::string> content = ReadFile(name, kMaxTemplateBytes);
    if (absl::IsNotFound(content.status())) continue;
    TF_RETURN_IF_ERROR(content.status());
    JsonLines lines(name, *content, kLamaFormats);
    Templates templates;
    nlohmann::json entry;
    while (true) {
      TF_ASSIGN_OR_RETURN(const bool more, lines.Next(&entry));
      if (!more) return templates;
      TF_ASSIGN_OR_RETURN(std::string relation, lines.Text(entry, "relation"));
      TF_ASSIGN_OR_RETURN(templates[std::move(relation)], lines.Text(entry, "template"));
    }
  }
  return NotFound("{}: T-REx needs the templates of relations.jsonl, in its folder or the one above", path);
}

class LamaReader {
 public:
  LamaReader(const std::string& path, std::string_view content) : path_(path), lines_(path, content, kLamaFormats) {}

  absl::StatusOr<QuestionSet> Read() {
    nlohmann::json entry;
    while (true) {
      TF_ASSIGN_OR_RETURN(const bool more, lines_.Next(&entry));
      if (!more) break;
      TF_RETURN_IF_ERROR(Add(entry));
    }
    if (set_.name.empty()) return InvalidArgument("{}: holds no statements; {}", path_, kLamaFormats);
    return std::move(set_);
  }

 private:
  absl::Status Add(const nlohmann::json& entry) {
    const bool by_template = entry.contains("predicate_id");
    if (!by_template && !entry.contains("masked_sentences")) {
      return lines_.Refuse("has neither 'masked_sentences' nor 'predicate_id'");
    }
    set_.name = by_template ? "T-REx" : entry.contains("pred") ? "Google-RE" : "SQuAD";
    Question question;
    const char* id = entry.contains("uuid") ? "uuid" : "id";
    TF_ASSIGN_OR_RETURN(question.id, lines_.Text(entry, id));
    TF_ASSIGN_OR_RETURN(question.answer, lines_.Text(entry, "obj_label"));
    TF_ASSIGN_OR_RETURN(std::optional<std::string> statement, by_template ? FromTemplate(entry) : FromSentences(entry));
    if (!statement) {
      ++set_.left_out;
      return absl::OkStatus();
    }
    question.text = *std::move(statement);
    set_.questions.push_back(std::move(question));
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> FromSentences(const nlohmann::json& entry) {
    const nlohmann::json& sentences = entry["masked_sentences"];
    if (!sentences.is_array()) return lines_.Refuse("field 'masked_sentences' is not a list");
    std::string text;
    for (const nlohmann::json& sentence : sentences) {
      if (!sentence.is_string()) return lines_.Refuse("field 'masked_sentences' holds something other than strings");
      text += (text.empty() ? "" : " ") + sentence.get<std::string>();
    }
    return BeforeLast(text, kMask);
  }

  absl::StatusOr<std::optional<std::string>> FromTemplate(const nlohmann::json& entry) {
    if (!templates_) {
      TF_ASSIGN_OR_RETURN(templates_, ReadTemplates(path_));
    }
    TF_ASSIGN_OR_RETURN(const std::string relation, lines_.Text(entry, "predicate_id"));
    TF_ASSIGN_OR_RETURN(const std::string subject, lines_.Text(entry, "sub_label"));
    const auto found = templates_->find(relation);
    if (found == templates_->end()) {
      return lines_.Refuse(fmt::format("relations.jsonl has no template for '{}'", relation));
    }
    std::optional<std::string> statement = BeforeLast(found->second, kObject);
    if (!statement) return statement;
    const size_t at = statement->find(kSubject);
    if (at == std::string::npos) return std::optional<std::string>();
    statement->replace(at, kSubject.size(), subject);
    return statement;
  }

  const std::string& path_;
  JsonLines lines_;
  QuestionSet set_;
  std::optional<Templates> templates_;
};

absl::StatusOr<QuestionSet> ReadStatements(const std::string& path, std::string_view content) {
  return LamaReader(path, content).Read();
}

bool HoldsStatements(std::string_view content) {
  const std::string_view line = content.substr(0, content.find('\n'));
  const auto names = [&](std::string_view field) { return line.find(field) != std::string_view::npos; };
  return line.starts_with('{') && (names("\"masked_sentences\"") || names("\"predicate_id\""));
}

std::string AskToComplete(const Question& question) {
  return "Please complete the following text so that it is factually correct: " + question.text;
}

bool HasNoWordCharacter(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    if (c.valid && IsWordCharacter(c.value)) return false;
    text.remove_prefix(c.length);
  }
  return true;
}

// "(Paris)," is the word "paris": nothing but marks around it.
bool IsWord(std::string_view predicted, std::string_view expected) {
  const size_t at = predicted.find(expected);
  return at != std::string_view::npos && HasNoWordCharacter(predicted.substr(0, at)) &&
         HasNoWordCharacter(predicted.substr(at + expected.size()));
}

std::optional<Answer> FirstFive(std::string_view prediction) {
  std::string text;
  for (const std::string_view word : FirstWords(prediction, kLamaWords))
    text += (text.empty() ? "" : " ") + std::string(word);
  return text.empty() ? std::nullopt : std::optional<Answer>(text);
}

bool HoldsLamaAnswer(const Answer& predicted, const Answer& answer) {
  const std::string words_text = LowerCase(std::get<std::string>(predicted));
  const std::string answer_text = LowerCase(std::get<std::string>(answer));
  const std::vector<std::string_view> words = FirstWords(words_text, kLamaWords),
                                      expected = FirstWords(answer_text, kLamaWords + 1);
  if (expected.empty()) return false;
  for (size_t first = 0; first + expected.size() <= words.size(); ++first) {
    size_t same = 0;
    while (same < expected.size() && IsWord(words[first + same], expected[same])) ++same;
    if (same == expected.size()) return true;
  }
  return false;
}

}  // namespace

const QuestionSuite& LamaSuite() {
  static constexpr QuestionSuite kSuite = {
      "lama",          kLamaFormats,   "statements whose missing word is not the last",
      HoldsStatements, ReadStatements, AskToComplete,
      FirstFive,       HoldsLamaAnswer};
  return kSuite;
}

}  // namespace toolformer
